package ci_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// spoofs are the ways in which a client tries to name itself.
var spoofs = []struct {
	name    string
	headers [][2]string
}{
	{"once", [][2]string{{"X-User-Id", "admin"}}},
	{"repeated", [][2]string{{"X-User-Id", "admin"}, {"X-User-Id", "root"}}},
	{"its own value first", [][2]string{{"X-User-Id", subject}, {"X-User-Id", "admin"}}},
	{"its own value last", [][2]string{{"X-User-Id", "admin"}, {"X-User-Id", subject}}},
	{"with underscores", [][2]string{{"X_User_Id", "admin"}}},
	{"with one underscore", [][2]string{{"X-User_Id", "admin"}}},
	{"in small letters", [][2]string{{"x-user-id", "admin"}}},
	{"in capitals with underscores", [][2]string{{"X_USER_ID", "admin"}}},
	{"in mixed case, all spellings", [][2]string{{"x-USER-id", "a"}, {"X_user-Id", "b"}, {"X-User-Id", "c"}, {"x_user_id", "d"}}},
	{"with an empty value", [][2]string{{"X-User-Id", ""}}},
	{"empty, then not", [][2]string{{"X-User-Id", ""}, {"X-User-Id", "admin"}}},
}

// TestIdentityHeaders tries every spelling on every path on which a request
// is forwarded.
func TestIdentityHeaders(t *testing.T) {
	own := newRoute(t, identityOwn.with(policy{"unauth_action": "pass", "bypass_cors_preflight": true}))
	missing := newRoute(t, ownPolicy.with(policy{"claim_headers": map[string]any{"X-User-Id": "no_such_claim"}}))
	stripped := newRoute(t, ownPolicy.with(policy{"strip_headers": []string{"x_user_id"}}))
	preflight := newRoute(t, identityOwn.with(policy{"bypass_cors_preflight": true}))
	asksCORS := [][2]string{{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PUT"}}
	paths := []struct {
		name  string
		route route
		req   request
		want  []string
	}{
		{"with a token", own, request{token: goodToken()}, []string{subject}},
		{"without a token", own, request{}, nil},
		{"in a pre-flight", preflight, request{method: "OPTIONS", headers: asksCORS}, nil},
		{"where the claim is missing", missing, request{token: goodToken()}, nil},
		{"where the header is stripped", stripped, request{token: goodToken()}, nil},
	}
	for _, path := range paths {
		for _, s := range spoofs {
			run(t, path.name+", X-User-Id "+s.name, func(t *testing.T) {
				req := path.req
				// Before and after the others: the position must not matter.
				req.headers = append(append([][2]string{}, req.headers...), s.headers...)
				before := under.upstream.requests(t)
				path.route.sendRaw(t, req).passed(t).has(t, "X-User-Id", path.want...)
				if n := under.upstream.requests(t) - before; n != 1 {
					t.Errorf("%d requests reached the upstream, want one", n)
				}
			})
		}
	}
	run(t, "a Connection header cannot take the identity away", func(t *testing.T) {
		own.sendRaw(t, request{token: goodToken()}, "Connection: X-User-Id", "X-User-Id: admin").passed(t).has(t, "X-User-Id", subject)
	})
	run(t, "a space before the colon", func(t *testing.T) {
		a := own.sendRaw(t, request{token: goodToken()}, "X-User-Id : admin")
		if a.echo != nil {
			a.echo.has(t, "X-User-Id", subject)
		} else if a.status != 400 {
			t.Errorf("want the gateway's 400 or the plugin's value: %v", a)
		}
	})
	run(t, "a bad token is not let through as no token", func(t *testing.T) {
		own.refuses(t, request{token: jws{sign: rs256(rogueRSA)}.String()}, badToken)
	})
	run(t, "a pre-flight with a bad token is refused", func(t *testing.T) {
		preflight.refuses(t, request{method: "OPTIONS", headers: asksCORS, token: "opaque"}, badToken)
	})
	run(t, "an OPTIONS that is no pre-flight needs a token", func(t *testing.T) {
		preflight.refuses(t, request{method: "OPTIONS", headers: asksCORS[:1]}, noToken)
	})
	run(t, "a GET that looks like a pre-flight needs a token", func(t *testing.T) {
		preflight.refuses(t, request{headers: asksCORS}, noToken)
	})
}

// TestManyHeaders is about the 100 entries that a gateway shows: what is
// hidden behind them must not get through.
func TestManyHeaders(t *testing.T) {
	r := newRoute(t, identityOwn)
	// Host, Connection and Authorization are three; the spoof is the last.
	filled := func(entries int) []string {
		var lines []string
		for i := range entries - 4 {
			lines = append(lines, fmt.Sprintf("X-Filler-%d: %d", i, i))
		}
		return append(lines, "X-User-Id: admin")
	}
	req := request{token: goodToken()}
	run(t, "90 entries pass", func(t *testing.T) {
		r.sendRaw(t, req, filled(90)...).passed(t).has(t, "X-User-Id", subject)
	})
	run(t, "around 99 nothing gets through", func(t *testing.T) {
		// A gateway may add entries of its own before the plugin counts.
		for entries := 94; entries < 100; entries++ {
			if a := r.sendRaw(t, req, filled(entries)...); a.echo != nil {
				a.echo.has(t, "X-User-Id", subject)
			} else {
				a.isRefusal(t, tooMany)
			}
		}
	})
	for _, entries := range []int{100, 101, 102, 150, 250} {
		run(t, fmt.Sprintf("%d entries are too many", entries), func(t *testing.T) {
			before := under.upstream.requests(t)
			r.sendRaw(t, req, filled(entries)...).isRefusal(t, tooMany)
			if under.upstream.requests(t) != before {
				t.Error("it reached the upstream")
			}
		})
	}
	run(t, "an underscore variant behind 100 entries", func(t *testing.T) {
		lines := append(filled(104), "X_User_Id: root")
		r.sendRaw(t, req, lines...).isRefusal(t, tooMany)
	})
	run(t, "100 entries without a token are too many as well", func(t *testing.T) {
		pass := newRoute(t, identityOwn.with(policy{"unauth_action": "pass"}))
		pass.sendRaw(t, request{}, filled(103)...).isRefusal(t, tooMany)
	})
}

// TestClaimHeaders is about the values that the upstream gets.
func TestClaimHeaders(t *testing.T) {
	tests := []struct {
		name   string
		claim  any
		format string
		want   []string
	}{
		{"a string", "ann", "plain", []string{"ann"}},
		{"a string with spaces and UTF-8", "ann of é", "plain", []string{"ann of é"}},
		{"a number as in the token", literal("1.50"), "plain", []string{"1.50"}},
		{"true", true, "plain", []string{"true"}},
		{"a list", []any{"a,b", "c%", 1, false}, "plain", []string{"a%2Cb,c%25,1,false"}},
		{"an object does not fit", map[string]any{"a": 1}, "plain", nil},
		{"null", literal("null"), "plain", nil},
		{"an empty string", "", "plain", nil},
		{"a line break does not fit", "a\r\nX-Admin: 1", "plain", nil},
		{"JSON", map[string]any{"a": []int{1}}, "json", []string{`{"a":[1]}`}},
		{"base64 of JSON", map[string]any{"a": 1}, "base64", []string{forge.Base64URL(`{"a":1}`)}},
	}
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T) {
			r := newRoute(t, ownPolicy.with(policy{"claim_headers": map[string]any{"X-Claim": map[string]any{"claim": "c", "format": tt.format}}}))
			e := r.passes(t, request{token: claims(map[string]any{"c": tt.claim}), headers: [][2]string{{"X-Claim", "spoofed"}}})
			e.has(t, "X-Claim", tt.want...)
			e.has(t, "X-Admin")
		})
	}
	run(t, "claims_header and token_header", func(t *testing.T) {
		r := newRoute(t, ownPolicy.with(policy{"claims_header": "X-Claims", "token_header": "X-Token"}))
		token := goodToken()
		e := r.passes(t, request{token: token, headers: [][2]string{{"X_Claims", "spoofed"}, {"x-token", "spoofed"}}})
		e.has(t, "X-Token", token)
		e.has(t, "X-Claims", strings.Split(token, ".")[1])
	})
}
