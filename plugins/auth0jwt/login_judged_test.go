package auth0jwt_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// TestASessionIsJudgedAsATokenIs, by the same checks, and is no way round one.
func TestASessionIsJudgedAsATokenIs(t *testing.T) {
	i := newIssuer(t)
	script := []string{"sec-fetch-mode", "cors", "sec-fetch-site", "same-origin", "accept", "application/json"}
	for _, tt := range []struct {
		name, more, login, method string
		headers                   []string
		status                    int
		reason, html              string
	}{
		{"a page", "", "", "GET", page, 200, "forwarded", ""},
		{"a script", "", "", "GET", script, 200, "forwarded", ""},
		{"the ID token", "", `,"subject_token":"id_token"`, "GET", page, 200, "forwarded", ""},
		{"a claim of the ID token", `,"rules":[{"expression":"id_token.sub == claims.sub"}]`, "", "GET", page, 200, "forwarded", ""},
		{"not allowed, as a page", `,"required_scopes":["admin"]`, "", "GET", page, 403, "insufficient_scope", "yes"},
		{"not allowed, for a script", `,"required_scopes":["admin"]`, "", "GET", script, 403, "insufficient_scope", ""},
		{"another client's", `,"allowed_clients":["other"]`, "", "GET", page, 403, "wrong_client", "yes"},
		{"a token in the request wins", "", "", "GET", headers("authorization", "Bearer not.a.token"), 401, "malformed_token", ""},
		{"another site's form", "", "", "POST", []string{"sec-fetch-site", "cross-site"}, 403, "cross_site_request", ""},
		{"another site's form, as a page", "", "", "POST", headers("sec-fetch-site", "cross-site"), 403, "cross_site_request", "yes"},
		{"another origin's form", "", "", "POST", []string{"origin", "https://elsewhere.example"}, 403, "cross_site_request", ""},
		{"a sibling's form", "", "", "DELETE", []string{"sec-fetch-site", "same-site"}, 403, "cross_site_request", ""},
		{"another site's WebSocket", "", "", "GET", []string{"upgrade", "websocket", "origin", "https://elsewhere.example"}, 403, "cross_site_request", ""},
		{"another site's form, where nobody has to log in", `,"unauth_action":"pass"`, "", "POST", []string{"sec-fetch-site", "cross-site"}, 403, "cross_site_request", ""},
		{"its own form", "", "", "POST", []string{"sec-fetch-site", "same-origin"}, 200, "forwarded", ""},
		{"another site's link", "", "", "GET", headers("sec-fetch-site", "cross-site"), 200, "forwarded", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			more := tt.more
			a := newApp(t, i, more, tt.login)
			if strings.Contains(tt.login, "id_token") {
				a.conf = parse(t, a.plugin, []byte(strings.Replace(string(loginConf(t, i, more, tt.login)), fmt.Sprintf("%q", issuer.DefaultAudience), `"web"`, 1)))
			}
			b := a.browser(t)
			b.get(b.at(t, b.get("/login").location(t).String()).RequestURI())
			before := a.plugin.Gate().Decisions()[tt.reason]
			got := b.do(tt.method, "/orders", tt.headers...)
			if got.status != tt.status || a.plugin.Gate().Decisions()[tt.reason] != before+1 {
				t.Errorf("%d %s, want %d", got.status, got.body, tt.status)
			}
			if html := strings.Contains(got.header.Get("Content-Type"), "text/html"); html != (tt.html != "") || got.status != 200 && got.body == "" {
				t.Errorf("%v %s", got.header, got.body)
			}
			if got.upstream != nil {
				if up := got.upstream.upstream("cookie", "x-user-id"); len(up["cookie"]) > 0 || len(up["x-user-id"]) != 1 {
					t.Errorf("the upstream gets %v", up)
				}
			}
		})
	}
}

// TestTheUpstreamGetsNoCookieOfALogin, on every path that lets a request pass.
func TestTheUpstreamGetsNoCookieOfALogin(t *testing.T) {
	i := newIssuer(t)
	a := newApp(t, i, `,"unauth_action":"pass"`, `,"forward_access_token":true`)
	b := a.browser(t)
	b.get(b.at(t, b.get("/login").location(t).String()).RequestURI())
	b.get("/login?return_to=/x") // a transaction beside the session
	b.cookies["theme"] = "dark"
	session := b.cookies["__Host-auth0_session"]
	for _, tt := range []struct {
		name, user, auth string
		cookie           string
		headers          []string
	}{
		{"with a session", "auth0|alice", "session's", session, headers("authorization", "Basic Zm9v", "x_user_id", "admin")},
		{"with none", "", "", "", headers("x-user-id", "admin")},
		{"with one that does not open", "", "", session[:len(session)-2] + "AA", page},
		{"with a token of its own", "bob", "own", session, headers("authorization", bearer(t, i, map[string]any{"sub": "bob"}))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			delete(b.cookies, "__Host-auth0_session")
			if tt.cookie != "" {
				b.cookies["__Host-auth0_session"] = tt.cookie
			}
			got := b.do("GET", "/", tt.headers...)
			if got.upstream == nil {
				t.Fatalf("%d %s", got.status, got.body)
			}
			up := got.upstream.upstream("cookie", "x-user-id", "x_user_id", "authorization")
			if len(up["cookie"]) != 1 || up["cookie"][0] != "theme=dark" {
				t.Errorf("cookies: %v", up["cookie"])
			}
			if users := append(up["x-user-id"], up["x_user_id"]...); strings.Join(users, ",") != tt.user {
				t.Errorf("users: %v", users)
			}
			auth := strings.Join(up["authorization"], ",")
			if (auth != "") != (tt.auth != "") || tt.auth == "session's" && (!strings.HasPrefix(auth, "Bearer ") || strings.Contains(auth, ",")) {
				t.Errorf("Authorization: %s", auth)
			}
			if (sessionCookie(got) == "deleted") != strings.HasSuffix(tt.name, "not open") {
				t.Errorf("Set-Cookie: %v", got.header)
			}
		})
	}
}

func TestWhateverGoesWrongInALoginDenies(t *testing.T) {
	a := newApp(t, newIssuer(t), "", "")
	for _, path := range []string{"/login", "/callback", "/logout", "/backchannel", "/"} {
		r := newRequest(page...)
		r.path, r.panics = []byte(path), true
		w := newRecorder()
		a.plugin.RequestFilter(a.conf, w, r)
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "server_error") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
