// Package gate decides requests: it gives the policy the evidence that it asks
// for, and is the one room that waits and remembers: keys, caches, the memory
// of proofs, what was revoked. It counts and logs decisions, and is the net below a panic. It
// must not know wires, nor how anything is judged.
package gate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
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
	// Logger gets one line per refused configuration and internal error; nil
	// is slog.Default. Never a token, a secret or a claim's value.
	Logger *slog.Logger
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
	counts   Counts

	ownSessions bool // nobody else has them
}

// sessionsSize bounds a gate's own memory of sessions, in bytes.
const sessionsSize = 16 << 20

// New makes a gate.
func New(opt Options) *Gate {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	switch {
	case opt.Redis != nil:
		opt.Replay = replay.NewRedis(opt.Redis)
	case opt.Replay == nil:
		opt.Replay = replay.NewMemory()
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
		cache:    opt.Cache,
		fetcher:  fetcher,
		registry: jwks.NewRegistry(jwks.Options{Fetch: fetcher, MaxStale: opt.MaxStale, Logger: opt.Logger}),
		proofs:   &replay.Watched{Store: opt.Replay, Logger: opt.Logger},
		once:     once, flows: &flows{}, logins: &logins{}, ownSessions: ownSessions,
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

// works are used again, so that a known token costs no memory.
var works = sync.Pool{New: func() any { return &work{} }}

func newWork() *work {
	w, _ := works.Get().(*work)
	return w
}

func (w *work) done() {
	w.release()
	works.Put(w)
}

// Known decides a request at once if nothing has to be waited for or computed:
// it has no token or not just one, or a decision about its token, or that of its
// session, is remembered. It never blocks, and allocates nothing for a remembered
// decision about a request's own token.
func (g *Gate) Known(r *Route, req Request) (d policy.Decision, decided bool) {
	defer g.net(&d, &decided)
	w := newWork()
	defer w.done()
	r = r.or()
	if r.flow != nil && r.flow.OwnBytes(req.PathBytes()) {
		return policy.Decision{}, false
	}
	r.policy.Judge(&w.Judgement, req, g.opt.Now())
	d, need := w.Next()
	if need.Kind == policy.NeedSession && r.flow != nil && g.knownSession(r, req, w) {
		d, need = w.Next()
	}
	if need.Kind == policy.NeedMemory {
		d, decided = g.recall(r, w)
	} else {
		decided = need.Kind == policy.NeedNothing
	}
	if decided && !g.atOnce(r, req, w, d) {
		return policy.Decision{}, false
	}
	if decided {
		d = g.done(req, d)
	}
	return d, decided
}

// atOnce reports whether nothing but the edits of a decision, or the route's own
// refusal, comes of it.
func (g *Gate) atOnce(r *Route, req Request, w *work, d policy.Decision) bool {
	edits, forward := d.Forward()
	if forward {
		return len(edits.DeleteArgs) == 0 // by what the gateway says of its URI
	}
	return r.flow == nil || w.session == nil && !(d.Refusal().Kind == refusal.MissingToken && mayLogIn(r, req))
}

// Decide decides a request. It may wait: at most 2 s for keys, half a second
// for each memory in Redis, 5 s for each answer of the issuer's to a login, a
// second after the start for what was revoked before, and for the gateway's
// answers.
func (g *Gate) Decide(r *Route, req Request) (v Verdict) {
	g.counts.begin()
	defer g.counts.end()
	defer g.net(&v.Decision, nil)
	w := newWork()
	defer w.done()
	r = r.or()
	if r.flow != nil {
		return g.withLogin(r, req, w)
	}
	return Verdict{Decision: g.done(req, g.judge(r, req, w, g.opt.Now()))}
}

// Explain is Decide with every check and its outcome. It looks nothing
// remembered up, so that every check that is asked for is made.
func (g *Gate) Explain(r *Route, req Request) (policy.Decision, []policy.Step) {
	w := &work{asked: true} // it has no session
	r = r.or()
	steps := r.policy.Trace(&w.Judgement, req, g.opt.Now())
	fresh := &Gate{opt: g.opt, registry: g.registry, proofs: g.proofs}
	d := fresh.answer(r, req, w)
	return d, steps()
}

// judge decides by the policy.
func (g *Gate) judge(r *Route, req Request, w *work, now time.Time) policy.Decision {
	r.policy.Judge(&w.Judgement, req, now)
	return g.answer(r, req, w)
}

// answer answers the policy's questions until it has decided.
func (g *Gate) answer(r *Route, req Request, w *work) policy.Decision {
	j := &w.Judgement
	var before *verified
	var version uint64 // of what was revoked, when that was looked up
	for {
		d, need := j.Next()
		switch need.Kind {
		case policy.NeedNothing:
			g.remember(r, w, d, version)
			return d
		case policy.NeedMemory:
			if d, decided := g.recall(r, w); decided {
				return d
			}
			if before = g.lookUp(j.Raw()); before != nil {
				j.Parsed(before.tok)
			} else {
				j.Unknown()
			}
		case policy.NeedSession:
			j.Session(g.session(r, req, w))
		case policy.NeedKey:
			j.Key(g.key(r, req, j, before))
		case policy.NeedVariable:
			value, err := req.Var(need.Variable)
			j.Variable(need.Variable, value, err)
		case policy.NeedProof:
			first, err := g.proofs.First(req.Context(), need.Proof, g.opt.Now())
			switch {
			case err != nil:
				j.Proof(policy.NotKnown, err)
			case first:
				j.Proof(policy.NotSeen, nil)
			default:
				j.Proof(policy.SeenBefore, nil)
			}
		case policy.NeedRevocation:
			var answer policy.Revocation
			answer, version = g.revocation(req, w)
			j.Revocation(answer)
		default:
			return policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: "the policy asks for what nobody has"})
		}
	}
}

// net denies where a judgement panicked.
func (g *Gate) net(d *policy.Decision, decided *bool) {
	caught := recover()
	if caught == nil {
		return
	}
	*d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: fmt.Sprintf("panic: %T", caught)})
	if decided != nil {
		*decided = true
	}
	g.count(*d)
}

// done makes the edits of a decision to forward, and counts what came of it.
func (g *Gate) done(req Request, d policy.Decision) policy.Decision {
	if edits, forward := d.Forward(); forward {
		if err := req.Edit(edits); err != nil {
			d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: err.Error()})
		}
	}
	g.count(d)
	return d
}

// count counts a decision and says in the log what an operator should know.
func (g *Gate) count(d policy.Decision) {
	for _, i := range d.Reports() {
		g.counts.reported.Add(1)
		g.opt.Logger.Info("a rule with report_only would have denied a request", "rule", i)
	}
	if _, forward := d.Forward(); forward {
		g.counts.forwarded()
		return
	}
	refused := d.Refusal()
	g.counts.refused[refused.Kind].Add(1)
	if refused.Kind == refusal.Internal {
		g.opt.Logger.Error("a request could not be checked and was denied", "cause", refused.Cause)
		return
	}
	g.opt.Logger.Debug("refused", "reason", refused.Kind.Reason(), "cause", refused.Cause)
}

var errPanic = errors.New("reading the configuration panicked")
