package inspect

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Request is a request to explain. It is a [gate.Request].
type Request struct {
	Verb        string
	URL         *url.URL // as the client sees it
	Headers     [][2]string
	Certificate []byte // PEM; of a client that shows one
}

var errNoVar = errors.New("explain knows scheme, http_host, host, real_request_uri, request_uri and ssl_client_raw_cert")

// Context implements [gate.Request], as the methods below do.
func (*Request) Context() context.Context { return context.Background() }

// Method is the HTTP method.
func (r *Request) Method() string { return r.Verb }

// Path is the decoded path.
func (r *Request) Path() string { return r.URL.Path }

// IP is not known.
func (*Request) IP() string { return "" }

// HeadersShown is the number of headers that APISIX shows.
func (r *Request) HeadersShown() int { return len(r.Headers) }

// NumHeader is the number of headers.
func (r *Request) NumHeader() int { return len(r.Headers) }

// HeaderName is the name of one of them.
func (r *Request) HeaderName(i int) []byte { return []byte(r.Headers[i][0]) }

// HeaderValue is the value of one of them.
func (r *Request) HeaderValue(i int) string { return r.Headers[i][1] }

// Args are the values of one query argument.
func (r *Request) Args(name string) []string { return r.URL.Query()[name] }

// Query is all arguments.
func (r *Request) Query() map[string][]string { return r.URL.Query() }

// Edit makes no edits: they are only shown.
func (*Request) Edit(identity.Edits) error { return nil }

// PathBytes is the decoded path.
func (r *Request) PathBytes() []byte { return []byte(r.URL.Path) }

// Body is not known.
func (*Request) Body(context.Context, int) ([]byte, error) { return nil, errNoBody }

// AddResponseHeader does nothing: nothing is forwarded.
func (*Request) AddResponseHeader(string, string) {}

var errNoBody = errors.New("explain knows no body")

// Var gives the variables that decisions ask for.
func (r *Request) Var(name string) ([]byte, error) {
	switch name {
	case "scheme":
		return []byte(r.URL.Scheme), nil
	case "http_host":
		return []byte(r.URL.Host), nil
	case "host":
		return []byte(strings.ToLower(strings.TrimSuffix(r.URL.Host, ":"+r.URL.Port()))), nil
	case "real_request_uri", "request_uri":
		return []byte(r.URL.RequestURI()), nil
	case "ssl_client_raw_cert":
		return r.Certificate, nil
	}
	return nil, errNoVar
}

// Carry puts a token where a configuration looks first.
func (r *Request) Carry(c *config.Config, raw string) {
	s := c.TokenFrom[0]
	switch s.Kind {
	case token.Header:
		if c.DPoP != config.Off && slices.ContainsFunc(r.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], "dpop") }) {
			s.Name, s.Scheme = "authorization", "DPoP"
		}
		if s.Scheme != "" {
			raw = s.Scheme + " " + raw
		}
		r.Headers = append(r.Headers, [2]string{s.Name, raw})
	case token.Cookie:
		r.Headers = append(r.Headers, [2]string{"cookie", s.Name + "=" + raw})
	case token.Query:
		q := r.URL.Query()
		q.Set(s.Name, raw)
		r.URL.RawQuery = q.Encode()
	}
}

// Pasted is a token as somebody pastes it: without white space and quotation
// marks around it, and without what stands before it in a header. note says what
// was left out, or is "".
func Pasted(text string) (raw, note string) {
	raw = strings.Trim(strings.TrimSpace(text), `"'`)
	raw = strings.TrimSpace(raw)
	if rest, ok := cutPrefixFold(raw, "authorization:"); ok {
		raw, note = strings.TrimSpace(rest), "Authorization:"
	}
	for _, scheme := range []string{"Bearer", "DPoP"} {
		if rest, ok := cutPrefixFold(raw, scheme+" "); ok {
			raw, note = strings.TrimSpace(rest), strings.TrimSpace(note+" "+scheme)
		}
	}
	if note != "" {
		note = "the token was given with " + strconv.Quote(note+" ") + " before it, which was left out: a client that puts the scheme before such a text sends it twice, and is refused"
	}
	return raw, note
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
