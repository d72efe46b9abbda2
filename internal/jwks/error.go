package jwks

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// The errors of [Provider.Key].
var (
	// ErrUnavailable means that there are no usable keys: the first fetch
	// failed or is not done yet, or the last good keys are too old.
	ErrUnavailable = errors.New("the issuer's keys are not available")
	// ErrUnknownKey means that no key of the issuer fits the token's header.
	ErrUnknownKey = errors.New("no key of the issuer fits")
)

// UnavailableError is an [ErrUnavailable] that says when to try again.
type UnavailableError struct {
	RetryAfter time.Duration // until the next fetch, at least 1 s
	// Last is the kind of the last failed fetch, as [Status] has it; "" where none
	// has failed yet.
	Last string
}

func (e *UnavailableError) Error() string { return ErrUnavailable.Error() }
func (e *UnavailableError) Unwrap() error { return ErrUnavailable }

// The kinds of failed fetch, as [Status] and the log name them, beside those of
// [fetch.Error]. A set of over 1,000 keys is [fetch.FailedTooLarge], and a
// jwks_uri that is not admitted [fetch.FailedURL].
const (
	FailedMalformed = "malformed"       // not the JSON document it should be
	FailedIssuer    = "issuer_mismatch" // discovery of another issuer
	FailedNoKey     = "no_usable_key"   // a key set, but nothing to verify with
)

// fetchError is a failed fetch. It holds nothing that the issuer wrote.
type fetchError struct {
	kind   string
	at     string // "discovery" or "jwks"
	status int    // of HTTP, if it is a matter of that
}

func (e *fetchError) Error() string { return e.at + ": " + strings.ReplaceAll(e.kind, "_", " ") }

// failedAt is a failed request for one of the documents.
func failedAt(document string, err error) *fetchError {
	if failed, ok := errors.AsType[*fetch.Error](err); ok {
		return &fetchError{kind: failed.Kind, at: document, status: failed.Status}
	}
	return &fetchError{kind: fetch.FailedConnection, at: document}
}

// attrs are what the log says of a failed fetch.
func (e *fetchError) attrs(pause time.Duration) []slog.Attr {
	attrs := []slog.Attr{slog.String("kind", e.kind), slog.String("at", e.at)}
	if e.status != 0 {
		attrs = append(attrs, slog.Int("status", e.status))
	}
	// As text: a number would need its unit, and JSON has no durations.
	return append(attrs, slog.String("next_try", pause.Round(time.Millisecond).String()))
}
