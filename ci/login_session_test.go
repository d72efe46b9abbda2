package ci_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// justLoggedIn is a browser that did not ask for a page since its login, so that
// its tokens are those that the login brought.
func justLoggedIn(t *testing.T, app application) *browser {
	t.Helper()
	b := begin(t, app)
	if p := b.navigate(b.callback); p.status != http.StatusSeeOther {
		t.Fatalf("the login ended with %v", p.answer)
	}
	return b.browser
}

// becomes polls, each time as another browser with the cookies of now.
func (b *browser) becomes(status int) {
	b.t.Helper()
	cookies := b.cookies()
	err := eventually(hangGuard, func() error { return wantStatus(status)(wearing(b.t, b.app, cookies).fetch("/x").answer) })
	if err != nil {
		b.t.Fatal(err)
	}
}

// nearEnd is a lifetime in seconds within which a token is refreshed with the
// next request, and long enough for a slow machine.
const nearEnd = 55

// lifetime has the issuer's tokens of an application live so long. An ID token
// that ended before the machine read it would be no login.
func (a application) lifetime(t *testing.T, seconds int64) {
	t.Helper()
	a.register(t, func(r *registration) { r.AccessTokenLifetime, r.IDTokenLifetime = seconds, max(seconds, nearEnd) })
}

// TestSessionsEnd by themselves.
func TestSessionsEnd(t *testing.T) {
	logins(t)
	for name, session := range map[string]policy{
		"nobody came for idle_timeout":               {"idle_timeout": "1s"},
		"absolute_timeout":                           {"absolute_timeout": "1s"},
		"absolute_timeout, whatever idle_timeout is": {"idle_timeout": "1h", "absolute_timeout": 1},
	} {
		app := newApp(t, appSpec{login: merged(offline, sessionOf(session))})
		b := justLoggedIn(t, app)
		cookies := b.cookies()
		run(t, name, func(t *testing.T) {
			other := wearing(t, app, cookies)
			other.becomes(401)
			other.open("/x").toIssuer(t, app)
		})
	}
	run(t, "absolute_timeout, though somebody is there all the time", func(t *testing.T) {
		app := newApp(t, appSpec{login: merged(offline, sessionOf(policy{"absolute_timeout": "2s"}))})
		b := justLoggedIn(t, app)
		// The jar of a browser drops a cookie at its Max-Age; this one does not.
		if err := eventually(hangGuard, func() error {
			p := b.fetch("/x")
			for name, c := range p.setCookies() {
				if c.MaxAge >= 0 {
					b.set(name, c.Value)
				}
			}
			return wantStatus(401)(p.answer)
		}); err != nil {
			t.Error(err)
		}
	})
	run(t, "session_expiry of the ID token", func(t *testing.T) {
		app := newApp(t, appSpec{})
		soon := time.Now().Add(2 * time.Second).Unix()
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: map[string]any{"session_expiry": soon}})
		b := begin(t, app)
		if p := b.navigate(b.callback); p.status == http.StatusSeeOther {
			b.becomes(401)
		} else {
			p.refused(t, 403) // a machine so slow that it passed already
		}
	})
	run(t, "cookies are written anew, and rarely", func(t *testing.T) {
		app := newApp(t, appSpec{login: sessionOf(policy{"idle_timeout": "60s"})})
		b := justLoggedIn(t, app)
		if p := b.copy().fetch("/x"); p.passed(t) != nil && len(p.header.Values("Set-Cookie")) > 0 {
			t.Log("a machine so slow that the cookie is due already")
		}
		cookies := b.cookies()
		if err := eventually(hangGuard, func() error {
			p := wearing(t, app, cookies).fetch("/x")
			if p.setCookies()[app.cookie] == nil {
				return fmt.Errorf("no new cookie: %d", p.status)
			}
			p.passed(t)
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	run(t, "a session without a refresh token, its token expired", func(t *testing.T) {
		app := newApp(t, appSpec{policy: policy{"leeway": 0}})
		app.lifetime(t, 1)
		b := justLoggedIn(t, app)
		b.becomes(401)
		// Just after its login a page is no redirect: the browser would go round.
		if p := b.open("/x"); p.echo != nil {
			t.Errorf("got %v", p.answer)
		}
		b.fetch("/x").isRefusal(t, noToken)
	})
}

// TestRefresh is about tokens that are near their end. One of nearEnd is
// refreshed with the next request.
func TestRefresh(t *testing.T) {
	logins(t)
	due := func(t *testing.T, more ...policy) (application, *browser) {
		t.Helper()
		app := newApp(t, appSpec{login: merged(append([]policy{offline}, more...)...)})
		app.lifetime(t, nearEnd)
		b := justLoggedIn(t, app)
		app.lifetime(t, 3600)
		return app, b
	}
	run(t, "50 requests at once make one refresh, and nobody is logged out", func(t *testing.T) {
		app, b := due(t)
		old := b.copy()
		before := under.issuer.counts(t)
		pages := atOnce(50, func(n int) page {
			req := request{headers: scriptHeaders("same-origin")}
			if n%5 == 0 {
				req.headers = fromSite("same-origin", navigation)
			}
			p, err := b.try(req)
			if err != nil {
				t.Error(err)
			}
			return p
		})
		for _, p := range pages {
			if p.status != 200 || p.echo == nil {
				t.Errorf("got %v", p.answer)
			}
		}
		for range 5 { // late, with the old cookie
			old.copy().fetch("/x").passed(t)
		}
		wearing(t, app, b.cookies()).fetch("/x").passed(t)
		if after := under.issuer.counts(t); after.Refresh-before.Refresh != 1 || after.Reuse != before.Reuse {
			t.Errorf("%d refreshes, %d reused", after.Refresh-before.Refresh, after.Reuse-before.Reuse)
		}
	})
	run(t, "the successor's refresh token is the new one", func(t *testing.T) {
		app, b := due(t)
		before := under.issuer.counts(t)
		app.lifetime(t, nearEnd)
		for range 4 {
			b.fetch("/x").passed(t)
		}
		if after := under.issuer.counts(t); after.Refresh-before.Refresh != 4 || after.Reuse != before.Reuse {
			t.Errorf("%d refreshes, %d reused", after.Refresh-before.Refresh, after.Reuse-before.Reuse)
		}
	})
	run(t, "a client whose refresh token stays the same", func(t *testing.T) {
		app := newApp(t, appSpec{login: offline})
		app.register(t, func(r *registration) { r.AccessTokenLifetime, r.NonRotating = nearEnd, true })
		b := justLoggedIn(t, app)
		for range 3 {
			b.fetch("/x").passed(t)
		}
	})
	run(t, "the ID token that is judged is refreshed too", func(t *testing.T) {
		app := newApp(t, appSpec{login: merged(offline, policy{"subject_token": "id_token"}), policy: policy{"audience": nil}})
		app.lifetime(t, nearEnd)
		b := justLoggedIn(t, app)
		app.lifetime(t, 3600)
		before := under.issuer.counts(t).Refresh
		b.fetch("/x").passed(t)
		b.fetch("/x").passed(t)
		if n := under.issuer.counts(t).Refresh - before; n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
	for _, fault := range []spoiling{{Fault: "status", Status: 500}, {Fault: "reset"}, {Fault: "html"}, {Fault: "empty"}, {Fault: "error", Code: "invalid_client", Status: 401}, {Fault: "truncated"}} {
		run(t, "the issuer is away, the token is good yet: "+fault.Fault+fault.Code, func(t *testing.T) {
			_, b := due(t)
			fault.Path = "token"
			under.issuer.spoil(t, fault)
			b.copy().fetch("/x").passed(t).has(t, "X-User-Id", "auth0|alice")
		})
	}
	run(t, "the issuer is away, the token is not good: 503, and it comes back", func(t *testing.T) {
		app := newApp(t, appSpec{login: offline, policy: policy{"leeway": 0}})
		app.lifetime(t, 1)
		under.issuer.spoil(t, spoiling{Path: "token", Fault: "none"})
		b := justLoggedIn(t, app)
		under.issuer.spoil(t, spoiling{Path: "token", Fault: "status", Status: 502})
		b.becomes(503)
		p := b.open("/x").refused(t, 503)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") || b.cookies()[app.cookie] == "" {
			t.Errorf("want a page and the session kept: %v", p.answer)
		}
		app.lifetime(t, 3600)
		under.issuer.fault(t, "token", "none")
		b.becomes(200)
	})
	run(t, "invalid_grant ends the session", func(t *testing.T) {
		name := "auth0|ended-" + suiteID
		under.issuer.add(t, user{Sub: name})
		_, b := due(t, as(name))
		under.issuer.post(t, "/control/end-grants", map[string]string{"sub": name}, nil)
		script := b.copy().fetch("/x")
		script.isRefusal(t, noToken)
		if c := script.setCookies()[b.app.cookie]; c == nil || c.MaxAge >= 0 {
			t.Error("the cookie was left")
		}
		b.open("/x").toIssuer(t, b.app)
		b.sessionless()
	})
	for _, fault := range []string{"wrong_sub", "wrong_iss", "rogue_key", "alg_none"} {
		run(t, "a refresh that brings a spoilt ID token: "+fault, func(t *testing.T) {
			app := newApp(t, appSpec{login: merged(offline, policy{"subject_token": "id_token"}), policy: policy{"audience": nil}})
			app.lifetime(t, nearEnd)
			b := justLoggedIn(t, app)
			under.issuer.spoil(t, spoiling{Path: "id_token", Fault: fault})
			if p := b.fetch("/x"); p.echo != nil {
				p.echo.has(t, "X-User-Id", "auth0|alice") // of the present token, which is still good
			}
		})
	}
	run(t, "a logout is not undone by a refresh under way", func(t *testing.T) {
		_, b := due(t)
		races(t, b, b.copy())
	})
}

// races logs out while a refresh of the same session waits for the issuer.
func races(t *testing.T, refreshes, leaves *browser) {
	t.Helper()
	before := under.issuer.counts(t).Refresh
	under.issuer.spoil(t, spoiling{Path: "token", Fault: "hang"})
	done := make(chan page, 1)
	go func() {
		p, err := refreshes.try(request{headers: scriptHeaders("same-origin")})
		if err != nil {
			t.Error(err)
		}
		done <- p
	}()
	if err := eventually(hangGuard, func() error {
		if under.issuer.counts(t).Refresh == before {
			return errors.New("no refresh yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	leaves.click("/logout").refused(t, 302)
	leaves.site = "none"
	under.issuer.fault(t, "token", "none")
	if late := <-done; late.status == http.StatusOK && leaves.app.on == refreshes.app.on {
		t.Errorf("the request under way passed after the logout: %v", late.answer)
	}
	refreshes.becomes(401)
	leaves.becomes(401)
}
