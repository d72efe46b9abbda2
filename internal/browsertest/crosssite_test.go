package browsertest_test

import (
	"errors"
	"testing"
)

var errNothingSaid = errors.New("the console says nothing")

// evil is a page of another site that acts in the name of whoever opens it.
func evil(a *app) string {
	return `<!doctype html><html lang="en"><title>evil</title>
<form method="post" action="` + a.origin + `/transfer"><input name="to" value="mallory"><button id="post">win</button></form>
<a id="logout" href="` + a.origin + `/logout">win</a> <a id="page" href="` + a.origin + `/page">look</a>`
}

func TestAnotherSitesFormChangesNothing(t *testing.T) {
	for _, tc := range []struct {
		name, sameSite string
		want           int // the answer's status
	}{
		{"formlax", "lax", 401},   // the browser leaves the cookie out
		{"formnone", "none", 403}, // the cookie comes with it, and the gateway refuses
	} {
		t.Run(tc.sameSite, func(t *testing.T) {
			a := newApp(t, tc.name, map[string]any{"session": map[string]any{"same_site": tc.sameSite}})
			site.front.serve("evil.test", evil(a))
			p := loggedIn(t, a, "/page")
			p.open("https://evil.test/")
			p.click("#post")
			v := p.see("the answer to the form", func(v view) bool { return v.URL == a.origin+"/transfer" })
			if v.Status != tc.want || v.User != "" {
				t.Errorf("got %+v, want %d", v, tc.want)
			}
			if reached := site.witness.saw(a, "/transfer"); reached != 0 || site.witness.saw(a, "/page") == 0 {
				t.Errorf("%d requests reached the application", reached)
			}
			p.open(a.origin + "/page") // nobody was logged out by it
			p.seePage(a.origin+"/page", alice)
		})
	}
}

func TestAnotherSitesFetchNeitherReadsNorChanges(t *testing.T) {
	a := newApp(t, "fetch", map[string]any{"session": map[string]any{"same_site": "none"}})
	site.front.serve("evil.test", evil(a))
	p := loggedIn(t, a, "/page")
	p.open("https://evil.test/")
	asked := site.issuer.Counters().Authorize
	got := script[string](p, `(async () => {
		const to = "`+a.origin+`/transfer";
		for (const mode of ["cors", "no-cors"]) for (const method of ["POST", "DELETE", "PUT"]) {
			if (mode === "no-cors" && method !== "POST") continue; // which a browser does not send
			try {
				const answer = await fetch(to, {method, mode, credentials: "include", body: "to=mallory"});
				if (answer.type !== "opaque") return method + " was answered " + answer.status;
			} catch {}
		}
		try { return "read " + await (await fetch("`+a.origin+`/page", {credentials: "include"})).text(); } catch { return "nothing"; }
	})()`)
	if got != "nothing" {
		t.Errorf("the page got: %s", got)
	}
	// A GET of /page is safe and may come through; the browser withholds its answer.
	if reached := site.witness.saw(a, "/transfer"); reached != 0 {
		t.Errorf("%d requests reached the application", reached)
	}
	if now := site.issuer.Counters().Authorize; now != asked {
		t.Errorf("the provider was asked %d times", now-asked)
	}
}

func TestAnotherSitesWebSocketIsRefused(t *testing.T) {
	a := newApp(t, "socket", map[string]any{"session": map[string]any{"same_site": "none"}})
	site.front.serve("evil.test", evil(a))
	p := loggedIn(t, a, "/page")
	p.open("https://evil.test/")
	got := script[string](p, `new Promise(done => {
		const socket = new WebSocket("wss://`+a.host()+`/socket");
		socket.onopen = () => done("open");
		socket.onerror = () => done("refused");
	})`)
	if reached := site.witness.saw(a, "/socket"); got != "refused" || reached != 0 {
		t.Errorf("got %s, and %d requests reached the application", got, reached)
	}
}

func TestALogoutThatAnotherSiteAsksForNeedsAClick(t *testing.T) {
	a := newApp(t, "click", nil)
	site.front.serve("evil.test", evil(a))
	p := loggedIn(t, a, "/page")
	p.open("https://evil.test/")
	p.click("#logout")
	v := p.see("the question", func(v view) bool { return v.Title == "Log out?" })
	if v.Status != 403 {
		t.Errorf("got %d", v.Status)
	}
	other := p.anotherTab()
	other.open(a.origin + "/page")
	other.seePage(a.origin+"/page", alice)
	p.click("a")
	p.see("the page after the logout", func(v view) bool { return v.URL == a.origin+"/open/goodbye" })
	other.open(a.origin + "/page")
	other.seeForm()
}

func TestALinkFromAnotherSiteFindsTheSession(t *testing.T) {
	a := newApp(t, "link", nil)
	site.front.serve("evil.test", evil(a))
	p := loggedIn(t, a, "/page")
	p.open("https://evil.test/")
	p.click("#page")
	p.seePage(a.origin+"/page", alice)
}

func TestTheConsoleSaysWhereAPageBreaksItsPolicy(t *testing.T) {
	a := newApp(t, "policy", nil)
	p := newPerson(t)
	p.open(a.origin + "/callback") // a page of the gateway's
	script[string](p, `new Promise(done => {
		document.addEventListener("securitypolicyviolation", () => done(""));
		const style = document.createElement("style");
		style.textContent = "p { color: red }";
		document.head.append(style);
	})`)
	err := until(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.violations) == 0 {
			return errNothingSaid
		}
		p.violations = nil // asked for here, and no fault
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
