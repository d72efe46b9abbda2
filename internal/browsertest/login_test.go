package browsertest_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

const sessionCookie = "__Host-auth0_session"

func TestAPersonLogsInAndTheApplicationLearnsWhoItIs(t *testing.T) {
	a := newApp(t, "first", nil)
	p := newPerson(t)
	p.open(a.origin + "/")
	p.seeForm()
	p.logIn(alice)
	page := p.seePage(a.origin+"/", alice)
	if page.Status != 200 || page.Cookie != "[]" || page.Bearer != "[]" {
		t.Errorf("the application got the cookies %s and the authorization %s, status %d", page.Cookie, page.Bearer, page.Status)
	}
	var session *network.Cookie
	for _, c := range p.cookies(a.host()) {
		if c.Name != sessionCookie {
			t.Errorf("the cookie %s stays behind", c.Name)
			continue
		}
		session = c
	}
	if session == nil {
		t.Fatal("there is no session's cookie")
	}
	// A leading dot would be a cookie of the whole domain.
	if !session.Secure || !session.HTTPOnly || session.SameSite != network.CookieSameSiteLax || session.Path != "/" || session.Domain != a.host() {
		t.Errorf("secure %v, http only %v, same site %s, path %s, domain %s", session.Secure, session.HTTPOnly, session.SameSite, session.Path, session.Domain)
	}
	if seen := script[string](p, "document.cookie"); seen != "" {
		t.Error("a script reads the cookie")
	}
}

// The demo of make run has neither TLS nor host names of its own.
func TestAPersonLogsInOverPlainHTTPToo(t *testing.T) {
	a := newApp(t, "plain", map[string]any{"login_path": "/plain/login", "logout_path": "/plain/logout"})
	a.origin = site.gateway.URL()
	a.client.RedirectURIs = []string{a.origin + "/plain/callback"}
	a.client.LogoutURIs = []string{a.origin + "/elsewhere"}
	a.register(t)
	a.login["redirect_uri"], a.login["post_logout_redirect_uri"] = a.origin+"/plain/callback", a.origin+"/elsewhere"
	a.route(t, "http", "/plain/*", "127.0.0.1", nil)
	p := newPerson(t)
	p.open(a.origin + "/plain/page?x=1")
	p.seeForm()
	p.logIn(alice)
	p.seePage(a.origin+"/plain/page?x=1", alice)
	for _, c := range p.cookies("127.0.0.1") {
		if c.Name != strings.TrimPrefix(sessionCookie, "__Host-") || c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("the cookie %s: secure %v, http only %v, same site %s", c.Name, c.Secure, c.HTTPOnly, c.SameSite)
		}
	}
	p.open(a.origin + "/plain/logout")
	p.see("the page after the logout", func(v view) bool { return v.URL == a.origin+"/elsewhere" })
	if left := p.cookies("127.0.0.1"); len(left) > 0 {
		t.Errorf("%d cookies are left", len(left))
	}
}

func TestADeepLinkComesBackAsItWas(t *testing.T) {
	a := newApp(t, "deep", nil)
	for _, path := range []string{
		"/b%C3%BCcher/%E6%97%A5%E6%9C%AC?q=%C3%A4%20b&sort=a%2Fb&empty=&q=2",
		"/a%20b/c+d;v=1?x=1+2&y=%26%3D#", // a fragment's "#" is the browser's own
		"/with%2Fslash/%25/%22?return_to=https%3A%2F%2Fevil.test%2F",
	} {
		p := newPerson(t)
		p.open(a.origin + path)
		p.seeForm()
		p.logIn(bob)
		want := strings.TrimSuffix(path, "#")
		if page := p.seePage(a.origin+want, bob); page.Path != want {
			t.Errorf("the application was asked for %s, want %s", page.Path, want)
		}
	}
}

func TestTabsDoNotDisturbOneAnother(t *testing.T) {
	a := newApp(t, "tabs", nil)
	first := newPerson(t)
	second := first.anotherTab()
	first.open(a.origin + "/first?tab=1")
	second.open(a.origin + "/second?tab=2")
	first.seeForm()
	second.seeForm()
	// The one that asked later is answered first.
	second.logIn(alice)
	second.seePage(a.origin+"/second?tab=2", alice)
	first.logIn(alice)
	first.seePage(a.origin+"/first?tab=1", alice)
	third := first.anotherTab()
	third.open(a.origin + "/third")
	third.seePage(a.origin+"/third", alice)
}

func TestTheBackButtonAfterALoginLeadsToThePageAgain(t *testing.T) {
	a := newApp(t, "back", nil)
	p := newPerson(t)
	p.open(a.origin + "/open/before")
	p.open(a.origin + "/page?x=1")
	p.seeForm()
	p.logIn(alice)
	p.seePage(a.origin+"/page?x=1", alice)
	before := site.issuer.Counters()
	// Back to the provider, which knows the person, and so to the used callback.
	script[bool](p, `history.back() ?? true`)
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	if err := site.issuer.Await(ctx, func(c issuer.Counters) bool { return c.Authorize > before.Authorize }); err != nil {
		t.Fatal(err)
	}
	p.seePage(a.origin+"/page?x=1", alice)
	if now := site.issuer.Counters(); now.Exchange != before.Exchange {
		t.Errorf("%d codes were exchanged", now.Exchange-before.Exchange)
	}
}

// callbackOf logs somebody in up to the callback, which the person's browser
// does not open, and gives its address.
func callbackOf(t *testing.T, a *app, path string) (p *tab, callback string) {
	t.Helper()
	p = newPerson(t)
	p.open(a.origin + path)
	form := p.seeForm()
	asked, err := url.Parse(form.URL)
	if err != nil {
		t.Fatal(err)
	}
	// The same request in another browser, without the application's cookies.
	other := newPerson(t)
	other.open(asked.String())
	other.seeForm()
	other.logIn(bob)
	v := other.see("the callback", func(v view) bool { return strings.HasPrefix(v.URL, a.origin+"/callback?") })
	if v.Status != 400 || !strings.Contains(v.Text, "This login cannot be continued") {
		t.Errorf("another browser's callback: %+v", v)
	}
	if left := other.cookies(a.host()); len(left) > 0 {
		t.Errorf("it got %d cookies", len(left))
	}
	return p, v.URL
}

func TestACallbackInAnotherBrowserIsAPageAndNoSession(t *testing.T) {
	a := newApp(t, "other", nil)
	p, callback := callbackOf(t, a, "/page")
	// The code is still good and the person's browser has the transaction, as for
	// an attacker who has a victim open his own link: bob's, in alice's browser.
	victim := newPerson(t)
	victim.open(callback)
	if v := victim.look(); v.Status != 400 || v.User != "" {
		t.Errorf("the victim sees %+v", v)
	}
	p.logIn(alice)
	p.seePage(a.origin+"/page", alice)
	p.open(callback)
	p.seePage(a.origin+"/page", alice)
}

func TestSomebodyWhoDeniesSeesAPageAndMayTryAgain(t *testing.T) {
	a := newApp(t, "deny", nil)
	p := newPerson(t)
	p.open(a.origin + "/page")
	p.seeForm()
	p.click(`button[name="deny"]`)
	v := p.see("the page of a refusal", func(v view) bool { return v.Title == "You could not be logged in" })
	if v.Status != 403 {
		t.Errorf("got %d", v.Status)
	}
	// The page's one style is allowed by its Content-Security-Policy.
	if width := script[string](p, "getComputedStyle(document.body).maxWidth"); width == "none" {
		t.Error("the page has no style")
	}
	p.click("a")
	p.seeForm()
	p.logIn(alice)
	p.seePage(a.origin+"/page", alice)
}

func TestABrowserWithoutCookiesSeesAPageAndDoesNotLoop(t *testing.T) {
	a := newApp(t, "blocked", nil)
	// A profile whose setting says that no site may keep anything.
	dir := t.TempDir()
	profile := filepath.Join(dir, "Default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	const blocked = `{"profile":{"default_content_setting_values":{"cookies":2}}}`
	if err := os.WriteFile(filepath.Join(profile, "Preferences"), []byte(blocked), 0o600); err != nil {
		t.Fatal(err)
	}
	chromium, end := site.startChromium(chromedp.UserDataDir(dir))
	defer end()
	p := newTab(t, chromium)
	before := site.issuer.Counters().Authorize
	p.open(a.origin + "/page")
	p.seeForm()
	p.logIn(alice)
	v := p.see("the page that says why", func(v view) bool { return v.Title == "This login cannot be continued" })
	if v.Status != 400 || !strings.Contains(v.Text, "Cookies must be allowed") {
		t.Errorf("got %+v", v)
	}
	if asked := site.issuer.Counters().Authorize - before; asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
	if kept := p.cookies(a.host()); len(kept) > 0 {
		t.Errorf("the browser kept %d cookies: it does not block them", len(kept))
	}
	p.click("a") // a person's click starts another
	p.seeForm()
}

func TestAScriptsFetchWithoutASessionIsNotRedirected(t *testing.T) {
	a := newApp(t, "script", nil)
	p := newPerson(t)
	p.open(a.origin + "/open/page")
	before := site.issuer.Counters().Authorize
	got := script[[]int](p, `(async () => {
		const all = ["/api", "/page.html", "/", "/callback", "/login"];
		const status = async (u, o) => { const r = await fetch(u, o); return r.redirected ? -1 : r.status; };
		return [...await Promise.all(all.map(u => status(u))), await status("/api", {headers: {Accept: "text/html"}}),
			await status("/api", {method: "POST", body: "x"})];
	})()`)
	if want := []int{401, 401, 401, 400, 403, 401, 401}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	script[string](p, `new Promise(done => {
		const image = document.createElement("img");
		image.onerror = () => {
			const frame = document.createElement("iframe");
			frame.onload = () => done("");
			frame.src = "/framed";
			document.body.append(frame);
		};
		image.src = "/image.png";
		document.body.append(image);
	})`)
	if asked := site.issuer.Counters().Authorize - before; asked != 0 {
		t.Errorf("the provider was asked %d times", asked)
	}
	if left := p.cookies(a.host()); len(left) > 0 {
		t.Errorf("%d cookies were set", len(left))
	}
}
