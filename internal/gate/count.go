package gate

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// numStripes is how many processors can count without being in each other's
// way.
const numStripes = 16

// Counts are what a gate counts.
type Counts struct {
	stripes  [numStripes]stripe
	reported atomic.Uint64
	refused  [256]atomic.Uint64 // by refusal.Kind
}

// stripe is one part of what every request counts, alone in its cache lines.
type stripe struct {
	inFlight  atomic.Int64
	forwarded atomic.Uint64
	_         [112]byte
}

func (c *Counts) stripe() *stripe { return &c.stripes[rand.Uint32()%numStripes] }
func (c *Counts) begin()          { c.stripe().inFlight.Add(1) }
func (c *Counts) end()            { c.stripe().inFlight.Add(-1) }
func (c *Counts) forwarded()      { c.stripe().forwarded.Add(1) }

// InFlight is the number of requests that are being decided and may wait.
func (g *Gate) InFlight() (n int64) {
	for i := range g.counts.stripes {
		n += g.counts.stripes[i].inFlight.Load()
	}
	return n
}

// Decisions counts the requests so far by outcome: "forwarded", or the reason
// of the refusal.
func (g *Gate) Decisions() map[string]uint64 {
	counts := map[string]uint64{"forwarded": 0}
	for i := range g.counts.stripes {
		counts["forwarded"] += g.counts.stripes[i].forwarded.Load()
	}
	for _, kind := range refusal.Kinds() {
		counts[kind.Reason()] += g.counts.refused[kind].Load()
	}
	for i, reason := range reasons {
		counts[reason] += g.logins.answers[i].Load()
	}
	return counts
}

// Reported is how often a rule with report_only would have denied a request.
func (g *Gate) Reported() uint64 { return g.counts.reported.Load() }

// Caches are the counts of what is remembered; nothing where nothing is.
func (g *Gate) Caches() []CacheStats {
	if g.cache == nil {
		return nil
	}
	return g.cache.Stats()
}

// Providers are the states of the issuers' keys in use.
func (g *Gate) Providers() []jwks.Status { return g.registry.Statuses() }
