package policy

import (
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Cache remembers verified tokens for all policies, and decisions for each. It
// is bounded in bytes, and nothing enters it but what was verified and taken,
// so that hostile tokens push no good one out. Its methods may be called by any
// goroutine.
type Cache struct {
	tokens    *otter.Cache[string, *verified]
	decisions *otter.Cache[decisionKey, *decided]
}

// proof is what a verified token's standing depends on from then on.
type proof struct {
	times      token.Times
	keys       Keys
	generation uint64
}

// verified is a token whose signature a key of one generation proved.
type verified struct {
	proof
	tok *token.Untrusted
}

type decisionKey struct {
	policy uint64
	token  string
}

// decided is a decision that depends on nothing but the token and the time.
type decided struct {
	proof   // and not the token, whose claims take much more memory
	set     []identity.Header
	reports []int
}

// What an entry takes beside the texts it holds, in bytes, generously.
const (
	tokenOverhead    = 2560
	decisionOverhead = 512
)

// NewCache makes a cache of at most that many bytes, more than 0.
func NewCache(bytes uint64) *Cache {
	return &Cache{
		tokens: otter.Must(&otter.Options[string, *verified]{
			MaximumWeight: max(bytes/2, 1),
			Executor:      atOnce,
			StatsRecorder: stats.NewCounter(),
			Weigher: func(raw string, v *verified) uint32 {
				return uint32(tokenOverhead + len(raw) + len(v.tok.Payload) +
					strictjson.Footprint(v.tok.Header) + strictjson.Footprint(v.tok.Claims))
			},
		}),
		decisions: otter.Must(&otter.Options[decisionKey, *decided]{
			MaximumWeight: max(bytes/2, 1),
			Executor:      atOnce,
			StatsRecorder: stats.NewCounter(),
			Weigher: func(k decisionKey, d *decided) uint32 {
				size := decisionOverhead + len(k.token)
				for _, h := range d.set {
					size += len(h.Name) + len(h.Value) + 32
				}
				return uint32(size)
			},
		}),
	}
}

// atOnce lets whoever writes do the upkeep of a cache, which is a few entries'
// work: a goroutine for it costs a new token more than the upkeep.
func atOnce(upkeep func()) { upkeep() }

// CacheStats are the counts of one kind of entry since the start.
type CacheStats struct {
	Kind               string // "token" or "decision"
	Hits, Misses       uint64 // look-ups; a hit may still be too old to count
	Evictions          uint64 // for want of room
	Entries, SizeBytes uint64 // at hand; the size is an estimate
}

// Stats are the counts of verified tokens and of decisions.
func (c *Cache) Stats() []CacheStats {
	of := func(kind string, s stats.Stats, entries int, size uint64) CacheStats {
		return CacheStats{kind, s.Hits, s.Misses, s.Evictions, uint64(entries), size}
	}
	return []CacheStats{
		of("decision", c.decisions.Stats(), c.decisions.EstimatedSize(), c.decisions.WeightedSize()),
		of("token", c.tokens.Stats(), c.tokens.EstimatedSize(), c.tokens.WeightedSize()),
	}
}

// Close ends the cache's own goroutines.
func (c *Cache) Close() {
	c.tokens.StopAllGoroutines()
	c.decisions.StopAllGoroutines()
}

// lastPolicy numbers policies, so that none finds another's decisions.
var lastPolicy atomic.Uint64

// stands reports whether what was proved would come out the same now: the same
// provider has keys of the same generation.
func (p *proof) stands(now time.Time) bool {
	generation, ok := p.keys.Generation(now)
	return ok && generation == p.generation
}

// known decides a request whose token the policy took before: from the keys and
// the dates, which it compares again, and the request's own headers.
func (p *Policy) known(s *subject) (Decision, bool) {
	if p.cache == nil || !p.remembers {
		return Decision{}, false
	}
	d, there := p.cache.decisions.GetIfPresent(decisionKey{p.id, s.found.Raw})
	if !there || !d.stands(s.now) || d.times.Check(s.now, p.conf.Leeway, p.conf.MaxTokenAge) != nil {
		return Decision{}, false
	}
	return Decision{forward: true, edits: p.plan.Verified(s.req, s.found.Source, d.set), reports: d.reports}, true
}

// rememberToken notes a token that the stage Prove let pass.
func (p *Policy) rememberToken(s *subject) {
	if p.cache != nil && s.proof.keys != nil && !s.proven {
		p.cache.tokens.Set(s.found.Raw, &verified{s.proof, s.tok})
	}
}

// rememberDecision notes a decision to forward, if no check read anything
// beside the token that is not compared again.
func (p *Policy) rememberDecision(s *subject) {
	if p.cache == nil || s.proof.keys == nil || p.reads(s.tok)&^repeated != 0 {
		return
	}
	p.cache.decisions.Set(decisionKey{p.id, s.found.Raw}, &decided{proof: s.proof, set: s.set, reports: s.reports})
}

// lookUp is the parsed token, if it was verified before; by whom, the caller
// has to compare.
func (p *Policy) lookUp(raw string) *verified {
	if p.cache == nil {
		return nil
	}
	v, _ := p.cache.tokens.GetIfPresent(raw)
	return v
}
