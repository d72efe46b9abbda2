package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// KeysOf finds the keys of a configured issuer; it does no I/O. An error means
// that inline keys cannot be used.
type KeysOf func(config.Issuer) (Keys, error)

// Options are what a policy is compiled with.
type Options struct {
	KeysOf KeysOf
	Cache  *Cache           // nil: none
	Replay dpop.Replay      // of DPoP proofs; needed where a configuration has dpop
	Now    func() time.Time // nil: time.Now
}

var (
	sourceKinds = [...]token.SourceKind{
		config.FromHeader: token.Header, config.FromCookie: token.Cookie, config.FromQuery: token.Query,
	}
	formats = [...]identity.Format{
		config.Plain: claim.Plain, config.JSON: claim.JSON, config.Base64: claim.Base64,
	}
	dpopStyles = [...]refusal.DPoP{
		config.Off: refusal.DPoPOff, config.Allow: refusal.DPoPAllowed, config.Require: refusal.DPoPRequired,
	}
	errorFormats = [...]refusal.Format{
		config.FormatJSON: refusal.JSON, config.FormatProblem: refusal.Problem, config.FormatNone: refusal.None,
	}
)

var errNoReplay = errors.New("dpop needs a memory of proofs")

// Compile makes the policy of a configuration. An error means that the
// configuration passed [config.Parse] and cannot be used all the same; the
// caller denies with it.
func Compile(conf *config.Config, opt Options) (*Policy, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	p := &Policy{
		conf: conf,
		style: refusal.Style{
			Realm: conf.Realm, Format: errorFormats[conf.ErrorFormat],
			ResourceMetadata: conf.ResourceMetadata, DPoP: dpopStyles[conf.DPoP],
		},
		issuers: map[string]*issuer{},
		replay:  opt.Replay,
		now:     opt.Now,
		cache:   opt.Cache,
		id:      lastPolicy.Add(1),
	}
	if conf.DPoP != config.Off && opt.Replay == nil {
		return nil, errNoReplay
	}
	for i, iss := range conf.Issuers {
		if len(iss.Secrets) > 0 {
			p.issuers[iss.Issuer] = &issuer{Issuer: iss}
			continue
		}
		keys, err := opt.KeysOf(iss)
		if err != nil {
			return nil, fmt.Errorf("issuer %d: %w", i, err)
		}
		p.issuers[iss.Issuer] = &issuer{Issuer: iss, keys: keys}
	}
	for _, s := range conf.TokenFrom {
		p.sources = append(p.sources, token.Source{Kind: sourceKinds[s.Kind], Name: s.Name, Scheme: s.Scheme})
	}
	// The scheme of bound tokens is read beside whatever else is.
	byDPoP := token.Source{Kind: token.Header, Name: "authorization", Scheme: "DPoP"}
	if conf.DPoP != config.Off && !slices.ContainsFunc(p.sources, func(s token.Source) bool {
		return s.Kind == byDPoP.Kind && s.Name == byDPoP.Name && (s.Scheme == "" || strings.EqualFold(s.Scheme, byDPoP.Scheme))
	}) {
		p.sources = append(p.sources, byDPoP)
	}
	if err := p.compileClaims(); err != nil {
		return nil, err
	}
	if err := p.compileIdentity(); err != nil {
		return nil, err
	}
	p.chooseChecks()
	p.tokenDecides = conf.MaxAuthAge == 0 && conf.DPoP == config.Off && conf.MTLS != config.Require &&
		!slices.ContainsFunc(conf.Rules, func(r config.Rule) bool { return !r.Expression.Pure })
	return p, nil
}

// chooseChecks lists what the configuration asks for, in the order of the
// contract.
func (p *Policy) chooseChecks() {
	for _, c := range []struct {
		asked bool
		check func(*subject) *refusal.Refusal
	}{
		{len(p.conf.Organizations) > 0, p.checkOrganization},
		{len(p.conf.AllowedClients) > 0, p.checkClient},
		{p.conf.RequireMFA || len(p.conf.ACRValues) > 0 || p.conf.MaxAuthAge > 0, p.checkStepUp},
		{len(p.conf.RequiredScopes) > 0, p.checkScopes},
		{len(p.conf.RequiredPermissions) > 0, p.checkPermissions},
		{len(p.claims) > 0, p.checkClaims},
		{p.conf.ClaimSchema != nil, p.checkSchema},
		{len(p.conf.Rules) > 0, p.checkRules},
	} {
		if c.asked {
			p.authorise = append(p.authorise, c.check)
		}
	}
}

func (p *Policy) compileClaims() error {
	for _, c := range p.conf.Claims {
		ref, ok := claim.ParseRef(c.Claim)
		if !ok {
			return fmt.Errorf("claim %q is no name and no JSON Pointer", c.Claim)
		}
		e := expectation{ref: ref, Expectation: claim.Expectation{
			Equals: c.Equals, OneOf: c.OneOf, Contains: c.Contains,
			ContainsAll: c.ContainsAll, ContainsAny: c.ContainsAny, Exists: c.Exists,
		}}
		if c.Matches != "" {
			var err error
			if e.Matches, err = claim.CompileMatches(c.Matches); err != nil {
				return fmt.Errorf("claim %q: %w", c.Claim, err)
			}
		}
		p.claims = append(p.claims, e)
	}
	return nil
}

func (p *Policy) compileIdentity() error {
	headers := make([]identity.ClaimHeader, len(p.conf.ClaimHeaders))
	for i, h := range p.conf.ClaimHeaders {
		ref, ok := claim.ParseRef(h.Claim)
		if !ok {
			return fmt.Errorf("claim %q is no name and no JSON Pointer", h.Claim)
		}
		headers[i] = identity.ClaimHeader{Name: h.Header, Claim: ref, Format: formats[h.Format], Required: h.Required}
	}
	p.plan = identity.NewPlan(headers, p.conf.ClaimsHeader, p.conf.TokenHeader, p.conf.StripHeaders, p.conf.ForwardToken)
	return nil
}
