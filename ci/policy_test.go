package ci_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// challenge sends a request, wants that status and gives the challenge.
func (r route) challenge(t *testing.T, req request, status int) string {
	t.Helper()
	before := under.upstream.requests(t)
	a := r.send(t, req)
	if a.status != status || under.upstream.requests(t) != before {
		t.Fatalf("status %d, want %d: %v", a.status, status, a)
	}
	a.hides(t, req.token)
	return a.header.Get("WWW-Authenticate")
}

func rule(members ...any) map[string]any {
	r := map[string]any{"expression": members[0]}
	for i := 1; i < len(members); i += 2 {
		r[members[i].(string)] = members[i+1]
	}
	return r
}

func TestRules(t *testing.T) {
	r := newRoute(t, identityOwn.with(policy{"rules": []any{
		rule(`claims.sub.startsWith("auth0|")`),
		rule(`request.method in ["GET", "POST"] && request.path.startsWith("/e2e/")`, "message", "reading only"),
		rule(`!("step" in request.query) || claims.iat <= int(now)`, "status", 401),
		rule(`request.query[?"who"].orValue(["x"]) == ["x"]`, "status", 401, "message", "who is that"),
		rule(`"x-tier" in request.headers && request.headers["x-tier"] == ["gold"]`),
		rule(`claims.absent == 1`, "report_only", true),
	}}))
	gold := [2]string{"X-Tier", "gold"}
	token := goodToken()
	run(t, "all rules hold", func(t *testing.T) {
		r.passes(t, request{token: token, headers: [][2]string{gold}}).has(t, "X-User-Id", subject)
	})
	run(t, "a rule over the headers", func(t *testing.T) { r.refuses(t, request{token: token}, denied) })
	run(t, "a rule over the claims", func(t *testing.T) {
		r.refuses(t, request{token: claims(map[string]any{"sub": "google|1"}), headers: [][2]string{gold}}, denied)
	})
	run(t, "a claim that is missing", func(t *testing.T) {
		r.refuses(t, request{token: claims(map[string]any{"sub": nil}), headers: [][2]string{gold}}, denied)
	})
	run(t, "a rule over the method, with its message", func(t *testing.T) {
		a := r.refuses(t, request{method: "PUT", token: token, headers: [][2]string{gold}}, denied)
		if !strings.Contains(string(a.body), "reading only") {
			t.Errorf("body %s", a.body)
		}
	})
	run(t, "a rule with the status 401", func(t *testing.T) {
		c := r.challenge(t, request{token: token, query: "who=y", headers: [][2]string{gold}}, 401)
		if !strings.HasPrefix(c, "Bearer ") || !strings.Contains(c, "who is that") {
			t.Errorf("challenge %s", c)
		}
	})
}

func TestClaimSchema(t *testing.T) {
	r := newRoute(t, ownPolicy.with(policy{"claim_schema": map[string]any{
		"type": "object", "required": []string{"tenant"},
		"properties": map[string]any{"tenant": map[string]any{"enum": []string{"blue", "green"}}, "level": map[string]any{"type": "integer", "minimum": 2}},
	}}))
	for _, tt := range []struct {
		name   string
		claims map[string]any
		fits   bool
	}{
		{"fits", map[string]any{"tenant": "blue", "level": 2}, true},
		{"another value", map[string]any{"tenant": "red"}, false},
		{"another type", map[string]any{"tenant": "blue", "level": "2"}, false},
		{"missing", nil, false},
	} {
		run(t, tt.name, func(t *testing.T) {
			req := request{token: claims(tt.claims)}
			if tt.fits {
				r.passes(t, req)
			} else {
				r.refuses(t, req, denied)
			}
		})
	}
}

func TestStepUp(t *testing.T) {
	r := newRoute(t, ownPolicy.with(policy{
		"require_mfa": true, "acr_values": []string{"gold", "silver"}, "max_auth_age": "5m",
		"resource_metadata": "https://api.example.com/.well-known/oauth-protected-resource",
	}))
	now := time.Now().Unix()
	strong := map[string]any{"amr": []string{"pwd", "mfa"}, "acr": "gold", "auth_time": now}
	run(t, "strong enough", func(t *testing.T) { r.passes(t, request{token: claims(strong)}) })
	for name, weak := range map[string]map[string]any{
		"no second factor": {"amr": []string{"pwd"}}, "another acr": {"acr": "bronze"},
		"too long ago": {"auth_time": now - 400}, "no auth_time": {"auth_time": nil},
	} {
		run(t, name, func(t *testing.T) {
			c := r.challenge(t, request{token: claims(policy(strong).with(weak))}, 401)
			for _, want := range []string{
				`error="insufficient_user_authentication"`, `acr_values="gold silver"`, `max_age="300"`,
				`resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`,
			} {
				if !strings.Contains(c, want) {
					t.Errorf("challenge %s, want %s in it", c, want)
				}
			}
		})
	}
	run(t, "the challenge without a token names the metadata", func(t *testing.T) {
		if c := r.challenge(t, request{}, 401); !strings.Contains(c, "resource_metadata=") || strings.Contains(c, "error=") {
			t.Errorf("challenge %s", c)
		}
	})
}

// dpopProof is a proof of ownEC for a GET of the route's path.
func (r route) dpopProof(token, path, jti string) string {
	base := must(url.Parse(under.gateway))
	return forge.Proof{
		Key: ownEC, Method: "GET", URL: base.Scheme + "://" + base.Host + r.prefix + path,
		Token: token, ID: jti, At: time.Now(),
	}.String()
}

func TestDPoP(t *testing.T) {
	bound := boundToOwnEC()
	required := newRoute(t, identityOwn.with(policy{"dpop": "require", "forward_token": false}))
	allowed := newRoute(t, identityOwn.with(policy{"dpop": "allow"}))
	send := func(proof string) request {
		return request{headers: [][2]string{{"Authorization", "DPoP " + bound}, {"DPoP", proof}}}
	}
	run(t, "a bound token with its proof", func(t *testing.T) {
		e := required.passes(t, send(required.dpopProof(bound, "/x", "e2e-1"+suiteID)))
		e.has(t, "X-User-Id", subject)
		e.has(t, "Authorization")
		allowed.passes(t, send(allowed.dpopProof(bound, "/x", "e2e-2"+suiteID)))
	})
	run(t, "a proof sent again", func(t *testing.T) {
		proof := required.dpopProof(bound, "/x", "e2e-3"+suiteID)
		required.passes(t, send(proof))
		if c := required.challenge(t, send(proof), 401); !strings.HasPrefix(c, "DPoP ") || !strings.Contains(c, `error="invalid_dpop_proof"`) || !strings.Contains(c, `algs="`) {
			t.Errorf("challenge %s", c)
		}
	})
	run(t, "a proof for another path", func(t *testing.T) {
		required.challenge(t, send(required.dpopProof(bound, "/y", "e2e-4"+suiteID)), 401)
	})
	run(t, "without a proof", func(t *testing.T) {
		required.challenge(t, request{headers: [][2]string{{"Authorization", "DPoP " + bound}}}, 401)
	})
	run(t, "as a bearer token", func(t *testing.T) {
		proof := [2]string{"DPoP", allowed.dpopProof(bound, "/x", "e2e-5"+suiteID)}
		allowed.challenge(t, request{token: bound, headers: [][2]string{proof}}, 401)
	})
	run(t, "a token that is not bound", func(t *testing.T) {
		required.challenge(t, request{token: goodToken()}, 401)
		allowed.passes(t, request{token: goodToken()})
	})
	run(t, "no token: both schemes are offered", func(t *testing.T) {
		if c := allowed.challenge(t, request{}, 401); !strings.HasPrefix(c, "Bearer ") || !strings.Contains(c, ", DPoP ") {
			t.Errorf("challenge %s", c)
		}
	})
}
