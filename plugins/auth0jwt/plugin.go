// Package auth0jwt is the external plugin auth0-jwt as an ordinary plugin of
// the official Go runner: it turns the runner's requests into views and
// decisions into header calls. It must not know JWTs.
package auth0jwt

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// Name is the plugin's name in ext-plugin-pre-req and ext-plugin-post-req.
const Name = "auth0-jwt"

// DefaultCacheSize is the bound of the cache, in bytes.
const DefaultCacheSize = 64 << 20

// Options are the operator's settings.
type Options struct {
	// AllowInsecure admits http:// URLs, loopback and private addresses and
	// ssl_verify: false in configurations.
	AllowInsecure bool
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
	// RedisURL is a redis:// or rediss:// URL of a memory of DPoP proofs that
	// several gateways share; "" is this process's own memory. A URL that is
	// none denies DPoP requests.
	RedisURL string
	// SecretsDir is the absolute path of the directory that the files of
	// secrets have to be below; "" is any file. It does not limit references to
	// the environment.
	SecretsDir string
	// Logger gets one line per refused configuration and internal error; nil
	// is slog.Default. Never a token, a secret or a claim's value.
	Logger *slog.Logger
}

// Plugin is the plugin auth0-jwt. Its methods may be called at any time by any
// goroutine.
type Plugin struct {
	plugin.DefaultPlugin

	settings atomic.Pointer[settings]
	counts   [numStripes]counts

	reported atomic.Uint64
	refused  [256]atomic.Uint64 // by refusal.Kind
}

type settings struct {
	Options
	registry *jwks.Registry
	replay   *dpop.Watched
	cache    *policy.Cache // nil is none
}

var _ plugin.Plugin = (*Plugin)(nil)

// New makes the plugin.
func New(opt Options) *Plugin {
	p := &Plugin{}
	p.Configure(opt)
	return p
}

// Configure replaces the operator's settings, for configurations read from now
// on.
func (p *Plugin) Configure(opt Options) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	previous := p.settings.Swap(&settings{opt, jwks.NewRegistry(jwks.Options{
		Transport: opt.Transport, AllowInsecure: opt.AllowInsecure, MaxStale: opt.MaxStale,
		RootCAs: opt.RootCAs, Logger: opt.Logger,
	}), &dpop.Watched{Replay: replayOf(opt.RedisURL), Logger: opt.Logger}, cacheOf(opt.CacheSize)})
	if previous != nil {
		previous.close()
	}
}

// CheckRedisURL tells what is wrong with a [Options].RedisURL; it does not
// connect.
func CheckRedisURL(url string) error {
	if url == "" {
		return nil
	}
	r, err := dpop.NewRedis(url)
	if err == nil {
		err = r.Close()
	}
	return err
}

func cacheOf(size int64) *policy.Cache {
	switch {
	case size < 0:
		return nil
	case size == 0:
		size = DefaultCacheSize
	}
	return policy.NewCache(uint64(size))
}

func replayOf(redisURL string) dpop.Replay {
	if redisURL == "" {
		return dpop.NewMemory()
	}
	r, err := dpop.NewRedis(redisURL)
	if err != nil {
		return dpop.Unavailable{Err: err}
	}
	return r
}

// Close ends the refresh of keys and the connections to Redis. Policies in use
// go on with the keys at hand.
func (p *Plugin) Close() { p.settings.Load().close() }

func (s *settings) close() {
	s.registry.Close()
	if s.cache != nil {
		s.cache.Close()
	}
	_ = s.replay.Close() // of a client's connections: nothing is lost
}

// InFlight is the number of requests being decided.
func (p *Plugin) InFlight() (n int64) {
	for i := range p.counts {
		n += p.counts[i].inFlight.Load()
	}
	return n
}

// Decisions counts the requests so far by outcome: "forwarded", or the reason
// of the refusal.
func (p *Plugin) Decisions() map[string]uint64 {
	counts := map[string]uint64{"forwarded": 0}
	for i := range p.counts {
		counts["forwarded"] += p.counts[i].forwarded.Load()
	}
	for _, kind := range refusal.Kinds() {
		counts[kind.Reason()] += p.refused[kind].Load()
	}
	return counts
}

// Reported is how often a rule with report_only would have denied a request.
func (p *Plugin) Reported() uint64 { return p.reported.Load() }

// Caches are the counts of what is remembered: nothing where CacheSize says so.
func (p *Plugin) Caches() []policy.CacheStats {
	if cache := p.settings.Load().cache; cache != nil {
		return cache.Stats()
	}
	return nil
}

// Providers are the states of the issuers' keys in use.
func (p *Plugin) Providers() []jwks.Status { return p.settings.Load().registry.Statuses() }

// Name implements plugin.Plugin.
func (p *Plugin) Name() string { return Name }

// ParseConf implements plugin.Plugin. It never returns an error, since the
// official runner skips a plugin whose ParseConf failed and lets the request
// pass: a configuration that cannot be used becomes a policy that denies.
func (p *Plugin) ParseConf(in []byte) (conf any, err error) {
	s := p.settings.Load()
	defer func() {
		if caught := recover(); caught != nil {
			s.Logger.Error("reading a configuration panicked; its route denies every request", "panic", fmt.Sprintf("%T", caught))
			conf, err = policy.Deny(errPanic), nil
		}
	}()
	pol, parseErr := s.compile(in)
	if parseErr != nil {
		s.Logger.Error("the configuration of a route is not valid; the route denies every request", "errors", parseErr.Error())
		return policy.Deny(parseErr), nil
	}
	return pol, nil
}

func (s *settings) compile(in []byte) (*policy.Policy, error) {
	conf, err := config.Parse(in, config.Options{AllowInsecure: s.AllowInsecure, SecretsDir: s.SecretsDir, Logger: s.Logger})
	if err != nil {
		return nil, err
	}
	for _, w := range conf.Warnings {
		s.Logger.Warn("configuration", "warning", w)
	}
	return policy.Compile(conf, policy.Options{Replay: s.replay, Cache: s.cache, KeysOf: func(iss config.Issuer) (policy.Keys, error) {
		if iss.JWKS != nil {
			return jwks.Static(iss.JWKS)
		}
		return s.registry.Provider(jwks.Source{
			Issuer: iss.Issuer, DiscoveryURL: iss.DiscoveryURL, JWKSURI: iss.JWKSURI, SSLVerify: iss.SSLVerify,
		}), nil
	}})
}

// RequestFilter implements plugin.Plugin.
func (p *Plugin) RequestFilter(conf any, w http.ResponseWriter, r pkgHTTP.Request) {
	memory, _ := frameViews.Get().(*frameView)
	defer memory.release()
	count := &p.counts[memory.stripe]
	count.inFlight.Add(1)
	defer count.inFlight.Add(-1)
	s := p.settings.Load()
	pol, ok := conf.(*policy.Policy)
	if !ok || pol == nil {
		pol = policy.Deny(errNoPolicy)
	}
	decision := s.decide(pol, r, memory)
	for _, i := range decision.Reports() {
		p.reported.Add(1)
		s.Logger.Info("a rule with report_only would have denied a request", "rule", i)
	}
	if _, forward := decision.Forward(); forward {
		count.forwarded.Add(1)
		return
	}
	refused := decision.Refusal()
	p.refused[refused.Kind].Add(1)
	if refused.Kind == refusal.Internal {
		s.Logger.Error("a request could not be checked and was denied", "cause", refused.Cause)
	} else {
		s.Logger.Debug("refused", "reason", refused.Kind.Reason(), "cause", refused.Cause)
	}
	answer := refused.Answer(pol.Style())
	for _, h := range answer.Headers {
		w.Header().Set(h.Name, h.Value)
	}
	w.WriteHeader(answer.Status)
	if len(answer.Body) > 0 {
		// The runner's writer fills a buffer and never fails.
		_, _ = w.Write(answer.Body)
	}
}

// decide is Decide, and the edits made where the request is forwarded, with a
// net below both: a panic denies, and so does an edit that cannot be made.
func (s *settings) decide(pol *policy.Policy, r pkgHTTP.Request, memory *frameView) (d policy.Decision) {
	defer func() {
		if caught := recover(); caught != nil {
			d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: fmt.Sprintf("panic: %T", caught)})
		}
	}()
	d = pol.Decide(newView(r, memory))
	if edits, forward := d.Forward(); forward {
		if err := apply(edits, r); err != nil {
			return policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: err.Error()})
		}
	}
	return d
}
