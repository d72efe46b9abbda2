package ci_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// begun is a login that came as far as the way back.
type begun struct {
	*browser
	callback string
}

func begin(t *testing.T, app application) begun {
	t.Helper()
	b := newBrowser(t, app)
	return begun{b, b.callback(b.open("/x"))}
}

// arguments are those of the way back.
func (b begun) arguments() url.Values {
	_, query, _ := strings.Cut(b.callback, "?")
	return must(url.ParseQuery(query))
}

// sessionless wants that the browser has no session now.
func (b *browser) sessionless() {
	b.t.Helper()
	if len(b.cookies()) > 0 && b.cookies()[b.app.cookie] != "" {
		b.t.Error("there is a session's cookie")
	}
	if p := b.fetch("/x"); p.status != http.StatusUnauthorized {
		b.t.Errorf("without a session a script got %v", p.answer)
	}
}

// TestCallbackAttacks are ways back that are not the end of this browser's login.
func TestCallbackAttacks(t *testing.T) {
	logins(t)
	app := newApp(t, appSpec{})
	for _, tt := range []struct {
		name   string
		change func(v url.Values)
	}{
		{"without arguments", func(v url.Values) { clear(v) }},
		{"without state", func(v url.Values) { v.Del("state") }},
		{"without code", func(v url.Values) { v.Del("code") }},
		{"a code and an error", func(v url.Values) { v.Set("error", "access_denied") }},
		{"another state", func(v url.Values) { v.Set("state", "x"+v.Get("state")) }},
		{"a cut state", func(v url.Values) { v.Set("state", v.Get("state")[:len(v.Get("state"))-1]) }},
		{"a state of 100 KB", func(v url.Values) { v.Set("state", strings.Repeat("a", 6000)) }},
		{"an empty state", func(v url.Values) { v.Set("state", "") }},
		{"a repeated code", func(v url.Values) { v.Add("code", v.Get("code")) }},
		{"a second code", func(v url.Values) { v.Add("code", "other") }},
		{"a repeated state", func(v url.Values) { v.Add("state", v.Get("state")) }},
		{"a repeated iss", func(v url.Values) { v.Add("iss", v.Get("iss")) }},
		{"a repeated error", func(v url.Values) { v.Del("code"); v["error"] = []string{"access_denied", "server_error"} }},
		{"the iss of another issuer", func(v url.Values) { v.Set("iss", "https://elsewhere.example/") }},
		{"an iss without its slash", func(v url.Values) { v.Set("iss", strings.TrimSuffix(v.Get("iss"), "/")) }},
		{"without the iss that discovery promises", func(v url.Values) { v.Del("iss") }},
		{"an error that nobody names", func(v url.Values) { v.Del("code"); v.Set("error", "made_up") }},
	} {
		run(t, tt.name, func(t *testing.T) {
			b := begin(t, app)
			v := b.arguments()
			tt.change(v)
			p := b.navigate("/callback?"+v.Encode()).refused(t, 400)
			if !strings.Contains(string(p.body), `href="/login?`) {
				t.Errorf("the page has no link to try again: %s", p.body)
			}
			b.sessionless()
		})
	}
	run(t, "in another browser", func(t *testing.T) {
		b := begin(t, app)
		for _, other := range []*browser{newBrowser(t, app), begin(t, app).browser} {
			other.navigate(b.callback).refused(t, 400)
			other.sessionless()
		}
		if got := b.arrive(b.navigate(b.callback)); got.status != http.StatusOK {
			t.Errorf("its own browser then: %v", got.answer)
		}
	})
	run(t, "with another browser's seed under the same slot", func(t *testing.T) {
		victim, attacker := begin(t, app), begin(t, app)
		for name, value := range attacker.cookies() {
			for _, own := range victim.transactions() {
				victim.set(own, "")
			}
			victim.set(name, value)
		}
		// A login of the attacker's, forced on the victim, needs the attacker's
		// cookie there; with another's state it is nothing.
		victim.navigate(victim.callback).refused(t, 400)
	})
	run(t, "twice: a browser with its session reaches the page, and the code is used once", func(t *testing.T) {
		b := begin(t, app)
		used := b.copy()
		b.arrive(b.navigate(b.callback)).passed(t)
		before := under.issuer.counts(t).Exchange
		if p := b.navigate(b.callback); p.status != http.StatusSeeOther || p.header.Get("Location") != "/x" {
			t.Errorf("with a session: %v", p.answer)
		}
		used.navigate(b.callback).refused(t, 400)
		used.sessionless()
		if n := under.issuer.counts(t).Exchange - before; n != 0 {
			t.Errorf("the code was redeemed %d times more", n)
		}
	})
	run(t, "anything at all, with a session: on, and the session is what it was", func(t *testing.T) {
		b := loggedIn(t, app)
		cookie := b.cookies()[app.cookie]
		for _, query := range []string{"?code=a&state=b", "?error=access_denied&state=b", "", "?state=" + begin(t, app).arguments().Get("state")} {
			b.site = "cross-site"
			p := b.navigate("/callback" + query)
			if to := p.header.Get("Location"); p.status != http.StatusSeeOther || to != "/" && to != "/x" {
				t.Errorf("%q: %v to %q", query, p.answer, to)
			}
		}
		b.fetch("/x").passed(t).has(t, "X-User-Id", "auth0|alice")
		if b.cookies()[app.cookie] != cookie {
			t.Error("the session is another")
		}
	})
	run(t, "the page's link begins the login again", func(t *testing.T) {
		b := begin(t, app)
		v := b.arguments()
		v.Set("iss", "https://elsewhere.example/")
		p := b.navigate("/callback?"+v.Encode()).refused(t, 400)
		m := link.FindSubmatch(p.body)
		if m == nil {
			t.Fatalf("no link in %s", p.body)
		}
		again := b.click(strings.ReplaceAll(string(m[1]), "&amp;", "&"))
		if end := b.arrive(again); end.passed(t) == nil || end.at != app.origin+"/x" {
			t.Errorf("it ended at %s", end.at)
		}
	})
	run(t, "ten at once: one exchange", func(t *testing.T) {
		b := begin(t, app)
		before := under.issuer.counts(t).Exchange
		pages := atOnce(10, func(int) page { p, _ := b.copy().try(request{path: b.callback, headers: navigation}); return p })
		done := 0
		for _, p := range pages {
			if p.status == http.StatusSeeOther {
				done++
			}
		}
		if n := under.issuer.counts(t).Exchange - before; n != 1 || done != 1 {
			t.Errorf("%d exchanges, %d logins", n, done)
		}
	})
	run(t, "a code that the issuer knows as used", func(t *testing.T) {
		first, second := begin(t, app), begin(t, app)
		code := first.arguments().Get("code")
		first.arrive(first.navigate(first.callback)).passed(t)
		v := second.arguments()
		v.Set("code", code)
		second.navigate("/callback?"+v.Encode()).refused(t, 502)
		second.sessionless()
	})
	run(t, "another login's code in this login: PKCE and nonce differ", func(t *testing.T) {
		victim, attacker := begin(t, app), begin(t, app)
		v := victim.arguments()
		v.Set("code", attacker.arguments().Get("code"))
		victim.navigate("/callback?"+v.Encode()).refused(t, 502)
		victim.sessionless()
	})
	run(t, "another application's way back", func(t *testing.T) {
		other := newApp(t, appSpec{})
		b := begin(t, other)
		mine := newBrowser(t, app)
		for name, value := range b.cookies() {
			mine.set(name, value)
		}
		mine.navigate(b.callback).refused(t, 400)
		mine.sessionless()
	})
	for code, status := range map[string]int{
		"access_denied": 403, "login_required": 403, "consent_required": 403, "interaction_required": 403, "invalid_scope": 403,
		"unauthorized_client": 403, "server_error": 503, "temporarily_unavailable": 503, "oops": 400,
	} {
		run(t, "the issuer's error "+code, func(t *testing.T) {
			under.issuer.spoil(t, spoiling{Path: "callback", Fault: "error", Code: code})
			b := begin(t, app)
			p := b.navigate(b.callback).refused(t, status)
			if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
				t.Errorf("no page: %v", p.answer)
			}
			b.sessionless()
		})
	}
	run(t, "a method that is not GET", func(t *testing.T) {
		for _, method := range []string{"POST", "HEAD", "PUT", "OPTIONS"} {
			b := begin(t, app)
			p := b.send(request{method: method, path: b.callback, headers: fromSite("cross-site", navigation)})
			if p.status != http.StatusMethodNotAllowed || p.header.Get("Allow") != "GET" {
				t.Errorf("%s: %v", method, p.answer)
			}
			b.sessionless()
		}
	})
	run(t, "a script gets JSON", func(t *testing.T) {
		b := begin(t, app)
		p := b.fetch("/callback?code=x&state=y").refused(t, 400)
		if p.header.Get("Content-Type") != "application/json" {
			t.Errorf("Content-Type %q", p.header.Get("Content-Type"))
		}
	})
}

// atOnce does f n times at the same time.
func atOnce[T any](n int, f func(int) T) []T {
	results := make([]T, n)
	begin, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			<-begin
			results[i] = f(i)
			done <- struct{}{}
		}()
	}
	close(begin)
	for range n {
		<-done
	}
	return slices.Clip(results)
}
