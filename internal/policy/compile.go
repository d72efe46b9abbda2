package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
			Realm: conf.Realm, Format: conf.ErrorFormat, ResourceMetadata: conf.ResourceMetadata,
			DPoP: conf.DPoP != config.Off, NoBearer: conf.DPoP == config.Require,
		},
		sources: slices.Clone(conf.TokenFrom),
		plan:    identity.NewPlan(conf.ClaimHeaders, conf.ClaimsHeader, conf.TokenHeader, conf.StripHeaders, conf.ForwardToken),
		checks:  asked(conf),
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
	// The scheme of bound tokens is read beside whatever else is.
	byDPoP := token.Source{Kind: token.Header, Name: "authorization", Scheme: dpopScheme}
	if conf.DPoP != config.Off && !slices.ContainsFunc(p.sources, func(s token.Source) bool {
		return s.Kind == byDPoP.Kind && s.Name == byDPoP.Name && (s.Scheme == "" || strings.EqualFold(s.Scheme, byDPoP.Scheme))
	}) {
		p.sources = append(p.sources, byDPoP)
	}
	p.remembers = p.reads(nil)&^repeated == 0
	return p, nil
}
