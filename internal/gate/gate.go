// Package gate decides requests: it gives the policy the evidence that it asks
// for, and is the one room that waits and remembers: keys, caches, the memory
// of proofs, what was revoked. It counts and logs decisions, and is the net below a panic. It
// must not know wires, nor how anything is judged.
package gate

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/replay"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// Options are the operator's settings.
type Options struct {
	Config config.Options // what configurations may ask for
	// MaxStale is how long an issuer's last good keys stay in use when it
	// cannot be asked; 0 is 24 h.
	MaxStale time.Duration
	// Transport fetches keys; nil is one of the gate's own.
	Transport http.RoundTripper
	// RootCAs are trusted for issuers' certificates; nil is the system's.
	RootCAs *x509.CertPool
	// Cache remembers verified tokens and decisions; nil is nothing. The gate
	// closes it.
	Cache *Cache
	// Redis is what gateways share; nil is nothing. The gate closes it.
	Redis redis.UniversalClient
	// Replay is the memory of DPoP proofs where there is no Redis; nil is a new
	// one of this process's own.
	Replay replay.Store
	// Revocations are what was revoked; nil are those of this gate alone. The gate
	// closes them.
	Revocations *revocation.Feed
	// RevocationsStrict denies while the gate cannot hear of new revocations.
	RevocationsStrict bool
	// Sessions are those that were opened; nil is a memory of the gate's own, and
	// any other is not closed by it.
	Sessions *store.Memory
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger gets a line for each configuration that cannot be used and, as far as
	// that is bounded, for each refusal; nil is slog.Default. Never a token, a
	// secret or a claim's value, but where Subjects asks for it.
	Logger   *slog.Logger
	Subjects Subjects
	// Records count, time and log decisions; nil is new ones.
	Records *Records
	// Trace is called with every decision; nil is none. It must not wait.
	Trace func(Decided)
}

// Gate is what all routes share. Its methods may be called by any goroutine.
type Gate struct {
	opt      Options
	fetcher  *fetch.Client
	registry *jwks.Registry
	proofs   *replay.Watched
	once     *replay.Once
	flows    *flows
	logins   *logins
	cache    *Cache
	records  *Records

	ownSessions bool // nobody else has them
	since       func(time.Time) time.Duration
}

// sessionsSize bounds a gate's own memory of sessions, in bytes.
const sessionsSize = 16 << 20

// New makes a gate.
func New(opt Options) *Gate {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	since := func(begin time.Time) time.Duration { return opt.Now().Sub(begin) }
	if opt.Now == nil {
		// It reads the monotonic clock alone, which is half the work of time.Now.
		opt.Now, since = time.Now, time.Since
	}
	switch {
	case opt.Redis != nil:
		opt.Replay = replay.NewRedis(opt.Redis)
	case opt.Replay == nil:
		opt.Replay = replay.NewMemory()
	}
	if opt.Records == nil {
		opt.Records = NewRecords()
	}
	once := replay.NewMemory().Once()
	if shared, ok := opt.Replay.(interface{ Once() *replay.Once }); ok {
		once = shared.Once()
	}
	if opt.Revocations == nil {
		opt.Revocations = revocation.Open(revocation.Options{Now: opt.Now, Logger: slog.New(slog.DiscardHandler)})
	}
	ownSessions := opt.Sessions == nil
	if ownSessions {
		opt.Sessions = store.NewMemory(sessionsSize)
	}
	opt.Config.Logger = opt.Logger
	fetcher := fetch.New(fetch.Options{
		Transport: opt.Transport, AllowInsecure: opt.Config.AllowInsecure, AllowNetworks: opt.Config.AllowNetworks, RootCAs: opt.RootCAs,
	})
	return &Gate{
		opt:      opt,
		records:  opt.Records,
		cache:    opt.Cache,
		fetcher:  fetcher,
		registry: jwks.NewRegistry(jwks.Options{Fetch: fetcher, MaxStale: opt.MaxStale, Logger: opt.Logger}),
		proofs:   &replay.Watched{Store: opt.Replay, Logger: opt.Logger},
		once:     once, flows: &flows{}, logins: &opt.Records.logins, ownSessions: ownSessions, since: since,
	}
}

// Close ends the refresh of keys and the connections to Redis. Routes in use
// keep the keys that they have.
func (g *Gate) Close() {
	g.flows.close()
	g.registry.Close()
	g.fetcher.Close()
	if g.cache != nil {
		g.cache.Close()
	}
	g.opt.Revocations.Close()
	if g.ownSessions {
		g.opt.Sessions.Close()
	}
	if g.opt.Redis != nil {
		_ = g.opt.Redis.Close() // nothing is lost
	}
}

// Request is a request and the gateway that it came by.
type Request interface {
	policy.Request
	// Context ends when the answer is no longer wanted.
	Context() context.Context
	// Var asks APISIX for an nginx variable: one round trip.
	Var(name string) ([]byte, error)
	// Edit makes the edits of a request that is forwarded. With an error it is
	// refused.
	Edit(identity.Edits) error
	// PathBytes is Path, in place. It is not changed.
	PathBytes() []byte
	// Body is the request's body; [login.ErrBodyTooLarge] where it has more than
	// limit bytes. One round trip.
	Body(ctx context.Context, limit int) ([]byte, error)
	// AddResponseHeader adds a header to the answer of a request that is
	// forwarded, beside those of its name that the upstream sets.
	AddResponseHeader(name, value string)
}
