// Package login is the browser's way to Universal Login and back (OpenID
// Connect Core 1.0 section 3.1), as a state machine: a request, a clock and
// random bytes in; an answer, a redirect or a session out. It must not know
// sockets or Redis, nor how a token is judged.
package login
