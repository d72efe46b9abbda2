package login_test

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/openredirect"
)

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
	if got := openredirect.Origin(origin, location); got != origin {
		t.Errorf("%q: %q goes to %s in a browser", attack, location, got)
	}
	if !strings.HasPrefix(location, "/") || strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("%q: %q is no path in printable ASCII", attack, location)
	}
}

func TestNoReturnPathLeavesTheSite(t *testing.T) {
	for _, attack := range openredirect.Attacks() {
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
