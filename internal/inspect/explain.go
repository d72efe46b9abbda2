package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
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

// outcomes are how the walk says how a check ended; a refusal says more.
var outcomes = map[policy.Outcome]string{
	policy.NotReached: "not reached", policy.NotAsked: "not asked", policy.Passed: "ok",
	policy.LetPass: "no token, and the route lets that pass",
}

// Explain writes the walk through the table of checks as it was walked, then
// the edits or the answer. The token itself is not written; claims are where a
// header carries them.
func Explain(w io.Writer, c *config.Config, g *gate.Gate, r *gate.Route, req gate.Request) error {
	out := &printer{w: w}
	d, steps := g.Explain(r, req)
	for _, step := range steps {
		outcome := outcomes[step.Outcome]
		if refused := step.Refusal; step.Outcome == policy.Refused {
			outcome = "FAILED " + refused.Kind.Reason()
			if refused.Cause != "" {
				outcome += " (" + refused.Cause + ")"
			}
		}
		out.printf("%-4s %-40s %s\n", step.Check.Number, step.Check.Name, outcome)
	}
	for _, i := range d.Reports() {
		out.printf("     rules[%d] has report_only and would have denied\n", i)
	}
	edits, forward := d.Forward()
	if !forward {
		out.answer(r.Answer(d.Refusal()))
		return out.err
	}
	out.printf("\nforwarded, with these edits\n")
	for _, name := range edits.DeleteHeaders {
		out.printf("delete header %s\n", name)
	}
	for _, h := range edits.SetHeaders {
		value := h.Value
		if strings.EqualFold(h.Name, c.TokenHeader) {
			value = "(the token)"
		}
		out.printf("set header %s: %s\n", h.Name, value)
	}
	for _, name := range edits.DeleteArgs {
		out.printf("delete argument %s\n", name)
	}
	return out.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) answer(a refusal.Answer) {
	p.printf("\nthe client gets\nstatus %d\n", a.Status)
	for _, h := range a.Headers {
		p.printf("%s: %s\n", h.Name, h.Value)
	}
	p.printf("\n%s\n", a.Body)
}
