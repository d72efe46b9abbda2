package ci_test

import (
	"net/http"
	"testing"
)

// claimsToBe are headers in which a client names another user to the gateway, in
// the ways that some plugin or upstream might read.
var claimsToBe = map[string][][2]string{
	"the header":                  {{"X-User-Id", "auth0|victim"}},
	"the header in small letters": {{"x-user-id", "auth0|victim"}},
	"the header with _":           {{"X_User_Id", "auth0|victim"}},
	"the header twice":            {{"X-User-Id", "auth0|victim"}, {"X-User-Id", "auth0|victim"}},
	"an empty header":             {{"X-User-Id", ""}},
}

// left is what a limit says is left of it.
func (r recipe) left(t *testing.T, token string) string {
	t.Helper()
	return r.send(t, request{path: "/orders/1", token: token}).header.Get("X-RateLimit-Remaining")
}

func TestRecipeRateLimitPerUser(t *testing.T) {
	r := cook(t, newRecipe(t, under, "A rate limit per user", map[string]string{"ALICE": tokenOf("alice", nil), "BOB": tokenOf("bob", nil)}))
	victim := tokenOf("victim", nil)
	for name, headers := range claimsToBe {
		run(t, "a limit that is used up stays so with "+name, func(t *testing.T) {
			a := r.send(t, request{path: "/orders/1", token: tokenOf("alice", nil), headers: headers})
			if a.status != http.StatusTooManyRequests {
				t.Errorf("got %v", a)
			}
		})
	}
	run(t, "another token of the same person has the same limit", func(t *testing.T) {
		if a := r.send(t, request{path: "/orders/2", token: tokenOf("alice", map[string]any{"jti": "another"})}); a.status != http.StatusTooManyRequests {
			t.Errorf("got %v", a)
		}
	})
	run(t, "requests that name a victim, with a token or a bad one, leave the victim's limit alone", func(t *testing.T) {
		mallory := tokenOf("mallory", nil)
		for _, headers := range claimsToBe {
			r.send(t, request{path: "/orders/1", token: mallory, headers: headers})
			r.send(t, request{path: "/orders/1", token: "opaque", headers: headers})
			r.send(t, request{path: "/orders/1", headers: headers})
		}
		if left := r.left(t, victim); left != "2" {
			t.Errorf("after one request of the victim %s are left of 3", left)
		}
	})
	run(t, "a person whose token has no sub gets no limit of others", func(t *testing.T) {
		a := r.send(t, request{path: "/orders/1", token: claims(map[string]any{"sub": nil})})
		a.isRefusal(t, refusal{status: 403, code: "access_denied"})
	})
}

func TestRecipeRateLimitPerOrganization(t *testing.T) {
	acme, globex := map[string]any{"org_id": "org_acme"}, map[string]any{"org_id": "org_globex"}
	r := cook(t, newRecipe(t, under, "A rate limit per organization", map[string]string{
		"ALICE": tokenOf("alice", acme), "BOB": tokenOf("bob", acme), "CAROL": tokenOf("carol", globex),
	}))
	run(t, "another organization's name in the header changes nothing", func(t *testing.T) {
		headers := [][2]string{{"X-Org-Id", "org_globex"}, {"X_Org_Id", "org_globex"}}
		if a := r.send(t, request{path: "/orders/1", token: tokenOf("bob", acme), headers: headers}); a.status != http.StatusTooManyRequests {
			t.Errorf("got %v", a)
		}
		if left := r.left(t, tokenOf("carol", globex)); left != "1" {
			t.Errorf("after two requests of the other organization %s are left of 3", left)
		}
	})
	run(t, "a token of no organization is refused", func(t *testing.T) {
		r.send(t, request{path: "/orders/1", token: tokenOf("alice", nil)}).isRefusal(t, refusal{status: 403, code: "access_denied"})
	})
}
