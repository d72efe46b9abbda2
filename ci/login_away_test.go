package ci_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestTheIssuerIsAway at every step of a login. What the runner knows of an
// issuer it keeps, so each case has a discovery URL of its own.
func TestTheIssuerIsAway(t *testing.T) {
	logins(t)
	isPage := func(t *testing.T, p page) {
		t.Helper()
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("no page: %v", p.answer)
		}
	}
	for _, tt := range []struct {
		path   string
		fault  spoiling
		status int // on the way there
	}{
		{"discovery", spoiling{Fault: "status", Status: 500}, 503},
		{"discovery", spoiling{Fault: "status", Status: 503}, 503},
		{"discovery", spoiling{Fault: "reset"}, 503},
		{"discovery", spoiling{Fault: "truncated"}, 503},
		{"par", spoiling{Fault: "status", Status: 500}, 503},
		{"par", spoiling{Fault: "reset"}, 503},
		{"par", spoiling{Fault: "error", Code: "invalid_request"}, 502},
		{"par", spoiling{Fault: "html"}, 502},
		{"par", spoiling{Fault: "empty"}, 502},
	} {
		run(t, "on the way there: "+tt.path+" "+tt.fault.Fault, func(t *testing.T) {
			app := newApp(t, appSpec{policy: freshDiscovery(), login: policy{"pushed_authorization_requests": tt.path == "par"}})
			tt.fault.Path = tt.path
			under.issuer.spoil(t, tt.fault)
			b := newBrowser(t, app)
			p := b.open("/x").refused(t, tt.status)
			isPage(t, p)
			if len(p.header.Values("Set-Cookie")) > 0 {
				t.Error("a cookie was set")
			}
			b.fetch("/x").isRefusal(t, noToken)
			under.issuer.fault(t, tt.path, "none")
			if err := eventually(hangGuard, func() error {
				fresh := newBrowser(t, app)
				return wantStatus(302)(fresh.open("/x").answer)
			}); err != nil {
				t.Errorf("the issuer is back: %v", err)
			}
		})
	}
	for _, fault := range []string{"html", "wrong_issuer", "empty", "redirect", "endless"} {
		run(t, "on the way there: discovery "+fault, func(t *testing.T) {
			app := newApp(t, appSpec{policy: freshDiscovery()})
			under.issuer.spoil(t, spoiling{Path: "discovery", Fault: fault})
			p := newBrowser(t, app).open("/x")
			if p.status != 502 && p.status != 503 {
				t.Errorf("got %v", p.answer)
			}
			isPage(t, p)
		})
	}
	app := newApp(t, appSpec{})
	for _, tt := range []struct {
		fault  spoiling
		status int
	}{
		{spoiling{Fault: "status", Status: 500}, 503},
		{spoiling{Fault: "status", Status: 503}, 503},
		{spoiling{Fault: "reset"}, 503},
		{spoiling{Fault: "hang"}, 503},
		{spoiling{Fault: "html"}, 502},
		{spoiling{Fault: "empty"}, 502},
		{spoiling{Fault: "redirect"}, 502},
		{spoiling{Fault: "status", Status: 400}, 502},
		{spoiling{Fault: "error", Code: "invalid_grant"}, 502},
		{spoiling{Fault: "error", Code: "invalid_client", Status: 401}, 502},
		{spoiling{Fault: "error", Code: "<script>alert(1)</script>"}, 502},
	} {
		run(t, "on the way back: token "+tt.fault.Fault+" "+tt.fault.Code, func(t *testing.T) {
			b := begin(t, app)
			tt.fault.Path = "token"
			under.issuer.spoil(t, tt.fault)
			isPage(t, b.navigate(b.callback).refused(t, tt.status))
			under.issuer.fault(t, "token", "none")
			b.sessionless()
			newBrowser(t, app).login("/x")
		})
	}
	run(t, "on the way back: no keys", func(t *testing.T) {
		under.issuer.spoil(t, spoiling{Path: "jwks", Fault: "status"})
		fresh := newApp(t, appSpec{policy: policy{"jwks_uri": under.issuer.jwksURI() + "?" + newRouteID()}})
		b := begin(t, fresh)
		isPage(t, b.navigate(b.callback).refused(t, 503))
		under.issuer.fault(t, "jwks", "none")
		b.sessionless()
	})
	run(t, "with a session: what is known keeps working", func(t *testing.T) {
		b := loggedIn(t, app)
		for _, path := range []string{"discovery", "jwks", "token"} {
			under.issuer.spoil(t, spoiling{Path: path, Fault: "reset"})
		}
		b.fetch("/x").passed(t)
		b.click("/x").passed(t)
		b.click("/logout").refused(t, 302)
		b.sessionless()
	})
	for name, ahead := range map[string]int{"fast": 600, "slow": -600} {
		run(t, "the issuer's clock is 10 min "+name, func(t *testing.T) {
			skewed := newApp(t, appSpec{})
			skewed.lifetime(t, 300)
			b := begin(t, skewed)
			under.issuer.post(t, "/control/clock", map[string]int{"ahead": ahead}, nil)
			t.Cleanup(func() { under.issuer.post(t, "/control/clock", map[string]int{"ahead": 0}, nil) })
			b.navigate(b.callback).refused(t, 502)
			b.sessionless()
		})
	}
}

// TestPagesRunNothing of what an issuer, a client or a token says.
func TestPagesRunNothing(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	scripts := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `'><svg/onload=alert(1)>`, `{{.Title}}${7*7}`,
		`</title><script src=//evil.example></script>`, "\u202etxt.exe", "a\r\nSet-Cookie: b=c", "\x00<b>", `&lt;script&gt;`, strings.Repeat("<b>", 150),
	}
	for _, script := range scripts {
		name := script[:min(len(script), 30)]
		run(t, "in error_description: "+name, func(t *testing.T) {
			b := begin(t, app)
			v := b.arguments()
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("error_description", script)
			p := b.navigate("/callback?"+v.Encode()).refused(t, 403)
			if strings.Contains(string(p.body), "<img") || strings.Contains(string(p.body), "<svg") || strings.Contains(string(p.body), "<b>") {
				t.Errorf("it was not escaped: %s", p.body)
			}
			if len(p.header.Values("Set-Cookie")) != 1 {
				t.Errorf("cookies: %q", p.header.Values("Set-Cookie"))
			}
		})
		run(t, "in error: "+name, func(t *testing.T) {
			b := begin(t, app)
			v := b.arguments()
			v.Del("code")
			v.Set("error", script)
			p := b.navigate("/callback?"+v.Encode()).refused(t, 400)
			if strings.Contains(string(p.body), "alert") {
				t.Errorf("it is on the page: %s", p.body)
			}
		})
		run(t, "without a transaction nobody's words are shown: "+name, func(t *testing.T) {
			v := url.Values{"error": {"access_denied"}, "error_description": {script}, "state": {script}}
			p := newBrowser(t, app).open("/callback?"+v.Encode()).refused(t, 400)
			if strings.Contains(string(p.body), "alert") || strings.Contains(string(p.body), "&lt;b&gt;") {
				t.Errorf("it is on the page: %s", p.body)
			}
		})
		run(t, "in return_to: "+name, func(t *testing.T) {
			b := loggedIn(t, app)
			b.site = "cross-site"
			// The page that asks for a click names the return path in its link.
			b.navigate("/login?return_to="+url.QueryEscape("/a?q="+script)).refused(t, 403)
			b.navigate("/login?return_to="+url.QueryEscape(script)).refused(t, 403)
		})
	}
	run(t, "in a claim", func(t *testing.T) {
		name := "auth0|" + newRouteID()
		under.issuer.add(t, user{Sub: name, Claims: map[string]any{"name": scripts[0]}, AccessClaims: map[string]any{"role": scripts[0]}})
		denies := newApp(t, appSpec{login: as(name), policy: policy{"claims": map[string]any{"role": "admin"}}})
		b := newBrowser(t, denies)
		p := b.arrive(b.open("/x")).refused(t, 403)
		if strings.Contains(string(p.body), "alert") {
			t.Errorf("a claim's value is on the page: %s", p.body)
		}
	})
	run(t, "in the message of a rule", func(t *testing.T) {
		denies := newApp(t, appSpec{policy: policy{"rules": []any{policy{"expression": "false", "message": scripts[0]}}}})
		b := newBrowser(t, denies)
		b.arrive(b.open("/x")).refused(t, 403)
	})
}
