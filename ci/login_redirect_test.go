package ci_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/openredirect"
)

// TestNoLoginLeavesTheApplication asks for every line of the list, as return_to
// and as the URL itself. The browser holds every answer on the way to it.
func TestNoLoginLeavesTheApplication(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	attacks := openredirect.Attacks()
	// goes follows a login that began to the application's last redirect.
	goes := func(t *testing.T, b *browser, p page) {
		t.Helper()
		p.toIssuer(t, app)
		back := b.navigate(b.callback(p))
		if to := back.header.Get("Location"); back.status != http.StatusSeeOther || openredirect.Origin(app.origin, to) != app.origin || !strings.HasPrefix(to, "/") {
			t.Errorf("the way back ends with %d to %q", back.status, to)
		}
	}
	for n, attack := range attacks {
		run(t, fmt.Sprintf("as return_to: %d %q", n+1, attack), func(t *testing.T) {
			b := newBrowser(t, app)
			goes(t, b, b.open("/login?"+url.Values{"return_to": {attack}}.Encode()))
		})
	}
	for n, attack := range attacks {
		if attack == "" || strings.ContainsAny(attack, " \t\r\n\x00") {
			continue // they end a request line, or break it
		}
		run(t, fmt.Sprintf("as the URL asked for: %d %q", n+1, attack), func(t *testing.T) {
			target := attack
			if target[0] != '/' {
				target = "/" + target
			}
			b := newBrowser(t, app)
			p, err := b.app.tryRaw(request{path: target, headers: navigation})
			if err != nil {
				t.Fatal(err)
			}
			// The gateway may know better than to pass on such a URL.
			if slices.Contains([]int{400, 404, 414}, p.status) {
				if to := p.header.Get("Location"); to != "" {
					t.Errorf("%d with a Location, %q", p.status, to)
				}
				return
			}
			p2 := b.open(target)
			if p2.status == http.StatusFound {
				goes(t, b, p2)
			} else if p2.status < 400 {
				t.Errorf("got %v", p2.answer)
			}
		})
	}
}

// TestTheOriginIsTheConfigurations alone: what a client says of it changes
// nothing.
func TestTheOriginIsTheConfigurations(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	for name, headers := range map[string][][2]string{
		"X-Forwarded-Host":         {{"X-Forwarded-Host", "evil.example"}},
		"X-Forwarded-*":            {{"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "http"}, {"X-Forwarded-Port", "666"}, {"X-Forwarded-Prefix", "//evil.example"}},
		"X_Forwarded_Host":         {{"X_Forwarded_Host", "evil.example"}},
		"Forwarded":                {{"Forwarded", "for=1.2.3.4;host=evil.example;proto=http"}},
		"X-Host":                   {{"X-Host", "evil.example"}, {"X-Original-Host", "evil.example"}, {"X-HTTP-Host-Override", "evil.example"}},
		"X-Original-URL":           {{"X-Original-URL", "//evil.example/"}, {"X-Rewrite-URL", "//evil.example/"}},
		"Origin and Referer":       {{"Origin", "https://evil.example"}, {"Referer", "https://evil.example/"}},
		"X-Forwarded-Uri":          {{"X-Forwarded-Uri", "//evil.example/"}},
		"a Host with another port": nil,
	} {
		run(t, name, func(t *testing.T) {
			b := newBrowser(t, app)
			req := request{path: "/x", headers: append(slices.Clone(navigation), headers...)}
			if headers == nil {
				req.host = app.host + ":666"
			}
			p := b.send(req)
			params := p.toIssuer(t, app)
			if params.Get("redirect_uri") != app.origin+"/callback" || strings.Contains(p.header.Get("Location"), "evil") {
				t.Errorf("sent to %q", p.header.Get("Location"))
			}
			callback := b.callback(p)
			back := b.send(request{path: callback, host: req.host, headers: append(fromSite("cross-site", navigation), headers...)})
			if back.status != http.StatusSeeOther || back.header.Get("Location") != "/x" {
				t.Errorf("the way back ends with %v to %q", back.answer, back.header.Get("Location"))
			}
			for _, c := range back.setCookies() {
				if c.Domain != "" {
					t.Errorf("the cookie %s is for %s", c.Name, c.Domain)
				}
			}
		})
	}
	run(t, "a forged Host on a route for every host", func(t *testing.T) {
		open := newApp(t, appSpec{policy: policy{"name": "any"}})
		open.host = ""
		id := newRouteID()
		open.id, open.prefix = id, "/e2e/"+id
		open.change(t, policy{"login_path": open.prefix + "/login"})
		t.Cleanup(func() { open.admin(t, http.MethodDelete, nil) })
		open.await(t, wantStatus(302), request{headers: navigation})
		for _, host := range []string{"evil.example", "evil.example:443", open.origin[len("https://"):] + ".evil.example"} {
			p := open.sendRaw(t, request{host: host, headers: navigation})
			if to := p.header.Get("Location"); p.status != 302 || strings.Contains(to, "evil") || !strings.HasPrefix(to, open.provider.login) {
				t.Errorf("Host %s: %v to %q", host, p, to)
			}
			p = open.sendRaw(t, request{host: host, path: "/logout", headers: navigation})
			if to := p.header.Get("Location"); strings.Contains(to, "evil") {
				t.Errorf("Host %s: logout goes to %q", host, to)
			}
		}
	})
}
