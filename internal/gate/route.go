package gate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// Keys finds an issuer's verification keys. Errors are those of
// [jwks.Provider.Key]. Equal values are the same provider.
type Keys interface {
	Key(ctx context.Context, kid string, hasKid bool, alg string) (jwks.Key, error)
	Generation(now time.Time) (uint64, bool)
}

// lastRoute numbers routes, whichever gate they are of: gates may share a cache.
var lastRoute atomic.Uint64

// Route is one configuration, ready to judge by.
type Route struct {
	policy    *policy.Policy
	answers   *refusal.Answers
	issuers   []issuer // in the configuration's order
	number    uint64   // no two routes have the same, so that none finds another's decisions
	remembers bool
	metadata  *metadata     // nil is none
	records   *routeRecords // nil is those of a route that nobody compiled

	flow         *flow         // nil without login
	login        *config.Login // likewise
	sendsToLogin bool          // those that ask for a page, by unauth_action
	readsIDToken bool
}

type issuer struct {
	keys    Keys // nil where secrets verify
	secrets []*secret.Secret
}

// Deny is a route that denies every request.
func Deny(why error) *Route { return newRoute(policy.Deny(why)) }

func newRoute(p *policy.Policy) *Route {
	return &Route{policy: p, answers: p.Style().Answers(), number: lastRoute.Add(1)}
}

// errNoRoute is why a route that nobody compiled denies.
var errNoRoute = errors.New("no configuration was read")

// or is r, or where it is none a route that denies.
func (r *Route) or() *Route {
	if r == nil || r.policy == nil {
		return Deny(errNoRoute)
	}
	return r
}

// retryAfter is how long a runner waits before it reads a configuration again
// whose problem may pass.
const retryAfter = 5 * time.Second

// RetryAfter is how long to wait before the same configuration is read again:
// it could not be used for a reason outside of its text, such as a secret's file
// that is not there yet. 0 is never.
func (r *Route) RetryAfter() time.Duration {
	if broken, ok := errors.AsType[*config.Error](r.Err()); ok && broken.MayPass() {
		return retryAfter
	}
	return 0
}

// Err is why the route denies every request, or nil.
func (r *Route) Err() error { return r.or().policy.Err() }

// Answer is a refusal as the route writes it; see [refusal.Answers.Of].
func (r *Route) Answer(refused refusal.Refusal) refusal.Answer {
	return r.or().answers.Of(refused)
}

// Compile reads a configuration. It never fails: a configuration that cannot
// be used becomes a route that denies. It does no I/O but for secrets' files;
// issuers' keys are fetched in the background.
func (g *Gate) Compile(document []byte) *Route { return g.CompileFor("", document) }

// CompileFor is [Gate.Compile] for the route that APISIX calls key, which names
// it in the log where the configuration gives no name.
func (g *Gate) CompileFor(key string, document []byte) (r *Route) {
	name := nameIn(document)
	log := g.opt.Logger.With("route", labelOf(name, key))
	defer func() { r.records = g.records.of(name, key) }()
	defer func() {
		if caught := recover(); caught != nil {
			log.Error("reading a configuration panicked; its route denies every request", "panic", fmt.Sprintf("%T", caught))
			r = Deny(errPanic)
		}
	}()
	conf, err := config.Parse(document, g.opt.Config)
	if err == nil {
		for _, w := range conf.Warnings {
			log.Warn("configuration", "warning", w)
		}
		r, err = g.Route(conf, nil)
	}
	if err != nil {
		log.Error("the configuration of a route is not valid; the route denies every request", "errors", err.Error())
		return Deny(err)
	}
	return r
}

var errPanic = errors.New("reading the configuration panicked")

// KeysOf finds the keys of a configured issuer; it does no I/O. An error means
// that inline keys cannot be used.
type KeysOf func(config.Issuer) (Keys, error)

// Route makes the route of a configuration. A nil keysOf takes the keys in the
// configuration, or the shared provider's.
func (g *Gate) Route(conf *config.Config, keysOf KeysOf) (*Route, error) {
	if keysOf == nil {
		keysOf = g.keysOf
	}
	r := newRoute(policy.Compile(conf))
	r.remembers = r.policy.Remembers()
	var err error
	if r.metadata, err = metadataOf(conf); err != nil {
		return nil, err
	}
	for n, i := range conf.Issuers {
		own := issuer{secrets: i.Secrets}
		if len(i.Secrets) == 0 {
			if own.keys, err = keysOf(i); err != nil {
				return nil, fmt.Errorf("issuer %d: %w", n, err)
			}
		}
		r.issuers = append(r.issuers, own)
	}
	if conf.Login != nil {
		if r.flow, err = g.flowOf(conf, r.issuers[0].keys); err != nil {
			return nil, err
		}
		r.login, r.sendsToLogin, r.readsIDToken = conf.Login, conf.UnauthAction == config.UnauthAuth, conf.ReadsIDToken()
	}
	return r, nil
}

func (g *Gate) keysOf(i config.Issuer) (Keys, error) {
	if i.JWKS != nil {
		return jwks.Static(i.JWKS)
	}
	return g.registry.Provider(jwks.Source{
		Issuer: i.Issuer, DiscoveryURL: i.DiscoveryURL, JWKSURI: i.JWKSURI, SSLVerify: i.SSLVerify,
	}), nil
}
