package ci_test

import (
	"net/http"
	"testing"
)

// cached asks for a page as a person does, and reports how the cache answered.
func (r recipe) cached(t *testing.T, person string, req request) (status string, e *echo) {
	t.Helper()
	req.token = tokenOf(person, nil)
	a := r.send(t, req)
	return a.header.Get("Apisix-Cache-Status"), a.passed(t)
}

func TestRecipeCachePerUser(t *testing.T) {
	r := cook(t, newRecipe(t, under, "A cache for each user", map[string]string{"ALICE": tokenOf("alice", nil), "BOB": tokenOf("bob", nil)}))
	private := request{path: "/orders/private"}
	if _, e := r.cached(t, "victim", private); e == nil {
		t.Fatal("the victim has no page")
	}
	for name, headers := range claimsToBe {
		run(t, "nobody reads the victim's page with "+name, func(t *testing.T) {
			req := private
			req.headers = headers
			_, e := r.cached(t, "mallory", req)
			e.has(t, "X-User-Id", "auth0|mallory")
		})
		run(t, "nobody plants a page for the victim with "+name, func(t *testing.T) {
			planted := request{path: "/orders/planted", headers: headers}
			r.cached(t, "mallory", planted)
			planted.headers = nil
			_, e := r.cached(t, "victim", planted)
			e.has(t, "X-User-Id", "auth0|victim")
		})
	}
	run(t, "a cached page needs a good token", func(t *testing.T) {
		for token, want := range map[string]refusal{
			"": noToken, "opaque": badToken, claims(map[string]any{"sub": "auth0|victim", "exp": 1}): badToken,
			claims(map[string]any{"sub": "auth0|victim", "aud": "https://other.example"}): badToken,
		} {
			for _, headers := range claimsToBe {
				r.send(t, request{path: private.path, token: token, headers: headers}).isRefusal(t, want)
			}
		}
	})
	run(t, "a refusal is not kept", func(t *testing.T) {
		first := request{path: "/orders/first"}
		r.send(t, request{path: first.path, token: "opaque", headers: claimsToBe["the header"]}).isRefusal(t, badToken)
		if status, _ := r.cached(t, "victim", first); status != "MISS" {
			t.Errorf("then the cache says %s", status)
		}
	})
	run(t, "a user and a host never make up another user and host", func(t *testing.T) {
		for i, tt := range []struct{ person, host string }{
			{"alice", "x.example"}, {"ali", "cex.example"}, {"alicex", ".example"}, {"alice\u00a0", "x.example"},
		} {
			a, err := r.tryRaw(request{path: "/orders/joined", host: tt.host, token: tokenOf(tt.person, nil)})
			if err != nil {
				t.Fatal(err)
			}
			if a.status == http.StatusOK && a.header.Get("Apisix-Cache-Status") != "MISS" {
				t.Errorf("%d: %s got the page of another", i, tt.person)
			}
		}
	})
	run(t, "a user and a path never make up another user and path", func(t *testing.T) {
		for _, tt := range []struct{ person, path string }{{"eve", "/orders/1"}, {"ev", "/orders/e/1"}, {"eve", "/orders/%01%01/1"}, {"eve\x7f", "/orders/1"}} {
			a := r.send(t, request{path: tt.path, token: tokenOf(tt.person, nil)})
			if a.status == http.StatusOK && a.header.Get("Apisix-Cache-Status") != "MISS" {
				t.Errorf("%q got the page of another", tt.person)
			}
		}
	})
	run(t, "HEAD leaves no empty page for GET", func(t *testing.T) {
		r.send(t, request{method: http.MethodHead, path: "/orders/head", token: tokenOf("alice", nil)})
		if status, e := r.cached(t, "alice", request{path: "/orders/head"}); status != "MISS" || e.Method != http.MethodGet {
			t.Errorf("the cache says %s", status)
		}
	})
	run(t, "one user's page is kept for that user", func(t *testing.T) {
		before := under.upstream.requests(t)
		if status, e := r.cached(t, "victim", private); status != "HIT" || under.upstream.requests(t) != before {
			t.Errorf("the cache says %s", status)
		} else {
			e.has(t, "X-User-Id", "auth0|victim")
		}
	})
}
