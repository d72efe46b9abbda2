package ci_test

import (
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
)

func TestRecipeCORS(t *testing.T) {
	r := cook(t, newRecipe(t, under, "CORS", map[string]string{"ALICE": tokenOf("alice", nil)}))
	run(t, "no OPTIONS reaches the upstream, with a token or without", func(t *testing.T) {
		before := under.upstream.requests(t)
		for _, token := range []string{"", "opaque", tokenOf("alice", nil)} {
			for _, headers := range [][][2]string{nil, {{"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "PUT"}}} {
				r.send(t, request{method: http.MethodOptions, path: "/orders/1", token: token, headers: headers})
			}
		}
		if under.upstream.requests(t) != before {
			t.Error("one did")
		}
	})
	run(t, "what looks like a pre-flight needs a token by every other method", func(t *testing.T) {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			headers := [][2]string{{"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "PUT"}, {"X-HTTP-Method-Override", "OPTIONS"}}
			r.send(t, request{method: method, path: "/orders/1", headers: headers}).isRefusal(t, noToken)
		}
	})
	run(t, "another origin is not allowed", func(t *testing.T) {
		for _, token := range []string{"", tokenOf("alice", nil)} {
			a := r.send(t, request{path: "/orders/1", token: token, headers: [][2]string{{"Origin", "https://evil.example"}}})
			if allowed := a.header.Get("Access-Control-Allow-Origin"); allowed == "*" || allowed == "https://evil.example" {
				t.Errorf("it is: %q", allowed)
			}
		}
	})
	run(t, "a page can read the challenge of a refusal", func(t *testing.T) {
		a := r.send(t, request{path: "/orders/1", headers: [][2]string{{"Origin", "https://app.example.com"}}})
		a.isRefusal(t, noToken)
		if exposed := a.header.Get("Access-Control-Expose-Headers"); exposed != "WWW-Authenticate" {
			t.Errorf("exposed are %q", exposed)
		}
	})
	run(t, "behind cors identity is the token's", func(t *testing.T) {
		r.send(t, request{path: "/orders/1", token: tokenOf("alice", nil), headers: claimsToBe["the header with _"]}).passed(t).has(t, "X-User-Id", "auth0|alice")
	})
}

func TestRecipePublicAndProtected(t *testing.T) {
	r := cook(t, newRecipe(t, under, "A public and a protected part", map[string]string{"ALICE": tokenOf("alice", nil)}))
	for name, headers := range claimsToBe {
		run(t, "nobody is nobody in the public part with "+name, func(t *testing.T) {
			r.send(t, request{path: "/orders/catalog/1", headers: headers}).passed(t).has(t, "X-User-Id")
		})
	}
	run(t, "a bad token is refused in the public part", func(t *testing.T) {
		r.send(t, request{path: "/orders/catalog/1", token: "opaque"}).isRefusal(t, badToken)
	})
	for _, target := range []string{
		"/orders/catalog/../1", "/orders/catalog/..%2f1", "/orders/catalog/%2e%2e/1", "/orders/catalog/%2e%2e%2f1",
		"/orders/catalog%2f..%2f1", "/orders/catalog/.%2e/1", "/orders/catalog//../../1", "/orders/./catalog/../1",
		"/orders/1/../catalog/2", "/orders/1%2f..%2fcatalog/2", "/orders/1/%2e%2e/catalog/2", "/orders//1/../catalog/2",
		"/orders/catalog/x/../../1", "/orders/catalog/%252e%252e/1", "/orders/catalog/2?/../../1", "/orders/catalog/2#/../../1",
		"/orders/catalog", "/orders/catalog%00/1", "/ORDERS/catalog/1", "/orders/Catalog/1",
	} {
		run(t, "without a token nothing but the catalog is to be had by "+target, func(t *testing.T) {
			a, err := r.tryRaw(request{path: target})
			if err != nil {
				t.Fatal(err)
			}
			if a.echo == nil {
				if a.status < 400 {
					t.Errorf("got %v", a)
				}
				return
			}
			decoded, err := url.PathUnescape(a.echo.Path)
			if err != nil {
				t.Fatal(err)
			}
			for _, read := range []string{a.echo.Path, decoded, path.Clean(decoded)} {
				if !strings.HasPrefix(read, r.prefix+"/orders/catalog/") {
					t.Errorf("the upstream got %q, and may read %q", a.echo.Path, read)
				}
			}
		})
	}
}

func TestRecipeMachineToMachine(t *testing.T) {
	machine := map[string]any{"azp": "nightly-export", "gty": "client-credentials", "scope": "read:orders"}
	r := cook(t, newRecipe(t, under, "Machine to machine", map[string]string{
		"MACHINE": claims(overlaid(machine, map[string]any{"sub": "nightly-export@clients"})),
		"OTHER":   claims(overlaid(machine, map[string]any{"sub": "other@clients", "azp": "other"})),
		"ALICE":   tokenOf("alice", map[string]any{"azp": "nightly-export", "scope": "read:orders"}),
	}))
	denied := refusal{status: 403, code: "access_denied"}
	for name, tt := range map[string]struct {
		claims map[string]any
		want   refusal
	}{
		"a person's token for the machine's client": {map[string]any{"gty": nil}, denied},
		"another grant":                {map[string]any{"gty": "password"}, denied},
		"a list of grants":             {map[string]any{"gty": []string{"client-credentials"}}, denied},
		"no client":                    {map[string]any{"azp": nil}, denied},
		"client_id beside another azp": {map[string]any{"azp": "other", "client_id": "nightly-export"}, denied},
		"no scope":                     {map[string]any{"scope": nil}, missingScope("read:orders")},
	} {
		run(t, name+" is refused", func(t *testing.T) {
			headers := [][2]string{{"X-Client-Id", "nightly-export"}}
			r.send(t, request{path: "/orders/1", token: claims(overlaid(machine, tt.claims)), headers: headers}).isRefusal(t, tt.want)
		})
	}
}

func TestRecipeStagingAndProduction(t *testing.T) {
	production := map[string]any{"iss": "https://production.eu.auth0.com/"}
	staging := jws{claims: map[string]any{"iss": "https://staging.eu.auth0.com/"}, sign: rs256(rogueRSA)}
	r := cook(t, newRecipe(t, under, "Staging and production", map[string]string{
		"PRODUCTION": claims(production), "STAGING": staging.String(),
	}))
	at := r.route
	at.host = "api.example.com"
	run(t, "the staging tenant's key signs nothing for production", func(t *testing.T) {
		at.send(t, request{path: "/orders/1", token: jws{claims: production, sign: rs256(rogueRSA)}.String()}).isRefusal(t, badToken)
	})
	run(t, "headers of proxies do not choose the tenant", func(t *testing.T) {
		const other = "api.staging.example.com"
		headers := [][2]string{{"X-Forwarded-Host", other}, {"Forwarded", "host=" + other}, {"X-Host", other}, {"X-Original-Host", other}}
		at.send(t, request{path: "/orders/1", token: staging.String(), headers: headers}).isRefusal(t, badToken)
	})
	run(t, "a third host has no route", func(t *testing.T) {
		third := at
		third.host = "api.other.example.com"
		if a := third.send(t, request{path: "/orders/1", token: claims(production)}); a.status != http.StatusNotFound {
			t.Errorf("got %v", a)
		}
	})
}

func TestRecipeReportOnly(t *testing.T) {
	on := under
	if under.counts != nil && !official() {
		on = sibling(t, "report-only")
	}
	bob := tokenOf("bob", map[string]any{"email_verified": false})
	r := newRecipe(t, on, "Try a rule before you enforce it", map[string]string{
		"ALICE": tokenOf("alice", map[string]any{"email_verified": true}), "BOB": bob,
	})
	r.settles = map[string]func(recipe) error{"enforced.json": func(r recipe) error {
		a, err := r.try(request{path: "/orders/1", token: bob})
		if err != nil {
			return err
		}
		return wantStatus(http.StatusForbidden)(a)
	}}
	cook(t, r)
	for name, verified := range map[string]any{"missing": nil, "a text": "true", "a number": 1} {
		run(t, "enforced, a claim that is "+name+" is refused", func(t *testing.T) {
			token := tokenOf("carol", map[string]any{"email_verified": verified})
			r.send(t, request{path: "/orders/1", token: token}).isRefusal(t, refusal{status: 403, code: "access_denied"})
		})
	}
	if on.metrics == "" {
		return
	}
	run(t, "the log names the route and the rule, and nothing of the token", func(t *testing.T) {
		log, err := os.ReadFile(on.log("report-only"))
		if err != nil {
			t.Fatal(err)
		}
		_, line, found := strings.Cut(string(log), `"a rule with report_only would have denied a request"`)
		line, _, _ = strings.Cut(line, "\n")
		if !found || !strings.Contains(line, `"route":"orders"`) || !strings.Contains(line, `"rule":0`) || strings.Contains(line, "auth0|bob") {
			t.Errorf("the log: %s", log)
		}
	})
}
