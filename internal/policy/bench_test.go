package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// BenchmarkDecide is one decision without a wire.
func BenchmarkDecide(b *testing.B) {
	change := func(c *config.Config) {
		c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-User-Id", Claim: ref("sub")}}
		c.StripHeaders = []string{"X-Role"}
	}
	known := compile(b, route(change))
	fresh, err := judgeOf(route(change), gate.Options{Now: func() time.Time { return clock }}, nil)
	if err != nil {
		b.Fatal(err)
	}
	es256 := sign(b, "ES256", keys().p256, header("ES256", "p256"), claims())
	for _, bb := range []struct {
		name    string
		p       judge
		req     *request
		forward bool
	}{
		{"known RS256", known, bearing(good(b)), true},
		{"new RS256", fresh, bearing(good(b)), true},
		{"new ES256", fresh, bearing(es256), true},
		{"no token", known, get("accept", "*/*"), false},
		{"malformed", known, bearing("a.b.c"), false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, forward := bb.p.Decide(bb.req).Forward(); forward != bb.forward {
					b.Fatal("wrong verdict")
				}
			}
		})
	}
}

// BenchmarkStages is what a new token costs, stage by stage.
func BenchmarkStages(b *testing.B) {
	raw := good(b, "scope", `"read:orders write:orders"`, "roles", `["a","b","c"]`)
	parsed := must(token.Parse(raw))
	for i, alg := range []string{"RS256", "ES256"} {
		key, kid := any(&keys().rsa.PublicKey), "rsa"
		signed := raw
		if i == 1 {
			key, kid = &keys().p256.PublicKey, "p256"
			signed = sign(b, alg, keys().p256, header(alg, kid), claims())
		}
		t := must(token.Parse(signed))
		b.Run(fmt.Sprint("signature ", alg), func(b *testing.B) {
			for b.Loop() {
				if err := jwt.GetSigningMethod(alg).Verify(t.SigningInput, t.Signature, key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := token.Parse(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("times", func(b *testing.B) {
		for b.Loop() {
			if err := parsed.CheckTimes(clock, time.Second, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	static := must(jwks.Static(tenantSet()))
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := static.Key(b.Context(), "rsa", true, "RS256"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
