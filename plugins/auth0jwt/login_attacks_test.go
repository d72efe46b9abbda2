package auth0jwt_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// sessionCookie reports whether an answer deletes the session's cookie, or sets it.
func sessionCookie(r reply) string {
	for _, line := range r.header.Values("Set-Cookie") {
		switch {
		case strings.HasPrefix(line, "__Host-auth0_session=;"):
			return "deleted"
		case strings.HasPrefix(line, "__Host-auth0_session="):
			return "set"
		}
	}
	return ""
}

func headers(more ...string) []string { return append(slices.Clone(page), more...) }

func bearer(t testing.TB, i *issuer.Issuer, claims map[string]any) string {
	t.Helper()
	raw, err := i.Mint(issuer.MintRequest{Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + raw
}

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

// TestASessionNearItsTokensEndIsRefreshedOnce for all who come at the same time,
// and the browser gets the new cookie with the page.
func TestASessionNearItsTokensEndIsRefreshedOnce(t *testing.T) {
	i := newIssuer(t)
	register(t, i, issuer.Client{AccessTokenLifetime: 30})
	a := newApp(t, i, "", "")
	b := a.loggedIn(t)
	register(t, i, issuer.Client{}) // from here on tokens live for a day
	var all sync.WaitGroup
	for range 50 {
		tab := &browser{a, map[string]string{"__Host-auth0_session": b.cookies["__Host-auth0_session"]}, nil}
		all.Go(func() {
			got := tab.get("/")
			if got.upstream == nil || sessionCookie(got) != "set" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", got.status, got.header)
			}
			if got := tab.get("/"); got.upstream == nil || sessionCookie(got) != "" {
				t.Errorf("with the new cookie: %d %v", got.status, got.header)
			}
		})
	}
	all.Wait()
	if n := i.Counters(); n.Refresh != 1 || n.Reuse != 0 || a.plugin.Gate().SessionsRefreshed() != 1 {
		t.Errorf("%d refreshes, %d are counted", n.Refresh, a.plugin.Gate().SessionsRefreshed())
	}
}

// TestASessionWhoseTokenIsNotGoodIsNone, but right after its login the browser is
// not sent round.
func TestASessionWhoseTokenIsNotGoodIsNone(t *testing.T) {
	for _, tt := range []struct{ name, fault, scope, reason string }{
		{"expired", "expired", "openid", "expired"},
		{"of another audience", "wrong_aud", "openid", "bad_audience"},
		{"forged", "rogue_key", "openid", "bad_signature"},
		{"opaque", "garbage", "openid", "malformed_token"},
		{"expired, and so is what a refresh brings", "expired", "openid offline_access", "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			now := time.Now()
			p := loginPlugin(t, func(o *auth0jwt.Options) { auth0jwt.WithClock(o, func() time.Time { return now }) })
			document := strings.Replace(string(loginConf(t, i, "", "")), "openid offline_access", tt.scope, 1)
			a := &app{i, p, parse(t, p, []byte(document))}
			if err := i.SetFault(issuer.Fault{Path: "access_token", Fault: tt.fault}); err != nil {
				t.Fatal(err)
			}
			b := a.loggedIn(t)
			cookie := b.cookies["__Host-auth0_session"]
			got := b.get("/")
			if got.status != 401 || sessionCookie(got) != "deleted" || !strings.Contains(got.header.Get("Content-Type"), "html") || p.Gate().Decisions()[tt.reason] != 1 {
				t.Errorf("right after the login: %d %v %s", got.status, got.header, got.body)
			}
			if tt.scope != "openid" {
				return // what became of the session is remembered
			}
			now = now.Add(11 * time.Second)
			b.cookies["__Host-auth0_session"] = cookie
			if got := b.get("/"); got.status != 302 || sessionCookie(got) != "deleted" {
				t.Errorf("later: %d %v %s", got.status, got.header, got.body)
			}
			b.cookies["__Host-auth0_session"] = cookie
			if got := b.do("GET", "/"); got.status != 401 || sessionCookie(got) != "deleted" || !strings.Contains(got.body, "missing_token") {
				t.Errorf("a script, later: %d %v %s", got.status, got.header, got.body)
			}
		})
	}
}

// TestWhatWasRevokedEndsSessions: the session here, a copy of its cookie, and not
// the login after it.
func TestWhatWasRevokedEndsSessions(t *testing.T) {
	i := newIssuer(t)
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, a *app, b *browser, now time.Time)
	}{
		{"logout", func(t *testing.T, _ *app, b *browser, _ time.Time) {
			if got := b.get("/logout"); got.status != 302 || sessionCookie(got) != "deleted" || !strings.HasPrefix(got.header.Get("Location"), i.URL()) {
				t.Errorf("%d %v", got.status, got.header)
			}
		}},
		{"back-channel logout", func(t *testing.T, a *app, _ *browser, _ time.Time) {
			raw, err := i.MintLogoutToken(issuer.LogoutToken{ClientID: "web", Sub: "auth0|alice"})
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{"logout_token": {raw}}.Encode()
			them := a.browser(t)
			for _, want := range []int{200, 400} { // once
				got := them.send("POST", "/backchannel", []byte(form), "content-type", "application/x-www-form-urlencoded", "content-length", fmt.Sprint(len(form)))
				if got.status != want || got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		}},
		{"an operator", func(t *testing.T, a *app, _ *browser, now time.Time) {
			r := revocation.Revocation{Issuer: i.URL(), Kind: revocation.Subject, Value: "auth0|alice", Before: now}
			if _, err := a.plugin.Gate().Revocations().Revoke(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			p := loginPlugin(t, func(o *auth0jwt.Options) { auth0jwt.WithClock(o, func() time.Time { return now }) })
			a := &app{i, p, parse(t, p, loginConf(t, i, "", ""))}
			b := a.loggedIn(t)
			copied := &browser{a, map[string]string{"__Host-auth0_session": b.cookies["__Host-auth0_session"]}, b.issuer}
			if got := copied.get("/"); got.upstream == nil {
				t.Fatalf("before: %d", got.status)
			}
			tt.end(t, a, b, now)
			if got := copied.get("/"); got.status != 302 || sessionCookie(got) != "deleted" {
				t.Errorf("a copy of the cookie: %d %v", got.status, got.header)
			}
			now = now.Add(time.Second) // what begins in the same millisecond is revoked too
			again := a.loggedIn(t)
			if got := again.get("/"); got.upstream == nil {
				t.Errorf("after another login: %d %s", got.status, got.body)
			}
			a.plugin.Configure(auth0jwt.Options{AllowInsecure: true, Logger: slog.New(slog.DiscardHandler)})
			a.conf = parse(t, a.plugin, loginConf(t, i, "", ""))
			if got := again.get("/"); got.upstream == nil {
				t.Errorf("with other settings: %d %s", got.status, got.body)
			}
		})
	}
}

func TestALogoutTokenThatIsTooLargeIsNotEvenAskedFor(t *testing.T) {
	a := newApp(t, newIssuer(t), "", "")
	for name, length := range map[string]string{"too long": "65537", "no length": "x", "it says less": "10"} {
		got := a.browser(t).send("POST", "/backchannel", make([]byte, 70_000), "content-type", "application/x-www-form-urlencoded", "content-length", length)
		if got.status != 400 {
			t.Errorf("%s: %d", name, got.status)
		}
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
