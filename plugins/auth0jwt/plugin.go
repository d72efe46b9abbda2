// Package auth0jwt is the external plugin auth0-jwt as an ordinary plugin of
// the official Go runner: it turns the runner's requests into views and
// decisions into header calls. It must not know JWTs.
package auth0jwt

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/replay"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// Name is the plugin's name in ext-plugin-pre-req and ext-plugin-post-req.
const Name = "auth0-jwt"

// DefaultCacheSize is the bound of the cache, in bytes.
const DefaultCacheSize = 64 << 20

// sessionsSize bounds what is remembered of sessions that were opened, in bytes.
const sessionsSize = 32 << 20

// Options are the operator's settings.
type Options struct {
	// AllowInsecure admits http:// URLs, loopback and private addresses and
	// ssl_verify: false in configurations.
	AllowInsecure bool
	// AllowNetworks are private or loopback networks that issuers may stand in.
	// Certificates are verified there as everywhere.
	AllowNetworks []netip.Prefix
	// MaxStale is how long an issuer's last good keys stay in use when it
	// cannot be asked; 0 is 24 h.
	MaxStale time.Duration
	// Transport fetches keys; nil is one of the plugin's own.
	Transport http.RoundTripper
	// RootCAs are trusted for issuers' certificates; nil is the system's.
	RootCAs *x509.CertPool
	// CacheSize bounds what is remembered of verified tokens, in bytes; 0 is
	// [DefaultCacheSize], less than 0 remembers nothing.
	CacheSize int64
	// RedisURL names the Redis that several gateways share, for DPoP proofs that
	// were used and for revocations; "" is this process's own memory. A server, Sentinels and a
	// cluster have the forms that the reference tells of. A URL that is none
	// denies DPoP requests.
	RedisURL string
	// RevocationsTTL is how long revocations are kept at least, longer than the
	// longest token; 0 is 24 h.
	RevocationsTTL time.Duration
	// RevocationsStrict denies requests while the process could not hear of new
	// revocations for over 10 s.
	RevocationsStrict bool
	// SecretsDir is the absolute path of the directory that the files of
	// secrets have to be below; "" is any file. It does not limit references to
	// the environment.
	SecretsDir string
	// Logger gets one line per refused configuration and internal error; nil
	// is slog.Default. Never a token, a secret or a claim's value.
	Logger *slog.Logger

	now func() time.Time // nil is time.Now
}

// Plugin is the plugin auth0-jwt. Its methods may be called at any time by any
// goroutine.
type Plugin struct {
	plugin.DefaultPlugin

	gate atomic.Pointer[gate.Gate]
	// memory, revoked and sessions outlive the settings: what was used stays used,
	// what was revoked stays revoked, and a session that was opened stays open.
	memory   *replay.Memory
	revoked  *revocation.Set
	sessions *store.Memory
}

var (
	_ inplace.Plugin  = (*Plugin)(nil)
	_ inplace.Retrier = (*gate.Route)(nil)
)

// New makes the plugin.
func New(opt Options) *Plugin {
	p := &Plugin{memory: replay.NewMemory(), revoked: revocation.NewSet(), sessions: store.NewMemory(sessionsSize)}
	p.Configure(opt)
	return p
}

// Configure replaces the operator's settings, for configurations read from now
// on.
func (p *Plugin) Configure(opt Options) {
	g := gate.Options{
		Config:   config.Options{AllowInsecure: opt.AllowInsecure, AllowNetworks: opt.AllowNetworks, SecretsDir: opt.SecretsDir, Redis: opt.RedisURL != ""},
		MaxStale: opt.MaxStale, Transport: opt.Transport, RootCAs: opt.RootCAs,
		Cache: cacheOf(opt.CacheSize), Replay: p.memory, Sessions: p.sessions, Now: opt.now, Logger: opt.Logger,
	}
	if opt.RedisURL != "" {
		var err error
		if g.Redis, err = redis.Open(opt.RedisURL); err != nil {
			g.Redis = redis.Unavailable(err)
		}
	}
	g.RevocationsStrict = opt.RevocationsStrict
	g.Revocations = revocation.Open(revocation.Options{
		Redis: g.Redis, Set: p.revoked, TTL: opt.RevocationsTTL, Logger: opt.Logger,
	})
	previous := p.gate.Swap(gate.New(g))
	if previous != nil {
		previous.Close()
	}
}

// CheckRedisURL says what is wrong with a [Options].RedisURL; it does not
// connect.
func CheckRedisURL(url string) error {
	if url == "" {
		return nil
	}
	client, err := redis.Open(url)
	if err == nil {
		err = client.Close()
	}
	return err
}

func cacheOf(size int64) *gate.Cache {
	switch {
	case size < 0:
		return nil
	case size == 0:
		size = DefaultCacheSize
	}
	return gate.NewCache(uint64(size))
}

// Gate is what decides, for metrics and health. [Plugin.Configure] replaces it.
func (p *Plugin) Gate() *gate.Gate { return p.gate.Load() }

// Close ends the refresh of keys and the connections to Redis. Routes in use
// keep the keys that they have.
func (p *Plugin) Close() {
	p.gate.Load().Close()
	p.sessions.Close()
}

// Name implements plugin.Plugin.
func (p *Plugin) Name() string { return Name }

// ParseConf implements plugin.Plugin. It never returns an error, since the
// official runner skips a plugin whose ParseConf failed and lets the request
// pass: a configuration that cannot be used becomes a route that denies.
func (p *Plugin) ParseConf(in []byte) (conf any, err error) {
	return p.gate.Load().Compile(in), nil
}

// RequestFilter implements plugin.Plugin.
func (p *Plugin) RequestFilter(conf any, w http.ResponseWriter, r pkgHTTP.Request) {
	route, _ := conf.(*gate.Route) // one that is none denies
	v := newView(r)
	if framed, ok := v.(*frameView); ok {
		defer framed.release()
	}
	if a, answered := p.gate.Load().Decide(route, v).Answer(route); answered {
		answer(w, a)
	}
}

// FilterNow implements inplace.Plugin.
func (p *Plugin) FilterNow(conf any, w http.ResponseWriter, r inplace.View) (done bool) {
	n, stands := r.Frame()
	if !stands {
		return false
	}
	route, _ := conf.(*gate.Route)
	v := frameViewOf(r, n)
	defer v.release()
	decision, decided := p.gate.Load().Known(route, v)
	if !decided {
		return false
	}
	if _, forward := decision.Forward(); !forward {
		answer(w, route.Answer(decision.Refusal()))
	}
	return true
}

// answer writes an answer for the client.
func answer(w http.ResponseWriter, a refusal.Answer) {
	for _, h := range a.Headers {
		w.Header().Add(h.Name, h.Value)
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 {
		// The runner's writer fills a buffer and never fails.
		_, _ = w.Write(a.Body)
	}
}
