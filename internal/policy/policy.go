// Package policy compiles a configuration and decides requests by it: a
// decision is a pure function of the policy, the request and the keys at hand.
// It must not know wires, servers or net/http.
package policy

import (
	"context"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
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
}

// Decision is the outcome for one request. The zero Decision is a refusal.
type Decision struct {
	forward bool
	refusal refusal.Refusal
	edits   identity.Edits
}

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
	authorise []func(*token.Untrusted) *refusal.Refusal
	now       func() time.Time
}

type issuer struct {
	config.Issuer
	keys Keys
}

// Deny is the policy of a route whose configuration is not valid.
func Deny(why error) *Policy {
	return &Policy{invalid: why, style: refusal.Style{Realm: config.DefaultRealm}}
}

// Err is why the policy denies everything, or nil.
func (p *Policy) Err() error { return p.invalid }

// Style is how refusals of this route are written.
func (p *Policy) Style() refusal.Style { return p.style }

// Decide runs the checks in the order of the contract; the first that fails
// answers.
func (p *Policy) Decide(req Request) Decision {
	if p.conf == nil {
		return refuse(refusal.ConfigInvalid)
	}
	if req.NumHeader() >= MaxHeadersShown {
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
	tok, r := p.verify(req, found.Raw)
	if r != nil {
		return Refuse(*r)
	}
	for _, check := range p.authorise {
		if r := check(tok); r != nil {
			return Refuse(*r)
		}
	}
	edits, failed := p.plan.Verified(req, tok, found.Source)
	if failed != "" {
		return Refuse(refusal.Refusal{
			Kind:        refusal.ClaimHeaderFailed,
			Description: "the required claim " + failed + " has no value that fits a header",
		})
	}
	return Decision{forward: true, edits: edits}
}

// isPreflight tells a CORS pre-flight (Fetch standard, "CORS-preflight
// request") by its method and both headers.
func isPreflight(req Request) bool {
	var origin, method bool
	for i := range req.NumHeader() {
		name, _ := req.Header(i)
		origin = origin || strings.EqualFold(name, "Origin")
		method = method || strings.EqualFold(name, "Access-Control-Request-Method")
	}
	return req.Method() == "OPTIONS" && origin && method
}
