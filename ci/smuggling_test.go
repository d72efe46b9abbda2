package ci_test

import (
	"strings"
	"testing"
)

// unreadable are values of Authorization that are no token here and that some
// upstream reads one out of.
var unreadable = []struct{ name, value string }{
	{"a tab before the scheme", "\tBearer forged"},
	{"a tab after the scheme", "Bearer\tforged"},
	{"a comma after the scheme", "Bearer,forged"},
	{"a comma before the scheme", ", Bearer forged"},
	{"another credential before it", "Basic x, Bearer forged"},
	{"two spaces after the scheme", "Bearer  forged"},
}

// TestSmuggledTokens sends them where a request may be forwarded without a
// token, or with one from elsewhere.
func TestSmuggledTokens(t *testing.T) {
	pass := newRoute(t, identityOwn.with(policy{"unauth_action": "pass"}))
	preflight := newRoute(t, identityOwn.with(policy{"bypass_cors_preflight": true}))
	twoPlaces := newRoute(t, identityOwn.with(from(fromBearer, fromQuery)))
	asksCORS := [][2]string{{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PUT"}}
	for _, place := range []struct {
		name  string
		route route
		req   request
	}{
		{"without a token", pass, request{}},
		{"in a pre-flight", preflight, request{method: "OPTIONS", headers: asksCORS}},
		{"beside a good token", twoPlaces, request{query: "access_token=" + goodToken()}},
	} {
		for _, tt := range unreadable {
			run(t, place.name+": "+tt.name, func(t *testing.T) {
				place.route.refusesRaw(t, place.req, twoTokens, "Authorization: "+tt.value)
			})
		}
	}
	for _, place := range []struct {
		name  string
		route route
		req   request
	}{
		{"without a token", pass, request{}},
		{"in a pre-flight", preflight, request{method: "OPTIONS", headers: asksCORS}},
	} {
		run(t, place.name+": Basic goes through", func(t *testing.T) {
			place.route.sendRaw(t, place.req, "Authorization: Basic dXNlcjpw").passed(t).has(t, "X-User-Id")
		})
		run(t, place.name+": no Authorization goes through", func(t *testing.T) {
			place.route.sendRaw(t, place.req).passed(t).has(t, "X-User-Id")
		})
	}
	run(t, "two Authorization headers are the gateway's own 400", func(t *testing.T) {
		before := under.upstream.requests(t)
		a := pass.sendRaw(t, request{}, "Authorization: Basic dXNlcjpw", "Authorization: Bearer forged")
		if a.status != 400 || !strings.HasPrefix(string(a.body), "<html>") {
			t.Errorf("want nginx's page: %v", a)
		}
		if under.upstream.requests(t) != before {
			t.Error("it reached the upstream")
		}
	})
	run(t, "an Authorization behind 100 headers goes nowhere", func(t *testing.T) {
		pass.refusesRaw(t, request{}, tooMany, append(fillers(100), "Authorization: Bearer forged")...)
	})
}

// TestASourceByItsFoldedName is about a header's name that upstreams read with
// `_` and `-` alike.
func TestASourceByItsFoldedName(t *testing.T) {
	token := goodToken()
	r := newRoute(t, identityOwn.with(from(map[string]any{"header": "X-Access-Token"})))
	for _, name := range []string{"X-Access-Token", "X_Access_Token", "x_access-token"} {
		run(t, name+" is the token's place", func(t *testing.T) {
			r.sendRaw(t, request{}, name+": "+token).passed(t).has(t, "X-User-Id", subject)
		})
	}
	run(t, "both spellings are two tokens", func(t *testing.T) {
		r.refusesRaw(t, request{}, twoTokens, "X-Access-Token: "+token, "X_Access_Token: "+token)
		r.refusesRaw(t, request{}, twoTokens, "X_Access_Token: forged", "X-Access-Token: "+token)
	})
	run(t, "it is withheld under the other spelling too", func(t *testing.T) {
		withheld := newRoute(t, identityOwn.with(from(map[string]any{"header": "X-Access-Token"})).with(policy{"forward_token": false}))
		e := withheld.sendRaw(t, request{}, "X_Access_Token: "+token).passed(t)
		e.has(t, "X-User-Id", subject)
		if e.holds(token) {
			t.Error("the token reached the upstream")
		}
	})
}

// refusesRaw is refuses with lines written by hand.
func (r route) refusesRaw(t *testing.T, req request, want refusal, lines ...string) {
	t.Helper()
	before := under.upstream.requests(t)
	a := r.sendRaw(t, req, lines...)
	a.isRefusal(t, want)
	if under.upstream.requests(t) != before {
		t.Error("it reached the upstream")
	}
}

func fillers(n int) []string {
	var lines []string
	for range n {
		lines = append(lines, "X-Filler: 1")
	}
	return lines
}
