package login_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

// openRedirects reads the list: one Go string a line, # begins a comment.
func openRedirects(t *testing.T) (list []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/open_redirects.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		text, err := strconv.Unquote(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, text)
	}
	if len(list) < 120 {
		t.Fatalf("only %d lines", len(list))
	}
	return list
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// browserOrigin is where a browser goes from a page of the application: as the
// URL Standard of the WHATWG reads a Location, as far as origins go. It strips
// what is no more than white space at the ends, drops tabs and line breaks, and
// takes "\" for "/".
func browserOrigin(location string) string {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	before, _, _ := strings.Cut(s, "?")
	before, _, _ = strings.Cut(before, "#")
	before = strings.ReplaceAll(before, `\`, "/")
	name := scheme.FindString(before)
	rest := before[len(name):]
	if name == "" && !strings.HasPrefix(rest, "//") {
		return origin
	}
	host, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if name == "" {
		name = "https:"
	}
	return strings.ToLower(name) + "//" + host
}

func TestTheRuleOfBrowsersFindsOpenRedirects(t *testing.T) {
	for location, want := range map[string]string{
		"/a": origin, "/a//b": origin, "/.//evil.example": origin, "/?//evil.example": origin,
		"//evil.example": "https://evil.example", `/\evil.example`: "https://evil.example", "/\t/evil.example": "https://evil.example",
		" //a@evil.example/": "https://evil.example", `https:\\evil.example`: "https://evil.example", "javascript:alert(1)": "javascript://alert(1)",
	} {
		if got := browserOrigin(location); got != want {
			t.Errorf("%q: %s", location, got)
		}
	}
}

func onSite(t *testing.T, attack, location string) {
	t.Helper()
	base, _ := url.Parse(origin + "/callback")
	u, err := base.Parse(location)
	if err != nil {
		// Go refuses what browsers repair: then browsers alone decide.
		if !strings.Contains(err.Error(), "invalid URL escape") {
			t.Errorf("%q: %q: %v", attack, location, err)
		}
	} else if got := u.Scheme + "://" + u.Host; got != origin {
		t.Errorf("%q: %q goes to %s by net/url", attack, location, got)
	}
	if got := browserOrigin(location); got != origin {
		t.Errorf("%q: %q goes to %s in a browser", attack, location, got)
	}
	if !strings.HasPrefix(location, "/") || strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("%q: %q is no path in printable ASCII", attack, location)
	}
}

func TestNoReturnPathLeavesTheSite(t *testing.T) {
	for _, attack := range openRedirects(t) {
		for name, begin := range map[string]func(*browser) login.Answer{
			"return_to": func(b *browser) login.Answer {
				return b.do("GET", "/login?"+url.Values{"return_to": {attack}}.Encode(), html)
			},
			"the URL asked for": func(b *browser) login.Answer {
				return b.took(b.flow.Redirect(b.t.Context(), b.request("GET", "/page", html), attack, b.now))
			},
		} {
			r := newRig(t)
			b := r.browser()
			if a := begin(b); a.Status != 302 {
				t.Errorf("%s %q: %d %s", name, attack, a.Status, a.Cause)
				continue
			}
			back := url.Values{"code": {"c"}, "state": {r.issuer.asked[0].State}}
			// The link of an error page, and the way back without and with it.
			other := r.browser()
			page := other.back(back)
			for _, href := range hrefs(page) {
				onSite(t, attack, href)
				again := r.browser()
				if a := again.do("GET", href, html); a.Status == 302 {
					onSite(t, attack, header(again.back(url.Values{"code": {"c"}, "state": {r.issuer.asked[len(r.issuer.asked)-1].State}}), "Location"))
				}
			}
			if bytes.Contains(page.Body, []byte("<script")) {
				t.Errorf("%q: a script in %s", attack, page.Body)
			}
			a := b.back(back)
			if a.Status != 303 {
				// The link above used another state, so this one is new.
				t.Errorf("%s %q: %d %s", name, attack, a.Status, a.Cause)
			}
			onSite(t, attack, header(a, "Location"))
		}
	}
}

func hrefs(a login.Answer) (list []string) {
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllSubmatch(a.Body, -1) {
		list = append(list, strings.ReplaceAll(string(m[1]), "&amp;", "&"))
	}
	return list
}

func TestReturnPaths(t *testing.T) {
	f := newRig(t).flow
	long := "/" + strings.Repeat("a", 2047)
	for raw, want := range map[string]string{
		"/": "/", "/a": "/a", "/a/b?c=d#e": "/a/b?c=d#e", "/%C3%BC?q=%20": "/%C3%BC?q=%20", "/a//b": "/a//b",
		"": "/", "a": "/", "?a": "/", "//a": "/", `/\a`: "/", "/a b": "/", "/ü": "/", "/a\x7f": "/",
		long: long, long + "a": "/",
		// The flow's own paths: a login must not end at a logout or at a login.
		"/logout": "/", "/logout?x": "/", "/login?return_to=/login": "/", "/%6Cogout": "/", "/a/../logout": "/", `/a\..\logout`: "/",
		"/callback?code=x": "/", "/backchannel": "/", "/logouts": "/logouts",
	} {
		if got := f.ReturnPath(raw); got != want {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

func TestASealedReturnPathIsJudgedAgain(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	state := b.begin("/bye")
	r.conf.LogoutPath = "/bye" // the route was changed meanwhile
	if a := b.back(url.Values{"code": {"c"}, "state": {state}}); a.Status != 303 || header(a, "Location") != "/" {
		t.Errorf("%d %q", a.Status, header(a, "Location"))
	}
}

func TestTransactionCookies(t *testing.T) {
	shape := regexp.MustCompile(`^__Host-auth0_txn_[0-4]=[A-Za-z0-9_-]+; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$`)
	plain := regexp.MustCompile(`^auth0_txn_[0-4]=[A-Za-z0-9_-]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax$`)
	for _, insecure := range []bool{false, true} {
		b := newRig(t, func(o *login.Options) { o.Login.Insecure = insecure }).browser()
		list := cookies(b.do("GET", "/page", html))
		want := shape
		if insecure {
			want = plain
		}
		if len(list) != 1 || !want.MatchString(list[0]) {
			t.Errorf("%q", list)
		}
		if pair, _, _ := strings.Cut(list[0], ";"); len(pair) >= 100 {
			t.Errorf("%d bytes: %s", len(pair), pair)
		}
	}
}

func TestManyPagesAtOnceLeaveFiveTransactions(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	var answers []login.Answer
	for i := range 200 { // none of them knows of the others' cookies
		answers = append(answers, r.flow.Redirect(t.Context(), b.request("GET", "/page", html), fmt.Sprintf("/page/%d", i), r.now))
	}
	for _, a := range answers {
		b.took(a)
	}
	if n := b.transactions(); n != 5 {
		t.Errorf("%d transaction cookies", n)
	}
	seeds := map[string]bool{}
	for _, a := range answers {
		seeds[cookies(a)[0]] = true
	}
	if len(seeds) != 200 {
		t.Errorf("%d of 200 seeds", len(seeds))
	}
	// One after the other, each knows of those before.
	for range 200 {
		b.begin("/page")
	}
	if n := b.transactions(); n != 5 {
		t.Errorf("%d transaction cookies", n)
	}
}

func TestTabsDoNotDisturbOneAnother(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	var states []string
	for i := range 6 {
		states = append(states, b.begin(fmt.Sprintf("/tab/%d", i)))
		r.now = r.now.Add(time.Second)
	}
	// The sixth took the place of the oldest.
	for i, state := range slices.Backward(states) {
		a := b.back(url.Values{"code": {"c"}, "state": {state}})
		if want := fmt.Sprintf("/tab/%d", i); a.Status != 303 || header(a, "Location") != want {
			t.Errorf("tab %d: %d %q", i, a.Status, header(a, "Location"))
		}
	}
	if len(r.issuer.exchanged) != 5 || b.transactions() != 0 {
		t.Errorf("%d exchanges, %v", len(r.issuer.exchanged), b.jar)
	}
}

func TestAnOldOrBrokenTransactionIsAFreeSlot(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for range 5 {
		b.begin("/page")
	}
	b.jar["__Host-auth0_txn_3"] = "broken"
	b.begin("/page")
	if b.jar["__Host-auth0_txn_3"] == "broken" {
		t.Error("the broken one stayed")
	}
	r.now = r.now.Add(11 * time.Minute)
	before := fmt.Sprint(b.jar)
	b.begin("/page")
	if fmt.Sprint(b.jar) == before {
		t.Error("no old one was replaced")
	}
}

func TestATransactionCookieThatIsThereTwiceIsNone(t *testing.T) {
	r := newRig(t, func(o *login.Options) { o.Login.Insecure = true })
	b := r.browser()
	state := b.begin("/page")
	req := b.request("GET", "/callback?"+url.Values{"code": {"c"}, "state": {state}}.Encode(), html)
	req.header = append(req.header, req.header[len(req.header)-1])
	if a := r.flow.Serve(t.Context(), req, r.now); a.Status != 400 || len(r.issuer.exchanged) != 0 {
		t.Errorf("%d %s", a.Status, a.Cause)
	}
}

func TestNobodyIsRedirectedWhereTheLoginCouldNotEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rig)
		status int
		reason string
	}{
		"the session store is away": {func(r *rig) { r.ready = errors.New("away") }, 503, login.ReasonUnavailable},
		"the issuer is away":        {func(r *rig) { r.issuer.authorize = login.ErrUnavailable }, 503, login.ReasonUnavailable},
		"a pushed request refused":  {func(r *rig) { r.issuer.authorize = &login.ProviderError{Code: "invalid_client"} }, 502, login.ReasonFailed},
		"max_age is no number":      {func(r *rig) { r.conf.AuthorizationParams = map[string]string{"max_age": "soon"} }, 500, login.ReasonFailed},
	} {
		for _, target := range []string{"/page", "/login"} {
			r := newRig(t)
			tt.change(r)
			b := r.browser()
			if a := b.do("GET", target, html); a.Status != tt.status || a.Reason != tt.reason || b.transactions() != 0 {
				t.Errorf("%s: %s: %d %s %v", name, target, a.Status, a.Reason, b.jar)
			}
		}
	}
}

func TestStepUpAsksOnce(t *testing.T) {
	r := newRig(t, func(o *login.Options) {
		o.Login.AuthorizationParams = map[string]string{"acr_values": "bronze", "prompt": "login"}
	})
	r.issuer.id.ACR = "bronze"
	b := r.browser()
	b.logIn()
	s := r.sessions.kept[b.jar[cookieName]]
	ask := login.StepUp{ACRValues: "gold", MaxAge: 5 * time.Minute}

	a, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret?x", r.now)
	b.took(a)
	asked := r.issuer.asked[len(r.issuer.asked)-1]
	if !ok || a.Status != 302 || asked.Params["acr_values"] != "gold" || asked.Params["max_age"] != "300" || asked.Params["prompt"] != "login" {
		t.Fatalf("%v %d %v", ok, a.Status, asked.Params)
	}
	r.issuer.id.ACR = "gold"
	if a := b.back(url.Values{"code": {"c"}, "state": {asked.State}}); a.Status != 303 || header(a, "Location") != "/secret?x" {
		t.Fatalf("%d %s", a.Status, a.Cause)
	}
	s = r.sessions.kept[b.jar[cookieName]]
	if !s.SteppedUp {
		t.Fatal("the session does not know that it stepped up")
	}
	if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret", r.now); ok {
		t.Error("asked twice")
	}
	// Time that has passed since is no loop.
	if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret", r.now.Add(6*time.Minute)); !ok {
		t.Error("an authentication that grew old cannot be renewed")
	}
	if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, login.StepUp{ACRValues: "gold"}, "/secret", r.now.Add(time.Hour)); ok {
		t.Error("asked for the acr twice")
	}
}
