package ci_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
)

// wearing is a browser with these cookies and no others.
func wearing(t *testing.T, app application, cookies map[string]string) *browser {
	t.Helper()
	b := newBrowser(t, app)
	for name, value := range cookies {
		b.set(name, value)
	}
	return b
}

// nobody wants that a browser's cookies are no session, for pages and scripts,
// and are taken away.
func (b *browser) nobody() {
	b.t.Helper()
	before := under.upstream.requests(b.t)
	had := b.cookies()
	p := b.copy().fetch("/x")
	p.isRefusal(b.t, noToken)
	page := b.copy().open("/x")
	page.toIssuer(b.t, b.app)
	if under.upstream.requests(b.t) != before {
		b.t.Error("the upstream got a request")
	}
	for name := range had {
		if !strings.Contains(name, "session") {
			continue
		}
		for _, a := range []answer{p.answer, page.answer} {
			if c := a.setCookies()[name]; c == nil || c.MaxAge >= 0 {
				b.t.Errorf("%d: the cookie %s was left", a.status, name)
			}
		}
	}
}

// TestCookiesThatAreNoSession are cookies that were not made for this
// application, or are not whole.
func TestCookiesThatAreNoSession(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	mine := loggedIn(t, app).cookies()
	value := mine[app.cookie]
	wear := func(t *testing.T, value string) *browser {
		return wearing(t, app, map[string]string{app.cookie: value})
	}

	run(t, "the cookie itself is one", func(t *testing.T) { wear(t, value).fetch("/x").passed(t) })
	for name, planted := range map[string]string{
		"a text": "admin", "a JWT": under.issuer.mint(t, minting{}), "random": rand.Text() + rand.Text(), "long": strings.Repeat("A", 4000),
		"one character": "A", "twice itself": value + value, "another alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(value) + "==",
		"with an end": value + "A", "quoted": `"` + value + `"`, "cut by one": value[:len(value)-1], "cut in half": value[:len(value)/2], "without its beginning": value[4:],
	} {
		run(t, "planted: "+name, func(t *testing.T) { wear(t, planted).nobody() })
	}
	for n := range 16 {
		at := n * (len(value) - 1) / 15
		run(t, fmt.Sprintf("flipped at %d of 15", n), func(t *testing.T) {
			changed := []byte(value)
			if changed[at]++; changed[at] == '{' || changed[at] == '[' || changed[at] == ':' || changed[at] == '`' || changed[at] == '.' {
				changed[at] = 'A'
			}
			if string(changed) == value {
				changed[at] = 'B'
			}
			// The last character holds bits that say nothing; strict decoders refuse them.
			wear(t, string(changed)).nobody()
		})
	}
	run(t, "twice in one line", func(t *testing.T) {
		for _, other := range []string{value, "planted", loggedIn(t, app).cookies()[app.cookie]} {
			for _, line := range []string{app.cookie + "=" + value + "; " + app.cookie + "=" + other, app.cookie + "=" + other + "; " + app.cookie + "=" + value} {
				a := app.sendRaw(t, request{headers: append(scriptHeaders("same-origin"), [2]string{"Cookie", line})})
				if a.status != 401 {
					t.Errorf("got %v", a)
				}
			}
		}
	})
	run(t, "in another header or letter case", func(t *testing.T) {
		for _, h := range [][2]string{
			{"X-Cookie", app.cookie + "=" + value},
			{"Cookie", strings.ToLower(app.cookie) + "=" + value},
			{"Cookie", strings.ToUpper(app.cookie) + "=" + value},
			{"Authorization", "Bearer " + value},
			{"Cookie", "x" + app.cookie + "=" + value},
		} {
			if a := app.sendRaw(t, request{headers: append(scriptHeaders("same-origin"), h)}); a.status != 401 {
				t.Errorf("%s: got %v", h[0], a)
			}
		}
	})

	shared := policy{"session": app.conf["login"].(policy)["session"]}
	for _, tt := range []struct {
		name string
		spec appSpec
	}{
		{"another application", appSpec{}},
		{"another client at the same origin", appSpec{at: &app, login: merged(shared, policy{"client_id": "another-client"})}},
		{"another origin of the same client", appSpec{login: policy{"client_id": app.client}}},
		{"another issuer", appSpec{at: &app, policy: policy{"issuer": strings.TrimSuffix(under.issuer.url, "/")}}},
		{"another cookie name", appSpec{at: &app, login: sessionOf(policy{"cookie": "__Host-other_session"})}},
		{"another secret", appSpec{at: &app, login: sessionOf(policy{"secret": under.secrets.reference(clientSecret)})}},
	} {
		run(t, "the cookie of "+tt.name, func(t *testing.T) {
			other := newApp(t, tt.spec)
			name := app.cookie
			if strings.Contains(tt.name, "name") {
				name = "__Host-other_session"
			}
			b := wearing(t, other, map[string]string{name: value})
			b.fetch("/x").isRefusal(t, noToken)
			if p := b.open("/x"); p.echo != nil {
				t.Errorf("got %v", p.answer)
			}
			wear(t, value).fetch("/x").passed(t)
		})
	}
	run(t, "a state or a transaction in the session's place", func(t *testing.T) {
		b := begin(t, app)
		wear(t, b.arguments().Get("state")).nobody()
		for _, name := range b.transactions() {
			wear(t, b.cookies()[name]).nobody()
		}
	})
	run(t, "the session in the state's place", func(t *testing.T) {
		b := begin(t, app)
		v := b.arguments()
		v.Set("state", value)
		b.navigate("/callback?"+v.Encode()).refused(t, 400)
	})
}

// TestSessionsInTwoCookies are too long for one.
func TestSessionsInTwoCookies(t *testing.T) {
	logins(t)
	name := "auth0|large-" + suiteID
	app := newApp(t, appSpec{login: as(name)})
	second := app.cookie + "_1"
	var one map[string]string
	for length := 1500; one[second] == "" && length < 3000; length += 50 {
		var text strings.Builder
		for text.Len() < length {
			text.WriteString(rand.Text())
		}
		under.issuer.add(t, user{Sub: name, AccessClaims: map[string]any{"https://example.com/more": text.String()[:length]}})
		one = loggedIn(t, app).cookies()
	}
	if one[second] == "" {
		t.Fatal("no session needed two cookies")
	}
	other := loggedIn(t, app).cookies()
	run(t, "both are at most 4,500 bytes, and a session", func(t *testing.T) {
		if n := len(app.cookie) + len(second) + len("=; =") + len(one[app.cookie]) + len(one[second]); n > 4500 {
			t.Errorf("%d bytes", n)
		}
		wearing(t, app, one).fetch("/x").passed(t).has(t, "Cookie")
	})
	for what, cookies := range map[string]map[string]string{
		"the first alone":       {app.cookie: one[app.cookie]},
		"the second alone":      {second: one[second]},
		"exchanged":             {app.cookie: one[second], second: one[app.cookie]},
		"mixed":                 {app.cookie: one[app.cookie], second: other[second]},
		"mixed the other way":   {app.cookie: other[app.cookie], second: one[second]},
		"the second cut":        {app.cookie: one[app.cookie], second: one[second][:len(one[second])-1]},
		"the first cut":         {app.cookie: one[app.cookie][:len(one[app.cookie])-1], second: one[second]},
		"moved by a character":  {app.cookie: one[app.cookie] + one[second][:1], second: one[second][1:]},
		"all in the first":      {app.cookie: one[app.cookie] + one[second]},
		"the second twice long": {app.cookie: one[app.cookie], second: one[second] + one[second]},
	} {
		run(t, what, func(t *testing.T) { wearing(t, app, cookies).nobody() })
	}
	run(t, "the second twice", func(t *testing.T) {
		line := app.cookie + "=" + one[app.cookie] + "; " + second + "=" + one[second] + "; " + second + "=" + one[second]
		if a := app.sendRaw(t, request{headers: append(scriptHeaders("same-origin"), [2]string{"Cookie", line})}); a.status != 401 {
			t.Errorf("got %v", a)
		}
	})
	run(t, "a smaller session afterwards takes the second away", func(t *testing.T) {
		under.issuer.add(t, user{Sub: name})
		b := wearing(t, app, one)
		b.arrive(b.click("/login?return_to=/x")).passed(t)
		if b.cookies()[second] != "" {
			t.Error("the second cookie is still there")
		}
		b.fetch("/x").passed(t)
	})
	run(t, "12 KB of claims", func(t *testing.T) {
		large := newApp(t, appSpec{login: policy{"subject_token": "id_token"}, policy: policy{"audience": nil}})
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "large"})
		b := begin(t, large)
		p := b.navigate(b.callback).refused(t, 500)
		if !strings.Contains(string(p.body), "session.store") || !strings.Contains(string(p.body), "redis") {
			t.Errorf("the page does not name session.store redis: %s", p.body)
		}
		b.sessionless()
	})
}

// TestWhatTheUpstreamSeesOfCookies: those of others, and as they were.
func TestWhatTheUpstreamSeesOfCookies(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{login: merged(offline, policy{"forward_access_token": true})})
	value := loggedIn(t, app).cookies()[app.cookie]
	session, transaction := app.cookie+"="+value, "__Host-auth0_txn_3=abc"
	for name, lines := range map[string][2]string{
		"before and after":            {"theme=dark; " + session + "; lang=nl", "theme=dark; lang=nl"},
		"alone":                       {session, ""},
		"with a transaction":          {transaction + "; " + session + "; a=b", "a=b"},
		"names that look like it":     {"x" + app.cookie + "=1; " + session + "; " + app.cookie + "x=2", "x" + app.cookie + "=1; " + app.cookie + "x=2"},
		"odd values":                  {`a="b c"; ` + session + "; flag; =x; c=d=e", `a="b c"; flag; =x; c=d=e`},
		"a second cookie of no use":   {session, ""},
		"a cookie in another's value": {"a=" + app.cookie + "; " + session, "a=" + app.cookie},
	} {
		run(t, name, func(t *testing.T) {
			a := app.sendRaw(t, request{headers: append(scriptHeaders("same-origin"), [2]string{"Cookie", lines[0]})})
			e := a.passed(t)
			var want []string
			if lines[1] != "" {
				want = []string{lines[1]}
			}
			e.has(t, "Cookie", want...)
			if e.holds(value) {
				t.Error("the upstream got the session")
			}
		})
	}
	run(t, "in two lines", func(t *testing.T) {
		for _, lines := range [][2]string{{"a=b", session}, {session, "a=b"}, {"a=b; " + transaction, session}} {
			a := app.sendRaw(t, request{headers: scriptHeaders("same-origin")}, "Cookie: "+lines[0], "Cookie: "+lines[1])
			e := a.passed(t)
			if e.holds(value) || e.holds("auth0_") || !e.holds("a=b") {
				t.Errorf("the upstream got %q", e.values("Cookie"))
			}
		}
	})
	run(t, "with a pre-flight that is let through", func(t *testing.T) {
		open := newApp(t, appSpec{at: &app, policy: policy{"bypass_cors_preflight": true}, login: merged(offline, policy{"forward_access_token": true})})
		e := open.sendRaw(t, request{method: "OPTIONS", headers: [][2]string{
			{"Cookie", "a=b; " + session}, {"Origin", "https://other.example"}, {"Access-Control-Request-Method", "PUT"},
		}}).passed(t)
		e.has(t, "Cookie", "a=b")
		e.has(t, "Authorization")
		e.has(t, "X-User-Id")
	})
	run(t, "with a bearer token, and with nobody", func(t *testing.T) {
		open := newApp(t, appSpec{at: &app, policy: policy{"unauth_action": "pass"}, login: merged(offline, policy{"forward_access_token": true})})
		line := [2]string{"Cookie", "a=b; " + session + "; " + transaction}
		open.sendRaw(t, request{token: under.issuer.mint(t, minting{}), headers: [][2]string{line}}).passed(t).has(t, "Cookie", "a=b")
		line[1] = "a=b; " + app.cookie + "=planted; " + transaction
		open.sendRaw(t, request{headers: [][2]string{line}}).passed(t).has(t, "Cookie", "a=b")
	})
}
