package ci_test

import (
	"slices"
	"strings"
	"testing"
)

// TestCrossSiteRequests live on a session alone and come from elsewhere.
func TestCrossSiteRequests(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	b := loggedIn(t, app)
	origin := func(o string) [2]string { return [2]string{"Origin", o} }
	site := func(s string) [2]string { return [2]string{"Sec-Fetch-Site", s} }
	socket := [][2]string{{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}
	for _, tt := range []struct {
		name    string
		headers [][2]string
		passes  bool
	}{
		{"of another site", [][2]string{site("cross-site"), origin("https://evil.example")}, false},
		{"of a sibling", [][2]string{site("same-site"), origin("https://sibling.example")}, false},
		{"of another site that says the application's origin", [][2]string{site("cross-site"), origin(app.origin)}, false},
		{"of a site nobody knows", [][2]string{site("made-up")}, false},
		{"with Sec-Fetch-Site twice", [][2]string{site("same-origin"), site("cross-site")}, false},
		{"of an old browser elsewhere", [][2]string{origin("https://evil.example")}, false},
		{"of an old browser at http", [][2]string{origin("http://" + app.host)}, false},
		{"of an old browser at another port", [][2]string{origin(app.origin + ":8443")}, false},
		{"of a sandboxed page", [][2]string{origin("null")}, false},
		{"of an old browser, Origin twice", [][2]string{origin(app.origin), origin("https://evil.example")}, false},
		{"of its own pages", [][2]string{site("same-origin"), origin(app.origin)}, true},
		{"of its own pages in an old browser", [][2]string{origin(app.origin)}, true},
		{"of a person", [][2]string{site("none")}, true},
		{"of a program", nil, true},
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			run(t, method+" "+tt.name, func(t *testing.T) {
				before := under.upstream.requests(t)
				p := b.send(request{method: method, headers: tt.headers})
				if tt.passes {
					p.passed(t).has(t, "X-User-Id", "auth0|alice")
					return
				}
				p.isRefusal(t, denied)
				if under.upstream.requests(t) != before {
					t.Error("the upstream got it")
				}
			})
		}
		if !tt.passes {
			run(t, "a WebSocket "+tt.name, func(t *testing.T) {
				p := b.send(request{headers: append(slices.Clone(socket), tt.headers...)})
				if p.status != 403 {
					t.Errorf("got %v", p.answer)
				}
			})
		}
		run(t, "GET "+tt.name, func(t *testing.T) { b.send(request{headers: tt.headers}).passed(t) })
	}
	run(t, "another site's form gets a page", func(t *testing.T) {
		p := b.send(request{method: "POST", headers: fromSite("cross-site", navigation)}).refused(t, 403)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("got %v", p.answer)
		}
	})
	run(t, "a bearer token is no session", func(t *testing.T) {
		token := [2]string{"Authorization", "Bearer " + under.issuer.mint(t, minting{})}
		b.send(request{method: "POST", headers: [][2]string{token, site("cross-site"), origin("https://evil.example")}}).passed(t)
	})
	run(t, "without a session it is as ever", func(t *testing.T) {
		newBrowser(t, app).send(request{method: "POST", headers: [][2]string{site("cross-site")}}).isRefusal(t, noToken)
	})
}

// TestStepUpByRedirect sends a browser to log in again, once.
func TestStepUpByRedirect(t *testing.T) {
	logins(t)
	idToken := func(more policy) appSpec {
		return appSpec{login: policy{"subject_token": "id_token"}, policy: merged(policy{"audience": nil}, more)}
	}
	const mfa = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
	for _, tt := range []struct {
		name  string
		asks  policy
		acr   string
		age   string
		short map[string]any // a token that falls short after all that
	}{
		{"require_mfa", policy{"require_mfa": true}, mfa, "", map[string]any{"amr": nil}},
		{"acr_values", policy{"acr_values": []string{"urn:phr"}}, "urn:phr", "", nil},
		{"max_auth_age", policy{"max_auth_age": "10m"}, "", "600", nil},
		{"both", policy{"acr_values": []string{"urn:phr", "urn:phrh"}, "max_auth_age": 600}, "urn:phr urn:phrh", "600", nil},
	} {
		base := newApp(t, idToken(nil))
		strict := newApp(t, appSpec{at: &base, login: policy{"subject_token": "id_token"}, policy: merged(policy{"audience": nil}, tt.asks)})
		run(t, tt.name+": a page is sent there and comes back", func(t *testing.T) {
			b := loggedIn(t, base)
			at := b.elsewhere(strict)
			p := at.click("/secret")
			params := p.toIssuer(t, strict)
			if params.Get("acr_values") != tt.acr || params.Get("max_age") != tt.age {
				t.Errorf("asked for %v", params)
			}
			end := at.arrive(p)
			end.passed(t).has(t, "X-User-Id", "auth0|alice")
			if end.at != strict.origin+strict.prefix+"/secret" {
				t.Errorf("it ended at %s", end.at)
			}
			at.fetch("/secret").passed(t)
		})
		run(t, tt.name+": a script gets a challenge", func(t *testing.T) {
			b := loggedIn(t, base)
			p := b.elsewhere(strict).fetch("/secret").refused(t, 401)
			if !strings.Contains(p.header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
				t.Errorf("challenged by %q", p.header.Get("WWW-Authenticate"))
			}
		})
		run(t, tt.name+": with a bearer token nobody is redirected", func(t *testing.T) {
			token := under.issuer.mint(t, minting{Claims: map[string]any{"aud": base.client}})
			newBrowser(t, base).elsewhere(strict).open("/secret", [2]string{"Authorization", "Bearer " + token}).refused(t, 401)
		})
		if tt.short == nil {
			continue
		}
		run(t, tt.name+": one that comes back and falls short gets a page, and no loop", func(t *testing.T) {
			b := loggedIn(t, base)
			under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: tt.short})
			at := b.elsewhere(strict)
			before := under.issuer.counts(t).Authorize
			p := at.arrive(at.click("/secret")).refused(t, 403)
			if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
				t.Errorf("no page: %v", p.answer)
			}
			for range 3 {
				at.click("/secret").refused(t, 403)
			}
			if n := under.issuer.counts(t).Authorize - before; n != 1 {
				t.Errorf("sent there %d times", n)
			}
		})
	}
	run(t, "an acr that is asked for and not given ends the login", func(t *testing.T) {
		base := newApp(t, idToken(nil))
		strict := newApp(t, appSpec{at: &base, login: policy{"subject_token": "id_token"}, policy: policy{"audience": nil, "acr_values": []string{"urn:phr"}}})
		b := loggedIn(t, base)
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: map[string]any{"acr": "urn:password"}})
		at := b.elsewhere(strict)
		at.arrive(at.click("/secret")).refused(t, 403)
		b.fetch("/x").passed(t)
	})
}
