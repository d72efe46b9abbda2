package ci_test

import (
	"strings"
	"testing"
)

// TestLogout ends the session here and at the issuer.
func TestLogout(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{login: offline})
	run(t, "the whole way", func(t *testing.T) {
		b := loggedIn(t, app)
		stolen, stolenPage := b.copy(), b.copy()
		before := under.issuer.counts(t)
		p := b.click("/logout").refused(t, 302)
		to := p.header.Get("Location")
		for _, want := range []string{app.provider.pages + "oidc/logout?", "client_id=" + app.client, "logout_hint=", "post_logout_redirect_uri="} {
			if !strings.Contains(to, want) {
				t.Errorf("sent to %q, without %s", to, want)
			}
		}
		if strings.Contains(to, "id_token_hint") || strings.Contains(to, "eyJ") {
			t.Errorf("a token in %q", to)
		}
		if back := b.follow(p).header.Get("Location"); back != app.origin+"/bye" {
			t.Errorf("the issuer sends the browser to %q", back)
		}
		b.sessionless()
		stolen.fetch("/x").isRefusal(t, noToken)
		stolenPage.open("/x").toIssuer(t, app)
		after := under.issuer.counts(t)
		if after.Revocation-before.Revocation != 1 || after.Logout-before.Logout != 1 {
			t.Errorf("%d revocations, %d logouts at the issuer", after.Revocation-before.Revocation, after.Logout-before.Logout)
		}
		b.login("/again")
	})
	run(t, "by a form of the application's own", func(t *testing.T) {
		b := loggedIn(t, app)
		p := b.send(request{method: "POST", path: "/logout", headers: fromSite("same-origin", navigation)})
		p.refused(t, 302)
		b.sessionless()
	})
	run(t, "other sessions of the user continue", func(t *testing.T) {
		one, other := loggedIn(t, app), loggedIn(t, app)
		one.click("/logout").refused(t, 302)
		other.fetch("/x").passed(t)
	})
	run(t, "without a session", func(t *testing.T) { newBrowser(t, app).open("/logout").refused(t, 302) })
	run(t, "the issuer does not revoke", func(t *testing.T) {
		b := loggedIn(t, app)
		stolen := b.copy()
		under.issuer.spoil(t, spoiling{Path: "revocation", Fault: "status"})
		b.click("/logout").refused(t, 302)
		b.sessionless()
		stolen.fetch("/x").isRefusal(t, noToken)
	})
	run(t, "no end_session_endpoint: Auth0's older one", func(t *testing.T) {
		under.issuer.while(t, settings{Discovery: map[string]any{"end_session_endpoint": nil}})
		plain := newApp(t, appSpec{policy: freshDiscovery()})
		b := loggedIn(t, plain)
		if to := b.click("/logout").refused(t, 302).header.Get("Location"); !strings.HasPrefix(to, plain.provider.url+"v2/logout?") || !strings.Contains(to, "returnTo=") {
			t.Errorf("sent to %q", to)
		}
		b.sessionless()
	})
	for name, headers := range map[string][][2]string{
		"a link of another site": fromSite("cross-site", navigation), "a link of a sibling": fromSite("same-site", navigation),
		"an image":                          {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Dest", "image"}},
		"an old browser's script elsewhere": {{"Origin", "https://evil.example"}, {"Accept", "*/*"}},
		"a prefetch of its own":             append(fromSite("same-origin", navigation), [2]string{"Sec-Purpose", "prefetch"}),
	} {
		run(t, name+" does not log out", func(t *testing.T) {
			b := loggedIn(t, app)
			b.send(request{path: "/logout", headers: headers}).refused(t, 403)
			b.fetch("/x").passed(t)
		})
		if strings.Contains(name, "prefetch") {
			continue
		}
		run(t, name+" does not log in anew", func(t *testing.T) {
			b := loggedIn(t, app)
			p := b.send(request{path: "/login", headers: headers}).refused(t, 403)
			if len(p.header.Values("Set-Cookie")) > 0 {
				t.Error("a cookie was set")
			}
		})
	}
	run(t, "a link of another site logs in who is not", func(t *testing.T) {
		b := newBrowser(t, app)
		b.arrive(b.send(request{path: "/login", headers: fromSite("cross-site", navigation)})).passed(t)
	})
}
