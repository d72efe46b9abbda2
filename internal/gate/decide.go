package gate

import (
	"fmt"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// Known decides a request at once if nothing has to be waited for or computed:
// it has no token or not just one, or a decision about its token, or that of its
// session, is remembered. It never blocks, and allocates nothing for a remembered
// decision about a request's own token.
func (g *Gate) Known(r *Route, req Request) (d policy.Decision, decided bool) {
	defer g.net(r, &d, &decided)
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
		d = g.done(r, w, req, d)
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
	g.records.inFlight.add(1)
	defer g.records.inFlight.add(-1)
	defer g.net(r, &v.Decision, nil)
	w := newWork()
	defer w.done()
	r = r.or()
	if r.flow != nil {
		return g.withLogin(r, req, w)
	}
	return Verdict{Decision: g.done(r, w, req, g.judge(r, req, w, g.opt.Now()))}
}

// Explain is Decide with every check and its outcome. It looks nothing
// remembered up, so that every check that is asked for is made.
func (g *Gate) Explain(r *Route, req Request) (policy.Decision, []policy.Step) {
	return g.ExplainSession(r, req, nil)
}

// ExplainSession is Explain of a request that has a session; nil is none. The
// session is taken as it is: it is neither refreshed nor written.
func (g *Gate) ExplainSession(r *Route, req Request, s *session.Session) (policy.Decision, []policy.Step) {
	w := &work{asked: true, session: s}
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
func (g *Gate) net(r *Route, d *policy.Decision, decided *bool) {
	caught := recover()
	if caught == nil {
		return
	}
	*d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: fmt.Sprintf("panic: %T", caught)})
	if decided != nil {
		*decided = true
	}
	g.recordPanic(r, *d)
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
