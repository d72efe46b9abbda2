package gate_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
	provider "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// choose is one of a list.
func choose(rnd *rand.Rand, list ...string) string { return list[rnd.IntN(len(list))] }

// generate draws a request.
func (a *app) generate(rnd *rand.Rand, tokens []string) *shown {
	r := &shown{method: choose(rnd, "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "DELETE", "PROPFIND"), path: choose(rnd, "/", "/page?a=b", "/callback;x", "/LOGIN", "/logout/", "/callback/../x")}
	add := func(name, value string) { r.headers = append(r.headers, identity.Header{Name: name, Value: value}) }
	if rnd.IntN(2) == 0 {
		add(choose(rnd, "x-user-id", "X_User-Id", "x_user_id", "X-USER-ID"), forged)
	}
	for range rnd.IntN(3) {
		kinds := slices.Sorted(func(yield func(string) bool) {
			for k := range a.jars {
				if !yield(k) {
					return
				}
			}
		})
		value := a.jars[choose(rnd, kinds...)]
		switch rnd.IntN(6) {
		case 0:
			value = "theme=dark; " + value
		case 1:
			value += ";  lang=de ;" + a.jars["transaction"]
		case 2:
			value = strings.ReplaceAll(value, "=", " = ")
		}
		add(choose(rnd, "cookie", "Cookie", "COOKIE", "cookie"), value)
	}
	switch rnd.IntN(6) {
	case 0:
		add("authorization", "Bearer "+tokens[rnd.IntN(len(tokens))])
	case 1:
		add("Authorization", choose(rnd, "Basic "+forged, "Bearer", "Bearer ", "bearer x, Bearer y"))
	}
	for _, one := range [][]string{
		{"sec-fetch-mode", "navigate", "navigate", "cors"},
		{"sec-fetch-dest", "document", "document", "empty", "iframe"},
		{"sec-fetch-site", "same-origin", "none", "cross-site", "same-site", "same-origin, none"},
		{"origin", webOrigin, "https://evil.example", "null"},
		{"accept", "text/html", "*/*", "text/html;q=0"},
		{"access-control-request-method", "GET"},
		{"upgrade", "websocket"},
		{"x-requested-with", "XMLHttpRequest"},
		{"sec-purpose", "prefetch"},
	} {
		if rnd.IntN(3) == 0 {
			add(one[0], choose(rnd, one[1:]...))
		}
	}
	if rnd.IntN(40) == 0 {
		for len(r.headers) < 100 {
			add("x-fill", "x")
		}
	}
	return r
}

// TestWhateverIsAskedInPlaceAndColdAgree draws requests. What is decided in
// place, what is decided by a gate that knows everything, and what is decided by
// one that remembers nothing is the same, and what is forwarded holds none of
// login's cookies and nothing of the client's under an identity header's name.
func TestWhateverIsAskedInPlaceAndColdAgree(t *testing.T) {
	a := newApp(t)
	warm, cold := a.gate(gate.NewCache(8<<20), nil), a.gate(nil, smallest(t))
	good, err := a.Mint(provider.MintRequest{})
	if err != nil {
		t.Fatal(err)
	}
	expired, _ := a.Mint(provider.MintRequest{ExpiresIn: -3600})
	rogue, _ := a.Mint(provider.MintRequest{Key: "rogue"})
	tokens := []string{good, good, good, expired, rogue, "opaque"}
	const requests = 2000 // of each route
	inPlace := 0
	for _, route := range []struct{ name, more, login string }{
		{"login", `,"unauth_action":"auth"`, ``},
		{"pass", `,"unauth_action":"pass"`, ``},
		{"deny, pre-flights pass", `,"unauth_action":"deny","bypass_cors_preflight":true,"error_format":"none"`, ``},
		{"the access token is forwarded", `,"unauth_action":"auth","forward_token":false`, `,"forward_access_token":true`},
		{"ID token", `,"error_format":"problem"`, `,"subject_token":"id_token"`},
		{"both", `,"token_from":[{"header":"Authorization","scheme":"Bearer"},{"cookie":"token"}],"rules":[{"expression":"id_token == {} || id_token.sub == claims.sub"}]`, ``},
		{"not allowed", `,"required_scopes":["never"]`, ``},
		{"step-up", `,"require_mfa":true`, ``},
	} {
		t.Run(route.name, func(t *testing.T) {
			document := a.document("web", route.more, route.login)
			known, fresh := warm.Compile(document), cold.Compile(document)
			if known.Err() != nil {
				t.Fatal(known.Err())
			}
			others := warm.Compile(a.document("other", route.more, route.login))
			mine := a.login(warm, known)
			name, value, _ := strings.Cut(mine, "=")
			ended := a.login(warm, known)
			for g, r := range map[*gate.Gate]*gate.Route{warm: known, cold: fresh} {
				g.Decide(r, &shown{method: "GET", path: "/logout", headers: []identity.Header{{Name: "cookie", Value: ended}}})
			}
			a.jars = map[string]string{
				"mine": mine, "mine again": mine, "ended": ended, "another application's": a.login(warm, others), "none": "theme=dark",
				"twice": mine + "; " + mine, "cut": mine[:len(mine)-1], "garbage": name + "=garbage", "empty": name + "=", "second": name + "_1=x; " + mine,
				"transaction": "__Host-auth0_txn_3=" + strings.Repeat("A", 32), "as a token": "token=" + value, "good as a token": "token=" + good,
			}
			for n := range requests {
				rnd := rand.New(rand.NewPCG(uint64(n), 14))
				req := a.generate(rnd, tokens)
				want := cold.Decide(fresh, req)
				for round := range 2 {
					again := req.clone()
					if d, decided := warm.Known(known, again); decided {
						inPlace++
						if got, want := told(known, gate.Verdict{Decision: d}, again), told(fresh, want, req); got != want {
							t.Fatalf("in place, round %d, %v:\n%s\nand cold:\n%s", round, req, got, want)
						}
					} else if again.edits != nil || again.answer != nil {
						t.Fatalf("edited and not decided: %v", req)
					}
					if again = req.clone(); round == 0 {
						if got, want := told(known, warm.Decide(known, again), again), told(fresh, want, req); got != want {
							t.Fatalf("warm, %v:\n%s\nand cold:\n%s", req, got, want)
						}
					}
				}
				if req.edits == nil {
					continue
				}
				for _, h := range req.upstream() {
					folded := fold.Name(h.Name)
					switch {
					case strings.Contains(h.Value, "auth0_session"), strings.Contains(h.Value, "auth0_txn"), strings.Contains(strings.ReplaceAll(strings.ReplaceAll(h.Value, " ", ""), "token="+value, ""), value),
						folded == "x-user-id" && h.Value != "auth0|alice" && h.Value != "auth0|user-1":
						t.Fatalf("the upstream of %v gets %v", req, h)
					case folded == "authorization" && strings.Contains(route.login, "forward_access_token") && strings.Contains(h.Value, forged):
						t.Fatalf("the upstream gets the client's %v", h)
					}
				}
			}
		})
	}
	if inPlace < 1000 {
		t.Errorf("only %d were decided in place", inPlace)
	}
}

// smallest is a memory in which nothing stays.
func smallest(t *testing.T) *store.Memory {
	m := store.NewMemory(1)
	t.Cleanup(m.Close)
	return m
}
