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
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// Request is a request to explain. It is a [policy.Request].
type Request struct {
	Verb        string
	URL         *url.URL // as the client sees it
	Headers     [][2]string
	Certificate []byte // PEM; of a client that shows one
}

var errNoVar = errors.New("explain knows scheme, http_host, request_uri and ssl_client_raw_cert")

// Context implements [policy.Request], as the methods below do.
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

// Var gives the variables that decisions ask for.
func (r *Request) Var(name string) ([]byte, error) {
	switch name {
	case "scheme":
		return []byte(r.URL.Scheme), nil
	case "http_host":
		return []byte(r.URL.Host), nil
	case "request_uri":
		return []byte(r.URL.RequestURI()), nil
	case "ssl_client_raw_cert":
		return r.Certificate, nil
	}
	return nil, errNoVar
}

// Carry puts a token where a configuration looks first.
func (r *Request) Carry(c *config.Config, token string) {
	s := c.TokenFrom[0]
	switch s.Kind {
	case config.FromHeader:
		if c.DPoP != config.Off && slices.ContainsFunc(r.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], "dpop") }) {
			s.Name, s.Scheme = "authorization", "DPoP"
		}
		if s.Scheme != "" {
			token = s.Scheme + " " + token
		}
		r.Headers = append(r.Headers, [2]string{s.Name, token})
	case config.FromCookie:
		r.Headers = append(r.Headers, [2]string{"cookie", s.Name + "=" + token})
	case config.FromQuery:
		q := r.URL.Query()
		q.Set(s.Name, token)
		r.URL.RawQuery = q.Encode()
	}
}

// check is one row of the table of checks.
type check struct {
	number, text string
	kinds        []refusal.Kind
	asked        func(*config.Config) bool // nil: always
}

var checks = []check{
	{"0", "the configuration was read without error", []refusal.Kind{refusal.ConfigInvalid}, nil},
	{"1", "fewer than 100 headers", []refusal.Kind{refusal.TooManyHeaders}, nil},
	{"2", "one token in one place", []refusal.Kind{refusal.MultipleTokens}, nil},
	{"3", "a token is there", []refusal.Kind{refusal.MissingToken}, nil},
	{"4", "the token is well-formed", []refusal.Kind{refusal.MalformedToken}, nil},
	{"5", "alg is allowed", []refusal.Kind{refusal.AlgNotAllowed}, nil},
	{"6", "typ fits token_profile", []refusal.Kind{refusal.TypNotAllowed}, nil},
	{"7", "iss is a configured issuer", []refusal.Kind{refusal.UnknownIssuer}, nil},
	{"8", "the issuer's keys are at hand", []refusal.Kind{refusal.KeysUnavailable}, nil},
	{"9", "a key fits", []refusal.Kind{refusal.UnknownKey}, nil},
	{"10", "the signature", []refusal.Kind{refusal.BadSignature}, nil},
	{"11", "exp, nbf, iat", []refusal.Kind{refusal.Expired, refusal.NotYetValid, refusal.TooOld}, nil},
	{"12", "aud", []refusal.Kind{refusal.BadAudience}, nil},
	{"13", "DPoP binding", []refusal.Kind{refusal.DPoPFailed}, nil},
	{"13a", "certificate binding", []refusal.Kind{refusal.MTLSFailed}, nil},
	{"14", "organizations", []refusal.Kind{refusal.WrongOrganization}, func(c *config.Config) bool { return c.Organizations != nil }},
	{"14", "allowed_clients", []refusal.Kind{refusal.WrongClient}, func(c *config.Config) bool { return c.AllowedClients != nil }},
	{"15", "require_mfa, acr_values, max_auth_age", []refusal.Kind{refusal.StepUpRequired}, func(c *config.Config) bool {
		return c.RequireMFA || c.ACRValues != nil || c.MaxAuthAge > 0
	}},
	{"16", "scopes, permissions", []refusal.Kind{refusal.InsufficientScope}, func(c *config.Config) bool {
		return c.RequiredScopes != nil || c.RequiredPermissions != nil
	}},
	{"17", "claims", []refusal.Kind{refusal.ClaimMismatch}, func(c *config.Config) bool { return c.Claims != nil }},
	{"17", "claim_schema", []refusal.Kind{refusal.SchemaMismatch}, func(c *config.Config) bool { return c.ClaimSchema != nil }},
	{"17", "rules", []refusal.Kind{refusal.RuleDenied}, func(c *config.Config) bool { return c.Rules != nil }},
	{"18", "claim_headers", []refusal.Kind{refusal.ClaimHeaderFailed}, func(c *config.Config) bool { return c.ClaimHeaders != nil }},
}

// Explain writes every check with its outcome, then the edits or the answer.
// The token itself is not written; claims are where a header carries them.
func Explain(w io.Writer, c *config.Config, p *policy.Policy, req policy.Request) error {
	out := &printer{w: w}
	d := p.Decide(req)
	edits, forward := d.Forward()
	refused := d.Refusal()
	reached := true
	for _, row := range checks {
		outcome := "ok"
		switch {
		case !reached:
			outcome = "not reached"
		case !forward && slices.Contains(row.kinds, refused.Kind):
			outcome, reached = "FAILED "+refused.Kind.Reason(), false
			if refused.Cause != "" {
				outcome += " (" + refused.Cause + ")"
			}
		case row.asked != nil && !row.asked(c):
			outcome = "not asked"
		case forward && row.number == "3" && !p.Carries(req):
			outcome, reached = "none, and the route lets that pass", false
		}
		out.printf("%-4s %-40s %s\n", row.number, row.text, outcome)
	}
	for _, i := range d.Reports() {
		out.printf("     rules[%d] has report_only and would have denied\n", i)
	}
	if !forward {
		if reached { // an internal error is no check's
			out.printf("     FAILED %s (%s)\n", refused.Kind.Reason(), refused.Cause)
		}
		out.answer(refused.Answer(p.Style()))
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
