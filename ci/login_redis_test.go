package ci_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// twoGateways are two with a runner each, and one Redis behind both.
func twoGateways(t *testing.T) (one, other *stack, redis *redisserver.Server) {
	t.Helper()
	logins(t)
	redis = redisserver.Start(t)
	return sibling(t, "redis-one", "--redis-url", redis.URL), sibling(t, "redis-other", "--redis-url", redis.URL), redis
}

// also puts an application at another gateway too.
func (a application) also(t *testing.T, on *stack) application {
	t.Helper()
	a.on = on
	a.begin(t, routeSpec{value: a.conf.text()})
	return a
}

var inRedis = func() policy { return sessionOf(policy{"store": "redis"}) }

// TestSessionsInRedis are shared by all gateways.
func TestSessionsInRedis(t *testing.T) {
	one, other, redis := twoGateways(t)
	for store, login := range map[string]policy{"redis": inRedis(), "cookie": sessionOf(policy{"store": "cookie"})} {
		app := newApp(t, appSpec{login: merged(offline, login), on: one})
		there := app.also(t, other)
		run(t, store+": a login at one is one at the other", func(t *testing.T) {
			b := loggedIn(t, app)
			if store == "redis" && len(b.cookies()[app.cookie]) > 100 {
				t.Errorf("a cookie of %d bytes", len(b.cookies()[app.cookie]))
			}
			b.elsewhere(there).fetch("/x").passed(t).has(t, "X-User-Id", "auth0|alice")
		})
		run(t, store+": a login begun at one ends at the other, and once", func(t *testing.T) {
			b := begin(t, app)
			used := b.copy()
			if p := b.elsewhere(there).navigate(b.callback); p.status != http.StatusSeeOther {
				t.Fatalf("got %v", p.answer)
			}
			before := under.issuer.counts(t).Exchange
			used.navigate(b.callback).refused(t, 400)
			used.elsewhere(there).navigate(b.callback).refused(t, 400)
			if under.issuer.counts(t).Exchange != before {
				t.Error("the code was redeemed again")
			}
		})
		run(t, store+": 50 requests at both at expiry make one refresh", func(t *testing.T) {
			app.lifetime(t, nearEnd)
			b := justLoggedIn(t, app)
			app.lifetime(t, 3600)
			before := under.issuer.counts(t)
			for _, p := range atOnce(50, func(n int) page {
				at := b.copy()
				if n%2 == 0 {
					at = at.elsewhere(there)
				}
				p, err := at.try(request{headers: scriptHeaders("same-origin")})
				if err != nil {
					t.Error(err)
				}
				return p
			}) {
				if p.status != 200 {
					t.Errorf("got %v", p.answer)
				}
			}
			b.copy().fetch("/x").passed(t)
			b.elsewhere(there).fetch("/x").passed(t)
			if after := under.issuer.counts(t); after.Refresh-before.Refresh != 1 || after.Reuse != before.Reuse {
				t.Errorf("%d refreshes, %d reused", after.Refresh-before.Refresh, after.Reuse-before.Reuse)
			}
		})
		run(t, store+": a logout at one is one at the other", func(t *testing.T) {
			b := loggedIn(t, app)
			stolen := b.copy().elsewhere(there)
			stolen.fetch("/x").passed(t) // known there
			b.click("/logout").refused(t, 302)
			stolen.becomes(401)
		})
		run(t, store+": a logout at one is not undone by a refresh under way at the other", func(t *testing.T) {
			app.lifetime(t, nearEnd)
			b := justLoggedIn(t, app)
			app.lifetime(t, 3600)
			races(t, b, b.copy().elsewhere(there))
		})
		run(t, store+": a back-channel logout at one is one at the other", func(t *testing.T) {
			name := "auth0|" + newRouteID()
			under.issuer.add(t, user{Sub: name})
			own := newApp(t, appSpec{login: merged(login, as(name)), on: one})
			ownThere := own.also(t, other)
			b := loggedIn(t, own)
			b.elsewhere(ownThere).fetch("/x").passed(t)
			token := under.issuer.logoutToken(t, logoutTokenOf{ClientID: own.client, Sub: name})
			if a := own.tell(t, "logout_token="+token); a.status != 200 {
				t.Fatalf("got %v", a)
			}
			b.becomes(401)
			b.elsewhere(ownThere).becomes(401)
			if a := ownThere.tell(t, "logout_token="+token); a.status != 400 {
				t.Errorf("the same token at the other gateway: %v", a)
			}
		})
	}
	run(t, "10 KB of claims fit", func(t *testing.T) {
		app := newApp(t, appSpec{login: merged(policy{"subject_token": "id_token"}, inRedis()), policy: policy{"audience": nil}, on: one})
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: map[string]any{"https://example.com/large": strings.Repeat("x", 10<<10)}})
		loggedIn(t, app).fetch("/x").passed(t)
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "large"})
		b := begin(t, app) // more than any token may have
		b.navigate(b.callback).refused(t, 500)
		b.sessionless()
	})
	run(t, "planted identifiers are no session", func(t *testing.T) {
		app := newApp(t, appSpec{login: inRedis(), on: one})
		value := loggedIn(t, app).cookies()[app.cookie]
		for _, planted := range []string{"a", value[:len(value)-1], value + "A", strings.Repeat("A", len(value)), "*", "session:*", value[1:] + value[:1]} {
			wearing(t, app, map[string]string{app.cookie: planted}).nobody()
		}
	})
	t.Run("Redis is away", func(t *testing.T) { redisIsAway(t, one, redis) })
}

// redisIsAway kills the Redis, and starts another in its place.
func redisIsAway(t *testing.T, on *stack, redis *redisserver.Server) {
	app := newApp(t, appSpec{login: merged(offline, inRedis()), on: on})
	cookies := newApp(t, appSpec{login: offline, on: on})
	passes := newApp(t, appSpec{at: &app, policy: policy{"unauth_action": "pass"}, login: merged(offline, inRedis()), on: on})
	b, inCookie, leaves := loggedIn(t, app), loggedIn(t, cookies), loggedIn(t, app)
	underWay, underWayInCookie := begin(t, app), begin(t, cookies)
	redis.Kill()
	b.becomes(503) // a session that was seen in the last second is known yet

	run(t, "a session is 503, for scripts, pages and forms", func(t *testing.T) {
		before := under.upstream.requests(t)
		b.copy().fetch("/x").refused(t, 503)
		p := b.copy().click("/x").refused(t, 503)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("no page: %v", p.answer)
		}
		b.copy().send(request{method: "POST", headers: fromSite("same-origin", navigation)}).refused(t, 503)
		b.copy().elsewhere(passes).fetch("/x").refused(t, 503)
		if under.upstream.requests(t) != before {
			t.Error("the upstream got a request")
		}
		if b.cookies()[app.cookie] == "" {
			t.Error("the cookie was taken away")
		}
	})
	run(t, "a page without a session is 503 and no redirect", func(t *testing.T) {
		newBrowser(t, app).open("/x").refused(t, 503)
		newBrowser(t, app).open("/login").refused(t, 503)
	})
	run(t, "the way back is 503", func(t *testing.T) {
		underWay.navigate(underWay.callback).refused(t, 503)
		underWayInCookie.navigate(underWayInCookie.callback).refused(t, 503)
	})
	run(t, "a bearer token is as ever", func(t *testing.T) {
		app.passes(t, request{token: under.issuer.mint(t, minting{})})
	})
	run(t, "a script without a session is as ever", func(t *testing.T) { newBrowser(t, app).fetch("/x").isRefusal(t, noToken) })
	run(t, "a session in cookies keeps working", func(t *testing.T) { inCookie.fetch("/x").passed(t) })
	run(t, "logout deletes the cookies all the same", func(t *testing.T) {
		for _, leaving := range []*browser{leaves, inCookie.copy()} {
			leaving.click("/logout").refused(t, 503)
			if leaving.cookies()[app.cookie] != "" {
				t.Error("the cookie is still there")
			}
		}
	})
	run(t, "a back-channel logout is 503", func(t *testing.T) {
		a := app.tell(t, "logout_token="+under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, Sub: "auth0|nobody"}))
		if a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("got %v", a)
		}
	})
	run(t, "Redis is back, and empty", func(t *testing.T) {
		redis.Revive(t)
		b.becomes(401)
		newBrowser(t, app).login("/x")
	})
}
