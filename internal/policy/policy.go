// Package policy compiles a configuration and decides requests by it. Whether
// a request may pass is a pure function: compiled policy, request, evidence and
// time in, decision out. It reads no clock, waits for nothing and remembers
// nothing; it must not know where evidence comes from, wires, or net/http.
package policy

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Decision is the outcome for one request. The zero Decision is a refusal.
type Decision struct {
	forward bool
	session bool // the token that was judged is a session's
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

// OfSession reports whether the decision is about a session's token.
func (d Decision) OfSession() bool { return d.session }

// Refusal is why it is not.
func (d Decision) Refusal() refusal.Refusal { return d.refusal }

// Policy is one route's compiled configuration. It is immutable. The zero
// Policy denies everything.
type Policy struct {
	invalid error // why there is none, for the log
	conf    *config.Config
	style   refusal.Style
	sources []token.Source
	issuers map[string]int // by name: which of the configuration's
	plan    *identity.Plan
	checks  [numStages][]*Check // those that the configuration asks for
	idToken bool                // a check reads it
}

// Deny is the policy of a route whose configuration is not valid.
func Deny(why error) *Policy {
	return &Policy{invalid: why, style: refusal.Style{Realm: config.DefaultRealm}}
}

// Compile makes the policy of a configuration.
func Compile(conf *config.Config) *Policy {
	p := &Policy{
		conf: conf,
		style: refusal.Style{
			Realm: conf.Realm, Format: conf.ErrorFormat, ResourceMetadata: conf.ResourceMetadata,
			DPoP: conf.DPoP != config.Off, NoBearer: conf.DPoP == config.Require,
		},
		sources: slices.Clone(conf.TokenFrom),
		issuers: map[string]int{},
		plan:    identity.NewPlan(settings(conf)),
		checks:  asked(conf),
		idToken: conf.ReadsIDToken(),
	}
	for i := range conf.Issuers {
		p.issuers[conf.Issuers[i].Issuer] = i
	}
	// The scheme of bound tokens is read beside whatever else is.
	byDPoP := token.Source{Kind: token.Header, Name: "authorization", Scheme: dpopScheme}
	if conf.DPoP != config.Off && !slices.ContainsFunc(p.sources, func(s token.Source) bool {
		return s.Kind == byDPoP.Kind && s.Name == byDPoP.Name && (s.Scheme == "" || strings.EqualFold(s.Scheme, byDPoP.Scheme))
	}) {
		p.sources = append(p.sources, byDPoP)
	}
	return p
}

func settings(conf *config.Config) identity.Settings {
	s := identity.Settings{
		ClaimHeaders: conf.ClaimHeaders, ClaimsHeader: conf.ClaimsHeader, TokenHeader: conf.TokenHeader, Strip: conf.StripHeaders,
		ForwardToken: conf.ForwardToken,
	}
	if conf.Login != nil {
		s.ForwardAccessToken, s.Cookies = conf.Login.ForwardAccessToken, conf.Login.CookieNames()
	}
	return s
}

// Err is why the policy denies everything, or nil.
func (p *Policy) Err() error { return p.invalid }

// Style is how refusals of this route are written.
func (p *Policy) Style() refusal.Style { return p.style }

// Remembers reports whether decisions about some tokens may be remembered.
func (p *Policy) Remembers() bool { return p.conf != nil && p.reads(nil)&^repeated == 0 }
