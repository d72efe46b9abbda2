package jwks

import (
	"errors"
	"strings"
	"time"
)

// The errors of [Provider.Key].
var (
	// ErrUnavailable means that no usable keys are at hand: the first fetch
	// failed or is not done yet, or the last good keys are too old.
	ErrUnavailable = errors.New("the issuer's keys are not available")
	// ErrUnknownKey means that no key of the issuer fits the token's header.
	ErrUnknownKey = errors.New("no key of the issuer fits")
)

// UnavailableError is an [ErrUnavailable] that says when to try again.
type UnavailableError struct {
	RetryAfter time.Duration // until the next fetch, at least 1 s
}

func (e *UnavailableError) Error() string { return ErrUnavailable.Error() }
func (e *UnavailableError) Unwrap() error { return ErrUnavailable }

// The kinds of failed fetch, as [Status] and the log name them.
const (
	FailedTimeout    = "timeout"           // more than 5 s in all
	FailedConnection = "connection"        // no answer, or cut short
	FailedTLS        = "tls"               // the certificate or the handshake
	FailedAddress    = "forbidden_address" // private or loopback, not admitted
	FailedStatus     = "status"            // neither 200 nor a fitting 304
	FailedRedirect   = "redirect"          // never followed
	FailedTooLarge   = "too_large"         // over 1 MiB, or a set of over 1,000 keys
	FailedMalformed  = "malformed"         // not the JSON document it should be
	FailedIssuer     = "issuer_mismatch"   // discovery of another issuer
	FailedURL        = "bad_url"           // jwks_uri is not an admitted URL
	FailedNoKey      = "no_usable_key"     // a key set, but nothing to verify with
)

// fetchError is a failed fetch. It holds nothing that the issuer wrote.
type fetchError struct {
	kind   string
	at     string // "discovery" or "jwks"
	status int    // of HTTP, if it is a matter of that
}

func (e *fetchError) Error() string { return e.at + ": " + strings.ReplaceAll(e.kind, "_", " ") }
