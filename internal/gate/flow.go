package gate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// flow is the login of an application, which all routes share whose login and
// issuer are the same.
type flow struct {
	*login.Flow
	sessions sessions
	client   *oidc.Client
	// keepsIDToken is raised by the first route that reads ID tokens. Sessions
	// that began before have none until they are refreshed.
	keepsIDToken atomic.Bool
}

// sessions are a store that can also say what it knows at once.
type sessions interface {
	login.Sessions
	// Known is Open where nothing has to be opened or asked for. It allocates
	// nothing; known is false where only Open can tell.
	Known(lines []string, now time.Time) (s *session.Session, known bool)
}

// flows are those in use. Routes are never closed, so that they hold their flow
// and nothing here does.
type flows struct {
	mu     sync.Mutex
	closed bool
	held   map[[32]byte]weak.Pointer[flow]
}

// shared is the flow of that key; where there is none, it is made.
func (f *flows) shared(key [32]byte, build func() (*flow, error)) (*flow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared := f.held[key].Value(); shared != nil {
		return shared, nil
	}
	fresh, err := build()
	if err != nil {
		return nil, err
	}
	if f.closed {
		fresh.client.Close()
		return fresh, nil
	}
	if f.held == nil {
		f.held = map[[32]byte]weak.Pointer[flow]{}
	}
	f.held[key] = weak.Make(fresh)
	runtime.AddCleanup(fresh, f.forget, key)
	return fresh, nil
}

// forget drops a key whose flow is gone, unless it has a new one.
func (f *flows) forget(key [32]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[key].Value() == nil {
		delete(f.held, key)
	}
}

// close ends the fetches under way. Flows in use keep what they have.
func (f *flows) close() {
	f.mu.Lock()
	f.closed = true
	var live []*flow
	for _, held := range f.held {
		if shared := held.Value(); shared != nil {
			live = append(live, shared)
		}
	}
	f.mu.Unlock()
	for _, shared := range live {
		shared.client.Close()
	}
}

// flowKey is what the flow of a configuration depends on. Secrets are in it by
// their references.
func flowKey(conf *config.Config) [32]byte {
	i := conf.Issuers[0]
	text, err := json.Marshal(struct {
		Login                      [32]byte
		Issuer, Discovery, JWKSURI string
		JWKS                       []byte
		SSLVerify                  bool
		Algorithms                 []string
		Audience                   string
		Leeway                     time.Duration
	}{conf.Login.Digest, i.Issuer, conf.Login.DiscoveryURL, i.JWKSURI, i.JWKS, i.SSLVerify, i.Algorithms, conf.Login.Audience, conf.Leeway})
	if err != nil {
		panic(err) // texts and numbers only
	}
	return sha256.Sum256(text)
}

// flowOf is the flow of a configuration with login. Keys are those of its
// issuer.
func (g *Gate) flowOf(conf *config.Config, keys Keys) (*flow, error) {
	f, err := g.flows.shared(flowKey(conf), func() (*flow, error) { return g.newFlow(conf, keys) })
	if err != nil {
		return nil, err
	}
	if conf.NeedsIDToken() {
		f.keepsIDToken.Store(true)
	}
	g.opt.Revocations.Keep(conf.Login.Session.AbsoluteTimeout)
	return f, nil
}

func (g *Gate) newFlow(conf *config.Config, keys Keys) (*flow, error) {
	l, issuer := conf.Login, conf.Issuers[0]
	client, err := oidc.New(oidc.Options{
		Issuer: issuer.Issuer, DiscoveryURL: l.DiscoveryURL, SSLVerify: issuer.SSLVerify,
		ClientID: l.ClientID, ClientSecret: valueOf(l.ClientSecret), ClientPrivateKey: valueOf(l.ClientPrivateKey),
		RedirectURI: l.RedirectURI, Scope: l.Scope, Audience: l.Audience, PushedRequests: l.PushedRequests,
		Algorithms: issuer.Algorithms, Keys: keys, Leeway: conf.Leeway,
		Fetch: g.fetcher, Now: g.opt.Now, Logger: g.opt.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	seal := session.NewSealer(l.Session.Secrets, SessionBinding(conf))
	kept := store.Options{
		Memory: g.opt.Sessions, Sealer: seal, Idle: l.Session.IdleTimeout, SameSiteNone: l.Session.SameSiteNone,
		Insecure: l.Insecure, Redis: g.opt.Redis, Now: g.opt.Now,
	}
	f := &flow{client: client}
	var shared *watched // where sessions are in Redis
	switch {
	case !l.Session.Redis:
		f.sessions = store.NewCookies(kept)
	case g.opt.Redis == nil:
		return nil, errNoRedis
	default:
		shared = &watched{store.NewRedis(kept), g.logins, g.opt.Logger}
		f.sessions = shared
	}
	o := login.Options{
		Login: l, Issuer: issuer.Issuer, KeepIDToken: f.keepsIDToken.Load, Leeway: conf.Leeway,
		Provider: counted{client, g.logins}, Sessions: f.sessions, Sealer: sealer{seal},
		Once: g.once, Revocations: g.opt.Revocations,
	}
	if g.opt.Redis != nil {
		o.Ready = func(ctx context.Context) error {
			err := g.opt.Redis.Ping(ctx).Err()
			if shared != nil {
				shared.sawPing(ctx, err)
			}
			return err
		}
	}
	f.Flow = login.New(o)
	return f, nil
}

// SessionBinding is whose the sessions of a configuration with login are.
func SessionBinding(conf *config.Config) session.Binding {
	l := conf.Login
	return session.Binding{
		Cookie: session.CookieName(l.Session.Cookie, l.Insecure), ClientID: l.ClientID, Issuer: conf.Issuers[0].Issuer, Origin: l.Origin,
	}
}

var errNoRedis = fmt.Errorf("login: session.store redis needs the runner's --redis-url")

func valueOf(s *secret.Secret) oidc.Secret {
	if s == nil {
		return nil
	}
	return s.Value
}

// sealer gives states and transactions the keys of sessions.
type sealer struct{ *session.Sealer }

func (s sealer) First(now time.Time) login.Key { return sealingKey{s.Sealer.First(now)} }

func (s sealer) Open(text string, now time.Time) ([]byte, login.Key, error) {
	plaintext, key, err := s.OpenBy(session.ForState, text, now)
	if err != nil {
		return nil, nil, err
	}
	return plaintext, sealingKey{key}, nil
}

type sealingKey struct{ key *session.Key }

func (k sealingKey) Seal(plaintext []byte) string { return k.key.Seal(session.ForState, plaintext) }

func (k sealingKey) Derive(label string, seed []byte, n int) []byte {
	return k.key.Derive(session.ForTransaction, label, seed, n)
}

// counted counts the refreshes of a provider.
type counted struct {
	login.Provider
	logins *logins
}

// Refresh implements [login.Provider].
func (c counted) Refresh(ctx context.Context, refreshToken string) (login.Tokens, error) {
	tokens, err := c.Provider.Refresh(ctx, refreshToken)
	if err == nil {
		c.logins.refreshed.Add(1)
	}
	return tokens, err
}

// watched is a store of sessions in Redis whose changes between answering and
// failing are counted, and logged by one line each.
type watched struct {
	*store.Redis
	logins *logins
	logger *slog.Logger
}

// saw notes whether Redis answered. A request that ended says nothing of it.
func (w *watched) saw(ctx context.Context, err error) {
	switch {
	case err == nil:
		if w.logins.storeDown.CompareAndSwap(true, false) {
			w.logger.Info("the Redis of sessions answers again")
		}
	case ctx.Err() != nil:
	case isUnavailable(err):
		if w.logins.storeDown.CompareAndSwap(false, true) {
			w.logger.Error("the Redis of sessions does not answer; requests that need it are answered with 503 until it does: see --redis-url", "error", err.Error())
		}
	}
}

// sawPing notes a Redis that did not answer before a login began. One that answers a
// ping may still take no session, so that this alone does not mean that it is well.
func (w *watched) sawPing(ctx context.Context, err error) {
	if err != nil {
		w.saw(ctx, fmt.Errorf("%w: %w", store.ErrUnavailable, err))
	}
}

// Open implements [login.Sessions].
func (w *watched) Open(ctx context.Context, lines []string, now time.Time) (*session.Session, bool, error) {
	s, stale, err := w.Redis.Open(ctx, lines, now)
	w.saw(ctx, err)
	return s, stale, err
}

// Save implements [login.Sessions].
func (w *watched) Save(ctx context.Context, s *session.Session, lines []string, now time.Time) ([]string, error) {
	set, err := w.Redis.Save(ctx, s, lines, now)
	w.saw(ctx, err)
	return set, err
}
