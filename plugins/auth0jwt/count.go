package auth0jwt

import "sync/atomic"

// numStripes is how many processors can count without being in each other's
// way.
const numStripes = 16

// stripes numbers the views of requests; each counts in its own stripe.
var stripes atomic.Uint32

// counts is one stripe of what every request counts, alone in its cache lines.
type counts struct {
	inFlight  atomic.Int64
	forwarded atomic.Uint64
	_         [112]byte
}
