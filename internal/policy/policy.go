// Package policy compiles a configuration and decides requests by it: a
// decision is a pure function of the policy, the request and the keys at hand.
// It must not know wires, servers or net/http.
package policy

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

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

// Forward reports whether the request is forwarded, and with which edits.
func (d Decision) Forward() (identity.Edits, bool) { return d.edits, d.forward }

// Refusal is why it is not.
func (d Decision) Refusal() refusal.Refusal { return d.refusal }

// Policy is one route's compiled configuration. It is immutable. The zero
// Policy denies everything.
type Policy struct {
	invalid error // why there is none, for the log
	conf    *config.Config
	style   refusal.Style
	sources []token.Source
	issuers map[string]*issuer
	plan    *identity.Plan
	checks  [numStages][]*Check // those that the configuration asks for
	replay  dpop.Replay
	now     func() time.Time

	cache     *Cache // nil is none
	id        uint64
	remembers bool // the decisions about some tokens may be remembered
}

type issuer struct {
	config.Issuer
	keys Keys // nil where a client_secret verifies
}

// Deny is the policy of a route whose configuration is not valid.
func Deny(why error) *Policy {
	return &Policy{invalid: why, style: refusal.Style{Realm: config.DefaultRealm}}
}

// Err is why the policy denies everything, or nil.
func (p *Policy) Err() error { return p.invalid }

// Style is how refusals of this route are written.
func (p *Policy) Style() refusal.Style { return p.style }

// Decide runs the checks of [Checks] in their order; the first that fails
// answers.
func (p *Policy) Decide(req Request) Decision {
	s, _ := subjects.Get().(*subject)
	defer s.release()
	s.req, s.now = req, p.clock()
	return p.decide(s)
}

func (p *Policy) decide(s *subject) Decision {
	if d, ended := p.walk(s, Find); ended {
		return d
	}
	if d, ok := p.known(s); ok {
		return d
	}
	if d, ended := p.walk(s, Read); ended {
		return d
	}
	if d, ended := p.walk(s, Prove); ended {
		return d
	}
	p.rememberToken(s)
	if d, ended := p.walk(s, Authorise); ended {
		return d
	}
	p.rememberDecision(s)
	return Decision{forward: true, edits: p.plan.Verified(s.req, s.found.Source, s.set), reports: s.reports}
}
