package login_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

func TestNavigation(t *testing.T) {
	const mode, dest = "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"
	for _, tt := range []struct {
		name   string
		method string
		header []string
		want   bool
	}{
		{"a page", "GET", []string{mode, dest}, true},
		{"HEAD", "HEAD", []string{mode, dest}, true},
		{"a page in small letters, whatever it accepts", "GET", []string{"sec-fetch-mode: navigate", "sec-fetch-dest: document", "accept: */*", "x-requested-with: x"}, true},
		{"an old browser", "GET", []string{html}, true},
		{"an Accept in capitals, among others", "GET", []string{"ACCEPT: application/json, TEXT/HTML ;level=1;q=0.1"}, true},
		{"two Accept lines", "GET", []string{"Accept: a/b", "Accept: text/html"}, true},
		{"POST", "POST", []string{mode, dest, html}, false},
		{"OPTIONS", "OPTIONS", []string{html, "Origin: " + origin, "Access-Control-Request-Method: GET"}, false},
		{"no header at all", "GET", nil, false},
		{"a frame", "GET", []string{mode, "Sec-Fetch-Dest: iframe", html}, false},
		{"an object", "GET", []string{mode, "Sec-Fetch-Dest: object", html}, false},
		{"fetch", "GET", []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", html}, false},
		{"an image", "GET", []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", html}, false},
		{"a script", "GET", []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"}, false},
		{"a WebSocket", "GET", []string{"Sec-Fetch-Mode: websocket", "Sec-Fetch-Dest: empty", html}, false},
		{"the mode alone", "GET", []string{mode, html}, false},
		{"the destination alone", "GET", []string{dest, html}, false},
		{"the site alone", "GET", []string{"Sec-Fetch-Site: none", html}, false},
		{"two modes", "GET", []string{mode, mode, dest}, false},
		{"two destinations", "GET", []string{mode, dest, "Sec-Fetch-Dest: image"}, false},
		{"a prefetch", "GET", []string{mode, dest, "Sec-Purpose: prefetch"}, false},
		{"a prerender", "GET", []string{mode, dest, "Sec-Purpose: prefetch;prerender"}, false},
		{"an old prefetch", "GET", []string{html, "Purpose: prefetch"}, false},
		{"an older prefetch", "GET", []string{html, "X-Moz: prefetch"}, false},
		{"a preview", "GET", []string{html, "X-Purpose: preview"}, false},
		{"XMLHttpRequest", "GET", []string{html, "X-Requested-With: XMLHttpRequest"}, false},
		{"any page", "GET", []string{"Accept: */*"}, false},
		{"any text", "GET", []string{"Accept: text/*"}, false},
		{"no HTML", "GET", []string{"Accept: text/html;q=0, */*"}, false},
		{"no HTML, with decimals", "GET", []string{"Accept: text/html; Q=0.000"}, false},
		{"a weight that is none", "GET", []string{"Accept: text/html;q=x"}, false},
		{"another type that begins so", "GET", []string{"Accept: text/html5"}, false},
	} {
		if got := login.Navigation(&request{method: tt.method, header: tt.header}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestCrossSite(t *testing.T) {
	f := newRig(t).flow
	for _, tt := range []struct {
		name   string
		method string
		header []string
		want   bool
	}{
		{"same origin", "POST", []string{"Sec-Fetch-Site: same-origin"}, false},
		{"typed", "POST", []string{"Sec-Fetch-Site: none"}, false},
		{"Sec-Fetch-Site goes before Origin", "POST", []string{"Sec-Fetch-Site: same-origin", "Origin: null"}, false},
		{"another site", "POST", []string{"Sec-Fetch-Site: cross-site"}, true},
		{"a sister site", "DELETE", []string{"Sec-Fetch-Site: same-site"}, true},
		{"another site that has our Origin", "POST", []string{"Sec-Fetch-Site: cross-site", "Origin: " + origin}, true},
		{"Sec-Fetch-Site twice", "POST", []string{"Sec-Fetch-Site: same-origin", "sec-fetch-site: same-origin"}, true},
		{"an odd Sec-Fetch-Site", "POST", []string{"Sec-Fetch-Site: Same-Origin"}, true},
		{"an empty Sec-Fetch-Site", "POST", []string{"Sec-Fetch-Site: "}, true},
		{"a list in Sec-Fetch-Site", "POST", []string{"Sec-Fetch-Site: same-origin, cross-site"}, true},
		{"our Origin", "PATCH", []string{"Origin: " + origin}, false},
		{"another Origin", "PUT", []string{"Origin: https://evil.example"}, true},
		{"no Origin of its own", "POST", []string{"Origin: null"}, true},
		{"another port", "POST", []string{"Origin: " + origin + ":8443"}, true},
		{"another scheme", "POST", []string{"Origin: http://app.example"}, true},
		{"a name that begins so", "POST", []string{"Origin: " + origin + ".evil.example"}, true},
		{"Origin twice", "POST", []string{"Origin: " + origin, "Origin: " + origin}, true},
		{"neither header", "POST", nil, false},
		{"a safe GET", "GET", []string{"Sec-Fetch-Site: cross-site"}, false},
		{"a safe HEAD", "HEAD", []string{"Sec-Fetch-Site: cross-site"}, false},
		{"a safe OPTIONS", "OPTIONS", []string{"Origin: https://evil.example"}, false},
		{"a safe TRACE", "TRACE", []string{"Sec-Fetch-Site: cross-site"}, false},
		{"PROPFIND is not among the safe ones", "PROPFIND", []string{"Sec-Fetch-Site: cross-site"}, true},
		{"a method nobody knows", "get", []string{"Sec-Fetch-Site: cross-site"}, true},
		{"a WebSocket of another site", "GET", []string{"Upgrade: websocket", "Origin: https://evil.example"}, true},
		{"a WebSocket in capitals, among others", "GET", []string{"upgrade: h2c, WebSocket/13", "Origin: https://evil.example"}, true},
		{"a WebSocket of another site, by Sec-Fetch-Site", "GET", []string{"Upgrade: websocket", "Sec-Fetch-Site: cross-site"}, true},
		{"our WebSocket", "GET", []string{"Upgrade: websocket", "Origin: " + origin}, false},
	} {
		req := &request{method: tt.method, header: tt.header}
		if got := f.CrossSite(req); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if a := f.RefuseCrossSite(&request{method: "POST"}); a.Status != 403 || a.Reason != login.ReasonCrossSite || len(a.Body) == 0 {
		t.Errorf("%+v", a)
	}
}
