package ci_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func from(sources ...map[string]any) policy {
	var list []any
	for _, s := range sources {
		list = append(list, s)
	}
	return policy{"token_from": list}
}

var (
	fromCookie = map[string]any{"cookie": "session"}
	fromQuery  = map[string]any{"query": "access_token"}
	fromBare   = map[string]any{"header": "X-Api-Token"}
	fromBearer = map[string]any{"header": "Authorization", "scheme": "Bearer"}
)

// TestTokenSources is about where a token may be, and what is left there.
func TestTokenSources(t *testing.T) {
	token := goodToken()
	everywhere := newRoute(t, identityOwn.with(from(fromBearer, fromCookie, fromQuery, fromBare)))
	withheld := newRoute(t, identityOwn.with(from(fromBearer, fromCookie, fromQuery, fromBare)).with(policy{"forward_token": false}))
	cookie := [2]string{"Cookie", "theme=dark; session=" + token + "; lang=nl"}
	bare := [2]string{"X-Api-Token", token}

	found := []struct {
		name string
		req  request
	}{
		{"a bearer token", request{token: token}},
		{"a scheme in small letters", request{headers: [][2]string{{"Authorization", "bearer " + token}}}},
		{"a scheme in capitals", request{headers: [][2]string{{"Authorization", "BEARER " + token}}}},
		{"a cookie", request{headers: [][2]string{cookie}}},
		{"a query argument", request{query: "a=1&access_token=" + token + "&b=2"}},
		{"a bare header", request{headers: [][2]string{bare}}},
	}
	for _, tt := range found {
		run(t, tt.name+" is found and forwarded", func(t *testing.T) {
			e := everywhere.passes(t, tt.req)
			e.has(t, "X-User-Id", subject)
			if !e.holds(token) {
				t.Error("the token did not reach the upstream")
			}
		})
		run(t, tt.name+" is found and withheld", func(t *testing.T) {
			e := withheld.passes(t, tt.req)
			e.has(t, "X-User-Id", subject)
			if e.holds(token) {
				t.Error("the token reached the upstream")
			}
		})
	}
	run(t, "other cookies stay where the token is withheld", func(t *testing.T) {
		e := withheld.passes(t, request{headers: [][2]string{cookie}})
		e.has(t, "Cookie", "theme=dark; lang=nl")
	})
	run(t, "the only cookie leaves no header", func(t *testing.T) {
		withheld.passes(t, request{headers: [][2]string{{"Cookie", "session=" + token}}}).has(t, "Cookie")
	})
	run(t, "other arguments stay where the token is withheld", func(t *testing.T) {
		e := withheld.passes(t, request{query: "a=1&access_token=" + token + "&b=x%20y&a=2"})
		args, err := url.ParseQuery(e.Query)
		if err != nil || args.Encode() != "a=1&a=2&b=x+y" {
			t.Errorf("the upstream got the query %q (%v)", e.Query, err)
		}
	})
	run(t, "another cookie's name is not the token's", func(t *testing.T) {
		everywhere.refuses(t, request{headers: [][2]string{{"Cookie", "xsession=" + token}}}, noToken, token)
	})

	twice := []struct {
		name string
		req  request
	}{
		{"header and cookie", request{token: token, headers: [][2]string{cookie}}},
		{"header and argument", request{token: token, query: "access_token=" + token}},
		{"cookie and bare header", request{headers: [][2]string{cookie, bare}}},
		{"the bare header repeated", request{headers: [][2]string{bare, {"X-Api-Token", "other"}}}},
		{"the bare header repeated in another case", request{headers: [][2]string{bare, {"x-api-token", token}}}},
		{"the argument repeated", request{query: "access_token=" + token + "&access_token=" + token}},
		{"the cookie repeated", request{headers: [][2]string{{"Cookie", "session=" + token + "; session=" + token}}}},
		{"a good token and a bad one", request{token: token, query: "access_token=opaque"}},
	}
	for _, tt := range twice {
		run(t, "two tokens: "+tt.name, func(t *testing.T) { everywhere.refuses(t, tt.req, twoTokens, token) })
	}
	run(t, "two Authorization headers are refused", func(t *testing.T) {
		before := under.upstream.requests(t)
		a := everywhere.sendRaw(t, request{token: token}, "Authorization: Bearer "+token)
		if a.status != http.StatusBadRequest {
			t.Errorf("status %d, want 400", a.status)
		}
		if under.upstream.requests(t) != before {
			t.Error("it reached the upstream")
		}
	})
	run(t, "the default takes no token from the query or a cookie", func(t *testing.T) {
		r := newRoute(t, ownPolicy)
		r.refuses(t, request{query: "access_token=" + token, headers: [][2]string{{"Cookie", "session=" + token}}}, noToken, token)
	})
	run(t, "a custom scheme", func(t *testing.T) {
		r := newRoute(t, identityOwn.with(from(map[string]any{"header": "Authorization", "scheme": "Token"})))
		r.passes(t, request{headers: [][2]string{{"Authorization", "token " + token}}}).has(t, "X-User-Id", subject)
		r.refuses(t, request{token: token}, noToken)
	})
}

// holds reports whether the upstream got this text in any header or the query.
func (e *echo) holds(text string) bool {
	if strings.Contains(e.Query, text) {
		return true
	}
	for _, values := range e.Headers {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return true
		}
	}
	return false
}
