package auth0jwt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// TestWhoIsSentToLogIn: nobody but a person who asks for a page, and nobody with a
// token.
func TestWhoIsSentToLogIn(t *testing.T) {
	i := newIssuer(t)
	bad := []string{"authorization", "Bearer not.a.token"}
	many := make([]string, 0, 200)
	for n := range 100 {
		many = append(many, fmt.Sprintf("x-%d", n), "1")
	}
	preflight := []string{"origin", "https://elsewhere.example", "access-control-request-method", "GET"}
	for _, tt := range []struct {
		name, more, method, target string
		headers                    []string
		status                     int
		reason                     string
	}{
		{"a page", "", "GET", "/orders", page, 302, "login_redirect"},
		{"a page's headers", "", "HEAD", "/orders", page, 302, "login_redirect"},
		{"an old browser's page", "", "GET", "/", []string{"accept", "text/html"}, 302, "login_redirect"},
		{"a script's fetch", "", "GET", "/", []string{"sec-fetch-mode", "cors", "sec-fetch-dest", "empty", "accept", "text/html"}, 401, "missing_token"},
		{"a script's fetch of before", "", "GET", "/", []string{"accept", "text/html", "x-requested-with", "XMLHttpRequest"}, 401, "missing_token"},
		{"an image", "", "GET", "/", []string{"sec-fetch-mode", "no-cors", "sec-fetch-dest", "image"}, 401, "missing_token"},
		{"a frame", "", "GET", "/", []string{"sec-fetch-mode", "navigate", "sec-fetch-dest", "iframe"}, 401, "missing_token"},
		{"a prefetch", "", "GET", "/", headers("sec-purpose", "prefetch"), 401, "missing_token"},
		{"a form", "", "POST", "/", page, 401, "missing_token"},
		{"a pre-flight", "", "OPTIONS", "/", headers(preflight...), 401, "missing_token"},
		{"a pre-flight that is let pass", `,"bypass_cors_preflight":true`, "OPTIONS", "/", preflight, 200, "forwarded"},
		{"a program", "", "GET", "/", nil, 401, "missing_token"},
		{"a token that is not good", "", "GET", "/", headers(bad...), 401, "malformed_token"},
		{"a token of another audience", "", "GET", "/", headers("authorization", bearer(t, i, map[string]any{"aud": "other"})), 401, "bad_audience"},
		{"a route that denies", `,"unauth_action":"deny"`, "GET", "/", page, 401, "missing_token"},
		{"a route that lets pass", `,"unauth_action":"pass"`, "GET", "/", page, 200, "forwarded"},
		{"login_path of a route that denies", `,"unauth_action":"deny"`, "GET", "/login", page, 302, "login_redirect"},
		{"login_path with a token", "", "GET", "/login", headers(bad...), 302, "login_redirect"},
		{"a callback out of nothing", "", "GET", "/callback?code=c&state=s", page, 400, "login_failed"},
		{"a callback with a token", "", "GET", "/callback?code=c&state=s", headers("authorization", bearer(t, i, nil)), 400, "login_failed"},
		{"a logout without a session", "", "GET", "/logout", page, 302, "logout"},
		{"back-channel logout of a browser", "", "GET", "/backchannel", page, 405, "backchannel_logout_failed"},
		{"a hundred headers", "", "GET", "/login", many, 431, "too_many_headers"},
		{"a configuration that is not valid", `,"unknown":1`, "GET", "/login", page, 500, "config_invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t, i, tt.more, "")
			b := a.browser(t)
			got := b.do(tt.method, tt.target, tt.headers...)
			if got.status != tt.status {
				t.Errorf("%d %s, want %d", got.status, got.body, tt.status)
			}
			if n := a.plugin.Gate().Decisions(); n[tt.reason] != 1 {
				t.Errorf("counted %v, want %s", n, tt.reason)
			}
			if redirected := tt.reason == "login_redirect"; (len(b.cookies) > 0) != redirected || (got.header.Get("Location") != "") != (redirected || tt.reason == "logout") {
				t.Errorf("cookies %v, headers %v", b.cookies, got.header)
			}
			if got.status != 200 && got.body == "" {
				t.Error("an answer without a body, for which APISIX puts a page of its own")
			}
		})
	}
}

// TestStepUpIsAskedForOnce: who comes back without it gets a page.
func TestStepUpIsAskedForOnce(t *testing.T) {
	i := newIssuer(t)
	a := newApp(t, i, `,"require_mfa":true`, "")
	b := a.loggedIn(t)
	if got := b.do("GET", "/"); got.status != 401 || !strings.Contains(got.body, "insufficient_user_authentication") || got.header.Get("Www-Authenticate") == "" {
		t.Errorf("a script: %d %s", got.status, got.body)
	}
	got := b.get("/secret?x=1")
	if got.status != 302 || !strings.Contains(got.location(t).Query().Get("acr_values"), "multi-factor") {
		t.Fatalf("%d %v", got.status, got.header)
	}
	back := b.get(b.at(t, got.location(t).String()).RequestURI())
	if back.status != 303 || back.header.Get("Location") != "/secret?x=1" {
		t.Fatalf("%d %v %s", back.status, back.header, back.body)
	}
	after := b.get("/secret?x=1")
	if after.upstream == nil && (after.status != 403 || !strings.Contains(after.header.Get("Content-Type"), "html")) {
		t.Errorf("who comes back gets %d %s", after.status, after.body)
	}
}

// TestWhileTheIssuerIsAwayNobodyIsSentRound.
func TestWhileTheIssuerIsAwayNobodyIsSentRound(t *testing.T) {
	i := newIssuer(t)
	a := newApp(t, i, "", "")
	b := a.loggedIn(t)
	if got := b.get("/"); got.upstream == nil {
		t.Fatal(got.status)
	}
	for _, path := range []string{"discovery", "jwks"} {
		if err := i.SetFault(issuer.Fault{Path: path, Fault: "status"}); err != nil {
			t.Fatal(err)
		}
	}
	fresh := newApp(t, i, "", "") // has neither keys nor discovery
	for name, cookies := range map[string]map[string]string{"without a session": {}, "with one": b.cookies} {
		got := (&browser{fresh, cookies, nil}).get("/")
		if got.status != 503 || got.header.Get("Retry-After") == "" || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
}

// TestASessionWithoutTheTokenThatARouteJudgesDoesNotLoop: two routes share a cookie
// and not what they judge.
func TestASessionWithoutTheTokenThatARouteJudgesDoesNotLoop(t *testing.T) {
	i := newIssuer(t)
	without := func(document []byte) []byte { // a refresh would bring the token
		return []byte(strings.Replace(string(document), "openid offline_access", "openid", 1))
	}
	p := loginPlugin(t, nil)
	a := &app{i, p, parse(t, p, without(loginConf(t, i, "", "")))}
	b := a.loggedIn(t)
	document := strings.Replace(string(loginConf(t, i, "", `,"subject_token":"id_token"`)), fmt.Sprintf("%q", issuer.DefaultAudience), `"web"`, 1)
	other := &app{i, a.plugin, parse(t, a.plugin, without([]byte(document)))}
	got := (&browser{other, b.cookies, b.issuer}).get("/")
	if got.status == 302 || got.upstream != nil || !strings.Contains(got.header.Get("Content-Type"), "html") {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
}
