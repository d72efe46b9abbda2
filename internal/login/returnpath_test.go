package login_test

import (
	"bytes"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

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
