package ci_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
)

// TestTransactionsAreFew however many pages are asked for.
func TestTransactionsAreFew(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	run(t, "200 pages at once", func(t *testing.T) {
		b := newBrowser(t, app)
		pages := atOnce(200, func(int) page {
			p, err := b.try(request{headers: navigation})
			if err != nil {
				t.Error(err)
			}
			return p
		})
		names := map[string]bool{}
		for _, p := range pages {
			if p.status != http.StatusFound {
				t.Errorf("got %v", p.answer)
			}
			maps.Copy(names, map[string]bool{slices.Collect(maps.Keys(p.setCookies()))[0]: true})
		}
		if len(names) > 5 || len(b.transactions()) > 5 {
			t.Errorf("%d transaction cookies", len(names))
		}
		b.arrive(b.open("/x")).passed(t)
	})
	run(t, "five tabs one after another all come back", func(t *testing.T) {
		b := newBrowser(t, app)
		var ways []string
		for n := range 5 {
			ways = append(ways, b.callback(b.open(fmt.Sprint("/tab-", n))))
		}
		for n, way := range ways {
			b.site = "cross-site"
			p := b.navigate(way)
			if p.status != http.StatusSeeOther || p.header.Get("Location") != fmt.Sprint("/tab-", n) {
				t.Errorf("tab %d: %v", n, p.answer)
			}
		}
		if n := len(b.transactions()); n != 0 {
			t.Errorf("%d transactions left", n)
		}
	})
	run(t, "200 requests of scripts leave none", func(t *testing.T) {
		b := newBrowser(t, app)
		for _, p := range atOnce(200, func(int) page { p, _ := b.try(request{headers: scriptHeaders("same-origin")}); return p }) {
			if p.status != 401 || len(p.header.Values("Set-Cookie")) > 0 {
				t.Fatalf("got %v", p.answer)
			}
		}
	})
}

// TestSecretsRotate without a logout, and a secret that is gone opens nothing.
func TestSecretsRotate(t *testing.T) {
	logins(t)
	needSecret(t, secretBefore)
	before, now := under.secrets.reference(secretBefore), under.secrets.reference(sessionSecret)
	app := newApp(t, appSpec{login: sessionOf(policy{"secret": before})})
	b := loggedIn(t, app)
	underWay := begin(t, app)
	run(t, "the old one second: sessions and logins under way keep working", func(t *testing.T) {
		app.change(t, sessionOf(policy{"secret": []string{now, before}}))
		app.await(t, wantStatus(200), request{headers: append(scriptHeaders("same-origin"), [2]string{"Cookie", b.cookieLine()})})
		underWay.arrive(underWay.navigate(underWay.callback)).passed(t)
	})
	run(t, "the old one gone: its sessions are none, those of the new one are", func(t *testing.T) {
		app.change(t, sessionOf(policy{"secret": now}))
		app.await(t, wantStatus(401), request{headers: append(scriptHeaders("same-origin"), [2]string{"Cookie", b.cookieLine()})})
		b.nobody()
		underWay.fetch("/x").passed(t)
	})
}
