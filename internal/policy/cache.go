package policy

import (
	"hash/maphash"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Cache remembers verified tokens for all policies, and decisions for each. It
// is bounded in bytes, and nothing enters it but what was verified and taken,
// so that hostile tokens push no good one out. Its methods may be called by any
// goroutine.
type Cache struct {
	tokens    *otter.Cache[string, *verified]
	decisions *otter.Cache[decisionKey, *decided]
	flights   [64]singleflight.Group
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
			Weigher: func(raw string, v *verified) uint32 {
				// Raw, payload and claims hold about the same text.
				return uint32(tokenOverhead + len(raw) + 3*len(v.tok.Payload))
			},
		}),
		decisions: otter.Must(&otter.Options[decisionKey, *decided]{
			MaximumWeight: max(bytes/2, 1),
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

// Size is about how many bytes the cache holds.
func (c *Cache) Size() uint64 {
	return c.tokens.WeightedSize() + c.decisions.WeightedSize()
}

// Close ends the cache's own goroutines.
func (c *Cache) Close() {
	c.tokens.StopAllGoroutines()
	c.decisions.StopAllGoroutines()
}

// lastPolicy numbers policies, so that none finds another's decisions.
var lastPolicy atomic.Uint64

// stands tells whether what was proved would come out the same now: the same
// provider has keys of the same generation.
func (p *proof) stands(now time.Time) bool {
	generation, ok := p.keys.Generation(now)
	return ok && generation == p.generation
}

// known decides a request whose token the policy took a moment ago. Everything
// that the request itself has a say in is looked at anew.
func (p *Policy) known(req Request, found token.Found) (Decision, bool) {
	if p.cache == nil || !p.tokenDecides {
		return Decision{}, false
	}
	d, there := p.cache.decisions.GetIfPresent(decisionKey{p.id, found.Raw})
	if !there {
		return Decision{}, false
	}
	if now := p.now(); !d.stands(now) || d.times.Check(now, p.conf.Leeway, p.conf.MaxTokenAge) != nil {
		return Decision{}, false
	}
	return Decision{forward: true, edits: p.plan.Verified(req, found.Source, d.set), reports: d.reports}, true
}

// remember notes a decision to forward.
func (p *Policy) remember(s *subject, set []identity.Header) {
	if p.cache == nil || !p.tokenDecides || s.proof.keys == nil || s.tok.Claims["cnf"] != nil {
		return
	}
	p.cache.decisions.Set(decisionKey{p.id, s.found.Raw}, &decided{proof: s.proof, set: set, reports: s.reports})
}

// look is the parsed token, if it was verified before; by whom, the caller has
// to compare.
func (p *Policy) look(raw string) *verified {
	if p.cache == nil {
		return nil
	}
	v, _ := p.cache.tokens.GetIfPresent(raw)
	return v
}

var flightSeed = maphash.MakeSeed()

// once verifies a signature for all who ask at the same time.
func (p *Policy) once(raw string, iss *issuer, verify func() (uint64, *refusal.Refusal)) (uint64, *refusal.Refusal) {
	if p.cache == nil {
		return verify()
	}
	type outcome struct {
		generation uint64
		refusal    *refusal.Refusal
	}
	group := &p.cache.flights[maphash.String(flightSeed, raw)%uint64(len(p.cache.flights))]
	v, _, _ := group.Do(strconv.FormatUint(iss.id, 16)+" "+raw, func() (any, error) {
		generation, r := verify()
		return outcome{generation, r}, nil
	})
	o, ok := v.(outcome)
	if !ok || o.refusal == nil {
		return o.generation, nil
	}
	own := *o.refusal // others hold the same one
	return 0, &own
}
