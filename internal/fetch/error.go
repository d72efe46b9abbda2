package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// The kinds of failed request.
const (
	FailedURL        = "bad_url"           // not an https URL, or one with a user
	FailedDNS        = "dns"               // the name could not be resolved
	FailedAddress    = "forbidden_address" // resolved, to an address that is not allowed
	FailedConnection = "connection"        // no answer, or cut short
	FailedTLS        = "tls"               // the certificate or the handshake
	FailedTimeout    = "timeout"           // more than [RequestAtMost], or than the caller had
	FailedStatus     = "status"            // of a GET, neither 200 nor a 304 that was asked for; of a POST, 5xx
	FailedRedirect   = "redirect"          // never followed
	FailedTooLarge   = "too_large"         // a body over [MaxBody]
)

// Error is a failed request. It holds nothing that the server wrote, and no URL.
type Error struct {
	Kind   string // a Failed… constant
	Status int    // of HTTP, for [FailedStatus] and [FailedRedirect]; else 0
}

func (e *Error) Error() string {
	text := strings.ReplaceAll(e.Kind, "_", " ")
	if e.Status != 0 {
		text += " " + strconv.Itoa(e.Status)
	}
	return text
}

// failure is what a request's error comes from.
func failure(ctx context.Context, err error) *Error {
	switch {
	case errors.Is(err, errForbiddenAddress):
		return &Error{Kind: FailedAddress}
	case is[*net.DNSError](err): // even if it was slow: the name is what to look at
		return &Error{Kind: FailedDNS}
	case ctx.Err() != nil, timedOut(err):
		return &Error{Kind: FailedTimeout}
	case errors.Is(err, http.ErrSchemeMismatch), is[*tls.CertificateVerificationError](err), is[x509.UnknownAuthorityError](err), is[x509.HostnameError](err),
		is[x509.CertificateInvalidError](err), is[tls.RecordHeaderError](err), is[tls.AlertError](err):
		return &Error{Kind: FailedTLS}
	}
	return &Error{Kind: FailedConnection}
}

// is reports whether an error of type E is in err's tree.
func is[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
