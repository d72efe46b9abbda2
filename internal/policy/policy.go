// Package policy compiles a configuration and decides requests by it: a
// decision is a pure function of the policy, the request and the keys at hand.
// It must not know wires, servers or net/http.
package policy

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// MaxHeadersShown is how many header entries APISIX shows a plugin; from there
// on it hides the rest (ngx.req.get_headers in apisix/core/request.lua).
const MaxHeadersShown = 100

// Keys finds verification keys. Errors are those of [jwks.Provider.Key].
type Keys interface {
	Key(ctx context.Context, kid string, hasKid bool, alg string) (jwks.Key, error)
	Generation(now time.Time) (uint64, bool)
}

// Decision is the outcome for one request. The zero Decision is a refusal.
type Decision struct {
	forward bool
	refusal refusal.Refusal
	edits   identity.Edits
	reports []int
}

// Reports are the indices of rules with report_only that do not hold for the
// request; they had no part in the decision.
func (d Decision) Reports() []int { return d.reports }

// Refuse decides against a request.
func Refuse(r refusal.Refusal) Decision { return Decision{refusal: r} }

func refuse(kind refusal.Kind) Decision { return Refuse(refusal.Refusal{Kind: kind}) }

// Forward tells whether the request goes on, and with which edits.
func (d Decision) Forward() (identity.Edits, bool) { return d.edits, d.forward }

// Refusal is why it does not.
func (d Decision) Refusal() refusal.Refusal { return d.refusal }

// Policy is one route's compiled configuration. It is immutable. The zero
// Policy denies everything.
type Policy struct {
	invalid   error // why there is none, for the log
	conf      *config.Config
	style     refusal.Style
	sources   []token.Source
	issuers   map[string]*issuer
	claims    []expectation
	plan      *identity.Plan
	authorise []func(*subject) *refusal.Refusal
	replay    dpop.Replay
	now       func() time.Time

	cache        *Cache // nil is none
	id           uint64
	tokenDecides bool // nothing but the token and the time has a say
}

type issuer struct {
	config.Issuer
	keys    Keys // nil where a client_secret verifies
	flights [8]singleflight.Group
}

// Deny is the policy of a route whose configuration is not valid.
func Deny(why error) *Policy {
	return &Policy{invalid: why, style: refusal.Style{Realm: config.DefaultRealm}}
}

// Err is why the policy denies everything, or nil.
func (p *Policy) Err() error { return p.invalid }

// Carries tells whether a request holds one token where the policy looks.
func (p *Policy) Carries(req Request) bool {
	found, err := token.Extract(p.sources, req)
	return err == nil && found.Raw != ""
}

// Style is how refusals of this route are written.
func (p *Policy) Style() refusal.Style { return p.style }

// Decide runs the checks in the order of the contract; the first that fails
// answers.
func (p *Policy) Decide(req Request) Decision {
	if p.conf == nil {
		return refuse(refusal.ConfigInvalid)
	}
	if req.HeadersShown() >= MaxHeadersShown {
		return refuse(refusal.TooManyHeaders)
	}
	found, err := token.Extract(p.sources, req)
	if err != nil {
		return refuse(refusal.MultipleTokens)
	}
	if found.Raw == "" {
		if p.conf.PassUnauthenticated || p.conf.BypassCORSPreflight && isPreflight(req) {
			return Decision{forward: true, edits: p.plan.Anonymous(req)}
		}
		return refuse(refusal.MissingToken)
	}
	if d, ok := p.known(req, found); ok {
		return d
	}
	s := &subject{req: req, found: found, now: p.now()}
	edits, r := p.judge(s)
	if r != nil {
		r.DPoP = p.conf.DPoP != config.Off && s.byDPoP()
		return Decision{refusal: *r, reports: s.reports}
	}
	return Decision{forward: true, edits: edits, reports: s.reports}
}

// subject is one request with a token, while it is judged.
type subject struct {
	req     Request
	found   token.Found
	now     time.Time
	tok     *token.Untrusted // verified, once there
	reports []int

	proof proof // what the cache may remember
}

// byDPoP tells that the token came with the scheme DPoP (RFC 9449 section 7.1).
func (s *subject) byDPoP() bool { return strings.EqualFold(s.found.Source.Scheme, "DPoP") }

func (p *Policy) judge(s *subject) (identity.Edits, *refusal.Refusal) {
	if r := p.verify(s); r != nil {
		return identity.Edits{}, r
	}
	for _, check := range p.authorise {
		if r := check(s); r != nil {
			return identity.Edits{}, r
		}
	}
	set, failed := p.plan.FromToken(s.tok)
	if failed != "" {
		return identity.Edits{}, &refusal.Refusal{
			Kind:        refusal.ClaimHeaderFailed,
			Description: "the required claim " + failed + " has no value that fits a header",
		}
	}
	p.remember(s, set)
	return p.plan.Verified(s.req, s.found.Source, set), nil
}

// isPreflight tells a CORS pre-flight (Fetch standard, "CORS-preflight
// request") by its method and both headers.
func isPreflight(req Request) bool {
	var origin, method bool
	for i := range req.NumHeader() {
		name := req.HeaderName(i)
		origin = origin || fold.Equal(name, "Origin")
		method = method || fold.Equal(name, "Access-Control-Request-Method")
	}
	return req.Method() == "OPTIONS" && origin && method
}
