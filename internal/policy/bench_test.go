package policy_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// BenchmarkDecide is one decision, signature check included, without a wire.
func BenchmarkDecide(b *testing.B) {
	p := compile(b, route(func(c *config.Config) {
		c.ClaimHeaders = []config.ClaimHeader{{Header: "X-User-Id", Claim: "sub"}}
		c.StripHeaders = []string{"X-Role"}
	}))
	good := bearing(good(b))
	for _, bb := range []struct {
		name    string
		req     *request
		forward bool
	}{
		{"good RS256", good, true},
		{"no token", get("accept", "*/*"), false},
		{"malformed", bearing("a.b.c"), false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, forward := p.Decide(bb.req).Forward(); forward != bb.forward {
					b.Fatal("wrong verdict")
				}
			}
		})
	}
}
