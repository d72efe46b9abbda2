package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
)

// TestAProofIsTakenOnceByRoutesOfAnyLeeway: a route with a greater leeway takes
// older proofs, so the memory must not go by the leeway of the route that took
// the proof first.
func TestAProofIsTakenOnceByRoutesOfAnyLeeway(t *testing.T) {
	token := boundToken(t)
	memory := dpop.NewMemory()
	now := clock
	routeOf := func(leeway time.Duration) *policy.Policy {
		return must(policy.Compile(route(func(c *config.Config) { c.DPoP, c.Leeway = config.Require, leeway }), policy.Options{
			KeysOf: func(i config.Issuer) (policy.Keys, error) { return jwks.Static(i.JWKS) },
			Replay: memory, Now: func() time.Time { return now },
		}))
	}
	narrow, wide := routeOf(0), routeOf(config.MaxLeeway)
	type step struct {
		at   time.Duration // since the proof was made
		on   *policy.Policy
		want string
	}
	for i, steps := range [][]step{
		{{0, narrow, goesOn}, {59 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, "dpop_failed"}, {359 * time.Second, wide, "dpop_failed"}, {361 * time.Second, wide, "dpop_failed"}},
		{{0, wide, goesOn}, {1 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, "dpop_failed"}, {359 * time.Second, wide, "dpop_failed"}},
		{{61 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, goesOn}, {359 * time.Second, wide, "dpop_failed"}},
	} {
		proof := proofFor(token, clientsURL, fmt.Sprint("leeway", i))
		for _, s := range steps {
			now = clock.Add(s.at)
			if got := outcome(s.on.Decide(dpopRequest("authorization", "DPoP "+token, "dpop", proof))); got != s.want {
				t.Errorf("proof %d after %v: %s, want %s", i, s.at, got, s.want)
			}
		}
	}
}
