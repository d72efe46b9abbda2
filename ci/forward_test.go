package ci_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func wantStatus(status int) func(answer) error {
	return func(a answer) error {
		if a.status != status {
			return fmt.Errorf("status %d, want %d", a.status, status)
		}
		return nil
	}
}

// TestMethods sends a good token and a bad one by every method.
func TestMethods(t *testing.T) {
	r := newRoute(t, identityOwn)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"} {
		run(t, method, func(t *testing.T) {
			before := under.upstream.requests(t)
			good := r.send(t, request{method: method, token: goodToken()})
			if good.status != http.StatusOK {
				t.Fatalf("status %d with a good token, want 200", good.status)
			}
			if n := under.upstream.requests(t) - before; n != 1 {
				t.Errorf("%d requests reached the upstream, want one", n)
			}
			bad := r.send(t, request{method: method, token: "opaque"})
			if method == "HEAD" { // no bodies to look into
				if bad.status != http.StatusUnauthorized || len(bad.body) > 0 {
					t.Errorf("want a 401 without a body: %v", bad)
				}
				return
			}
			bad.isRefusal(t, badToken)
			e := good.passed(t)
			e.has(t, "X-User-Id", subject)
			if e.Method != method {
				t.Errorf("the upstream got the method %s", e.Method)
			}
		})
	}
	run(t, "a method that no plugin sees goes nowhere", func(t *testing.T) {
		before := under.upstream.requests(t)
		if a := r.send(t, request{method: "BREW", token: goodToken()}); a.status < http.StatusBadRequest {
			t.Errorf("status %d, want a refusal", a.status)
		}
		if under.upstream.requests(t) != before {
			t.Error("it reached the upstream")
		}
	})
}

// TestLeftAlone is about what the plugin must not touch.
func TestLeftAlone(t *testing.T) {
	for _, phase := range []string{"ext-plugin-pre-req", "ext-plugin-post-req"} {
		r := newRouteOf(t, routeSpec{value: identityOwn.text(), phase: phase})
		run(t, phase+": a body", func(t *testing.T) {
			body := `{"order":"` + strings.Repeat("x", 5000) + `"}`
			e := r.passes(t, request{method: "POST", token: goodToken(), body: body})
			if e.Body != body {
				t.Errorf("the upstream got %d bytes, want %d, or others", e.BodyLength, len(body))
			}
		})
		run(t, phase+": a body of 1 MiB", func(t *testing.T) {
			const size = 1 << 20
			e := r.passes(t, request{method: "PUT", token: goodToken(), body: strings.Repeat("0123456789abcdef", size/16)})
			if e.BodyLength != size {
				t.Errorf("the upstream got %d bytes, want %d", e.BodyLength, size)
			}
		})
		run(t, phase+": other headers", func(t *testing.T) {
			e := r.passes(t, request{token: goodToken(), headers: [][2]string{
				{"X-Other", "b"}, {"X-Other", "a"}, {"X-User", "u"}, {"X-User-Id-2", "2"}, {"Accept", "text/plain"},
			}})
			e.has(t, "X-Other", "a", "b")
			e.has(t, "X-User", "u")
			e.has(t, "X-User-Id-2", "2")
			e.has(t, "Accept", "text/plain")
			e.has(t, "X-User-Id", subject)
		})
		run(t, phase+": path and query", func(t *testing.T) {
			e := r.passes(t, request{token: goodToken(), path: "/a/b.c/d-e", query: "b=2&a=1&b=%20x&empty="})
			if e.Path != r.prefix+"/a/b.c/d-e" || e.Query != "b=2&a=1&b=%20x&empty=" {
				t.Errorf("the upstream got %q ? %q", e.Path, e.Query)
			}
		})
		run(t, phase+": a refusal", func(t *testing.T) {
			r.refuses(t, request{}, noToken)
			r.refuses(t, request{token: claims(map[string]any{"exp": 1})}, badToken)
		})
		run(t, phase+": spoofed identity", func(t *testing.T) {
			e := r.passes(t, request{token: goodToken(), headers: [][2]string{{"X-User-Id", subject}, {"X-User-Id", "admin"}, {"X_User_Id", "admin"}}})
			e.has(t, "X-User-Id", subject)
		})
	}
}

// TestCORS is about the gateway's own plugin cors beside this one.
func TestCORS(t *testing.T) {
	const origin = "https://app.example"
	cors := map[string]any{"cors": map[string]any{
		"allow_origins": origin, "allow_methods": "GET,PUT", "allow_headers": "Authorization",
	}}
	asks := request{method: "OPTIONS", headers: [][2]string{
		{"Origin", origin}, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", "authorization"},
	}}
	after := newRouteOf(t, routeSpec{value: identityOwn.text(), meta: map[string]any{"priority": 3999}, other: cors})
	run(t, "behind cors, pre-flights are cors's", func(t *testing.T) {
		before := under.upstream.requests(t)
		a := after.send(t, asks)
		if a.status/100 != 2 || a.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("want cors's own answer: %v, Access-Control-Allow-Origin %q", a, a.header.Get("Access-Control-Allow-Origin"))
		}
		if under.upstream.requests(t) != before {
			t.Error("the pre-flight reached the upstream")
		}
	})
	run(t, "behind cors, refusals carry its headers", func(t *testing.T) {
		a := after.refuses(t, request{headers: [][2]string{{"Origin", origin}}}, noToken)
		if got := a.header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("Access-Control-Allow-Origin %q, want %q", got, origin)
		}
	})
	run(t, "behind cors, a good token passes", func(t *testing.T) {
		after.passes(t, request{token: goodToken(), headers: [][2]string{{"Origin", origin}}}).has(t, "X-User-Id", subject)
	})
	run(t, "before cors, a pre-flight needs a token", func(t *testing.T) {
		newRouteOf(t, routeSpec{value: identityOwn.text(), other: cors}).refuses(t, asks, noToken)
	})
}
