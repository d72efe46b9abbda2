package auth0jwt

// ballastSize raises the garbage collector's first goal, in bytes.
const ballastSize = 16 << 20

// Ballast is memory that is never touched, and so never resident, and that the
// garbage collector counts all the same: a process of a few live megabytes
// would collect dozens of times a second under new tokens. A command keeps it
// alive (runtime.KeepAlive) as long as it serves.
func Ballast() []byte { return make([]byte, ballastSize) }
