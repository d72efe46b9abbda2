package gate

import (
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
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
	idTokens  *otter.Cache[string, map[string]any] // the claims of sessions' ID tokens
}

// proof is what the standing of a verified token depends on from then on.
type proof struct {
	keys       Keys
	generation uint64
}

// stands reports whether what was proved would come out the same now: the same
// provider has keys of the same generation.
func (p proof) stands(keys Keys, now time.Time) bool {
	if p.keys != keys {
		return false
	}
	generation, ok := keys.Generation(now)
	return ok && generation == p.generation
}

// verified is a token whose signature a key of one generation proved.
type verified struct {
	proof
	tok *token.Untrusted
}

type decisionKey struct {
	route   uint64
	token   string
	idToken string // "" where the decision does not depend on one
	begun   int64  // [work.begun], which revocations are compared with
}

func keyOf(r *Route, w *work) decisionKey {
	return decisionKey{r.number, w.Raw(), w.IDToken(), w.begun()}
}

// decided is what a decision to forward left; the token's claims, which take
// much more memory, are not in it.
type decided struct {
	proof
	*policy.Memory
	// token is compared where version is not that of the revocations any more.
	token   revocation.Token
	version atomic.Uint64
}

// What an entry takes beside the texts it holds, in bytes, generously.
const (
	tokenOverhead    = 2560
	decisionOverhead = 800
	idTokenOverhead  = 512
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
			MaximumWeight: max(bytes/8*3, 1),
			Executor:      atOnce,
			StatsRecorder: stats.NewCounter(),
			Weigher: func(k decisionKey, d *decided) uint32 {
				return uint32(decisionOverhead + len(k.token) + len(k.idToken) + d.Size() + d.token.Size())
			},
		}),
		idTokens: otter.Must(&otter.Options[string, map[string]any]{
			MaximumWeight: max(bytes/8, 1),
			Executor:      atOnce,
			Weigher: func(raw string, claims map[string]any) uint32 {
				return uint32(idTokenOverhead + len(raw) + strictjson.Footprint(claims))
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
	Entries, SizeBytes uint64 // now; the size is an estimate
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
	c.idTokens.StopAllGoroutines()
}
