package browsertest_test

import (
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// loggedIn is alice in a browser, at a page of the application.
func loggedIn(t *testing.T, a *app, path string) *tab {
	t.Helper()
	p := newPerson(t)
	p.open(a.origin + path)
	p.seeForm()
	p.logIn(alice)
	p.seePage(a.origin+path, alice)
	return p
}

func TestALogoutEndsTheSessionHereAndAtTheProvider(t *testing.T) {
	a := newApp(t, "logout", nil)
	p := loggedIn(t, a, "/page")
	copied := p.cookies(a.host())
	p.click("#logout")
	p.see("the page after the logout", func(v view) bool { return v.URL == a.origin+"/open/goodbye" })
	if left := p.cookies(a.host()); len(left) > 0 {
		t.Errorf("%d cookies are left", len(left))
	}
	p.open(a.origin + "/page")
	p.seeForm() // the provider does not know the person any more

	thief := newPerson(t)
	thief.giveCookies(copied)
	if len(thief.cookies(a.host())) != len(copied) {
		t.Fatal("the copy was not taken")
	}
	thief.open(a.origin + "/page")
	thief.seeForm()
}

func TestALogoutAtTheProviderEndsTheSession(t *testing.T) {
	const path = "/backchannel-elsewhere"
	a := newApp(t, "elsewhere", map[string]any{"backchannel_logout_path": path})
	a.client.BackchannelLogoutURI = site.gateway.URL() + path
	a.register(t)
	a.route(t, "backchannel", path, "127.0.0.1", nil)
	p := loggedIn(t, a, "/page")
	for _, delivery := range site.issuer.EndSessions(t.Context(), "", alice) {
		if delivery.ClientID == a.name && delivery.Status != 200 {
			t.Errorf("the logout token: %+v", delivery)
		}
	}
	p.open(a.origin + "/page")
	p.seeForm()
}

func TestAnExpiredSessionIsRenewedByTheProviderWithoutAForm(t *testing.T) {
	a := newApp(t, "expired", map[string]any{"session": map[string]any{"absolute_timeout": "5s"}})
	p := newPerson(t)
	p.open(a.origin + "/page")
	p.seeForm()
	p.logIn(alice)
	p.seePage(a.origin+"/page", alice) // on a slow machine by a second login
	script[int](p, `(async () => { for (;;) {
		const answer = await fetch("/api");
		if (answer.status === 401) return 401;
		await new Promise(wait => setTimeout(wait, 50));
	} })()`)
	before := site.issuer.Counters()
	p.open(a.origin + "/next?x=1")
	p.seePage(a.origin+"/next?x=1", alice)
	if now := site.issuer.Counters(); now.Authorize == before.Authorize || now.Logins != before.Logins {
		t.Errorf("%d requests, %d logins", now.Authorize-before.Authorize, now.Logins-before.Logins)
	}
}

func TestTenFetchesAtOnceRefreshOnce(t *testing.T) {
	a := newApp(t, "refresh", map[string]any{
		"subject_token": "access_token", "scope": "openid offline_access", "forward_access_token": true,
	})
	a.client.AccessTokenLifetime = 50 // seconds: it is refreshed with the next request
	a.register(t)
	p := newPerson(t)
	p.open(a.origin + "/login?return_to=/open/page")
	p.seeForm()
	p.logIn(alice)
	p.see("the open page", func(v view) bool { return v.URL == a.origin+"/open/page" })
	a.client.AccessTokenLifetime = 3600
	a.register(t)
	before := site.issuer.Counters()
	const ten = `(async () => {
		const answers = await Promise.all([...Array(10).keys()].map(i => fetch("/api/" + i, {headers: {Accept: "application/json"}})));
		const bodies = await Promise.all(answers.map(a => a.json()));
		return answers.map((a, i) => a.status + " " + bodies[i].headers["X-User-Id"] + " " + bodies[i].headers["Authorization"]);
	})()`
	bearers := map[string]bool{}
	for range 2 {
		for _, answer := range script[[]string](p, ten) {
			status, bearer, _ := strings.Cut(answer, " Bearer ")
			if status != "200 "+alice || bearer == "" {
				t.Errorf("got %s", status)
			}
			bearers[bearer] = true
		}
	}
	now := site.issuer.Counters()
	if refreshed := now.Refresh - before.Refresh; refreshed != 1 || now.Reuse != before.Reuse {
		t.Errorf("%d refreshes, %d of them with a used token", refreshed, now.Reuse-before.Reuse)
	}
	if len(bearers) != 1 {
		t.Errorf("the application got %d different tokens", len(bearers))
	}
	p.open(a.origin + "/page")
	p.seePage(a.origin+"/page", alice)
}

func TestAStepUpAsksOnceForASecondFactor(t *testing.T) {
	const second = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
	a := newApp(t, "stepup", nil)
	a.route(t, "secret", "/secret/*", a.host(), map[string]any{"require_mfa": true})
	p := loggedIn(t, a, "/page")
	p.open(a.origin + "/secret/page?x=1")
	if form := p.seeForm(); !strings.Contains(form.Text, "second factor") {
		t.Errorf("the form does not ask for one: %s", form.Text)
	}
	p.logIn(alice)
	p.seePage(a.origin+"/secret/page?x=1", alice)
	asked := site.issuer.Asked()
	if got := asked[len(asked)-1]["acr_values"]; got != second {
		t.Errorf("asked for %q", got)
	}

	// Somebody whose provider says acr and gives no factor falls short for good.
	if err := site.issuer.SetFault(issuer.Fault{Path: "id_token", Fault: "claims", Claims: map[string]any{"amr": []string{"pwd"}}}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = site.issuer.SetFault(issuer.Fault{Path: "id_token", Fault: "none"}) }()
	short := loggedIn(t, a, "/page")
	short.open(a.origin + "/secret/page")
	short.seeForm()
	short.logIn(alice)
	v := short.see("the page that refuses", func(v view) bool { return v.URL == a.origin+"/secret/page" })
	if v.Status != 403 || v.User != "" {
		t.Errorf("got %+v", v)
	}
}
