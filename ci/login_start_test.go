package ci_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestWhoIsSentToLogIn is about requests without a token and without a session.
func TestWhoIsSentToLogIn(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	html := [2]string{"Accept", "text/html"}
	fetched := func(mode, dest string) [][2]string {
		return [][2]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Mode", mode}, {"Sec-Fetch-Dest", dest}, html}
	}
	preflight := append(scriptHeaders("cross-site"), [2]string{"Origin", "https://other.example"}, [2]string{"Access-Control-Request-Method", "PUT"})
	for _, tt := range []struct {
		name    string
		method  string
		headers [][2]string
		login   bool
	}{
		{"a page", "GET", navigation, true},
		{"its head", "HEAD", navigation, true},
		{"a link of another site", "GET", fromSite("cross-site", navigation), true},
		{"a browser that says nothing of itself", "GET", [][2]string{html}, true},
		{"a form", "POST", navigation, false},
		{"a script", "GET", scriptHeaders("same-origin"), false},
		{"a script that takes HTML", "GET", fetched("cors", "empty"), false},
		{"an old script", "GET", [][2]string{html, {"X-Requested-With", "XMLHttpRequest"}}, false},
		{"an image", "GET", fetched("no-cors", "image"), false},
		{"a style sheet", "GET", fetched("no-cors", "style"), false},
		{"a frame", "GET", fetched("navigate", "iframe"), false},
		{"a service worker", "GET", fetched("same-origin", "serviceworker"), false},
		{"a prefetch", "GET", append(slices.Clone(navigation), [2]string{"Sec-Purpose", "prefetch;prerender"}), false},
		{"an old prefetch", "GET", [][2]string{html, {"Purpose", "prefetch"}}, false},
		{"a pre-flight", "OPTIONS", preflight, false},
		{"a program", "GET", nil, false},
		{"a program that takes anything", "GET", [][2]string{{"Accept", "*/*"}}, false},
		{"a page with HTML of no weight", "GET", [][2]string{{"Accept", "text/html;q=0, */*"}}, false},
	} {
		run(t, tt.name, func(t *testing.T) {
			b := newBrowser(t, app)
			before := under.upstream.requests(t)
			p := b.send(request{method: tt.method, path: "/x", headers: tt.headers})
			if under.upstream.requests(t) != before {
				t.Error("the upstream got it")
			}
			if tt.login {
				p.toIssuer(t, app)
				return
			}
			p.isRefusal(t, noToken)
			if len(p.header.Values("Set-Cookie")) > 0 {
				t.Error("a cookie was set")
			}
		})
	}
}

// TestATokenInTheRequestWins over the session.
func TestATokenInTheRequestWins(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	b := loggedIn(t, app)
	bearer := func(token string) [2]string { return [2]string{"Authorization", "Bearer " + token} }
	run(t, "a good one", func(t *testing.T) {
		e := b.open("/x", bearer(under.issuer.mint(t, minting{}))).passed(t)
		e.has(t, "X-User-Id", "auth0|user-1")
	})
	run(t, "a bad one, and the session does not help", func(t *testing.T) {
		for _, who := range []*browser{b, newBrowser(t, app)} {
			for _, token := range []string{under.issuer.mint(t, minting{ExpiresIn: -600}), under.issuer.mint(t, minting{Key: "rogue"}), "opaque"} {
				p := who.open("/x", bearer(token)).refused(t, 401)
				p.isRefusal(t, badToken)
			}
		}
	})
	run(t, "the session is what it was", func(t *testing.T) { b.click("/x").passed(t).has(t, "X-User-Id", "auth0|alice") })
	run(t, "clients cannot set identity headers beside a session", func(t *testing.T) {
		e := b.send(request{headers: append(slices.Clone(navigation), [2]string{"X-User-Id", "admin"}, [2]string{"X_User_Id", "admin"})}).passed(t)
		e.has(t, "X-User-Id", "auth0|alice")
	})
	run(t, "the session's token is judged as any other", func(t *testing.T) {
		strict := newApp(t, appSpec{at: &app, policy: policy{"required_scopes": []string{"admin:all"}}})
		p := b.elsewhere(strict).click("/x").refused(t, 403)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("no page: %v", p.answer)
		}
		b.elsewhere(strict).fetch("/x").isRefusal(t, missingScope("admin:all"))
	})
	run(t, "a rule over the ID token keeps out", func(t *testing.T) {
		ruled := newApp(t, appSpec{policy: policy{"rules": []any{policy{"expression": `id_token.email == "bob@example.com"`}}}})
		b := newBrowser(t, ruled)
		b.arrive(b.open("/x")).refused(t, 403)
	})
	run(t, "without a session the ID token is empty", func(t *testing.T) {
		ruled := newApp(t, appSpec{policy: policy{"rules": []any{policy{"expression": `id_token.size() == 0`}}}})
		newBrowser(t, ruled).open("/x", bearer(under.issuer.mint(t, minting{}))).passed(t)
	})
}

// TestLoginPathAlone is about routes that send nobody to log in by themselves.
func TestLoginPathAlone(t *testing.T) {
	logins(t)
	for _, action := range []string{"deny", "pass"} {
		app := newApp(t, appSpec{policy: policy{"unauth_action": action}, login: policy{"forward_params": []string{"organization", "login_hint", "ui_locales", "screen_hint", "invitation"}}})
		run(t, action+": a page without a session", func(t *testing.T) {
			p := newBrowser(t, app).open("/x")
			if action == "pass" {
				p.passed(t).has(t, "X-User-Id")
				return
			}
			p.refused(t, 401)
		})
		run(t, action+": login_path starts a login", func(t *testing.T) {
			b := newBrowser(t, app)
			e := b.arrive(b.open("/login?return_to=" + url.QueryEscape(deep))).passed(t)
			e.has(t, "X-User-Id", "auth0|alice")
			if !samePath(e.Path, "/café/日 x") {
				t.Errorf("it ended at %s", e.Path)
			}
		})
		run(t, action+": its own paths never reach the upstream", func(t *testing.T) {
			before := under.upstream.requests(t)
			for _, path := range []string{"/callback", "/login", "/logout", "/backchannel", "/%6Cogin", "/a/../callback"} {
				for _, method := range []string{"GET", "POST", "PUT", "HEAD", "OPTIONS"} {
					if p := newBrowser(t, app).send(request{method: method, path: path, headers: navigation}); p.status == 200 && path != "/logout" {
						t.Errorf("%s %s: %v", method, path, p.answer)
					}
				}
			}
			if n := under.upstream.requests(t) - before; n != 0 {
				t.Errorf("%d did", n)
			}
		})
	}

	app := newApp(t, appSpec{login: policy{"forward_params": []string{"organization", "login_hint", "ui_locales", "invitation"}}})
	ask := func(t *testing.T, query string) url.Values {
		t.Helper()
		return newBrowser(t, app).open("/login?"+query).toIssuer(t, app)
	}
	run(t, "parameters that a client may give", func(t *testing.T) {
		got := ask(t, "login_hint=bob&ui_locales=de%20nl&organization=acme")
		if got.Get("login_hint") != "bob" || got.Get("ui_locales") != "de nl" || got.Get("organization") != "acme" {
			t.Errorf("asked for %v", got)
		}
	})
	run(t, "an invitation", func(t *testing.T) {
		var made struct{ Invitation string }
		under.issuer.post(t, "/control/invitations", organization{"org_inv", "invited"}, &made)
		b := newBrowser(t, app)
		p := b.arrive(b.open("/login?invitation=" + made.Invitation + "&organization=org_inv&login_hint=bob&return_to=%2Fin"))
		p.passed(t).has(t, "X-User-Id", "auth0|bob")
	})
	injected := []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
		"code_challenge_method", "audience", "request", "request_uri", "connection", "screen_hint", "prompt", "max_age", "acr_values", "claims", "registration",
	}
	for _, name := range injected {
		run(t, "an injected "+name+" does nothing", func(t *testing.T) {
			clean, got := ask(t, ""), ask(t, url.Values{name: {"evil-value"}}.Encode())
			for p := range got {
				if got[p][0] == "evil-value" || len(got[p]) != 1 || clean[p] == nil {
					t.Errorf("%s=%q", p, got[p])
				}
			}
		})
	}
	for name, query := range map[string]string{
		"a repeated parameter": "login_hint=a&login_hint=b", "a repeated return path": "return_to=/a&return_to=/b",
		"a line break": "login_hint=a%0d%0ab", "a parameter of 4 KB": "login_hint=" + strings.Repeat("a", 4096),
	} {
		run(t, name+" at login_path", func(t *testing.T) { newBrowser(t, app).open("/login?"+query).refused(t, 400) })
	}
	run(t, "a parameter within a parameter stays there", func(t *testing.T) {
		got := ask(t, "login_hint="+url.QueryEscape("a&client_id=evil&redirect_uri=https://evil.example"))
		if got.Get("client_id") != app.client || got.Get("redirect_uri") != app.origin+"/callback" || len(got["client_id"]) != 1 {
			t.Errorf("asked for %v", got)
		}
	})
}
