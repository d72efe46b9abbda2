package ci_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/openredirect"
)

// lawful holds an answer to what is true of all of them.
func (b *browser) lawful(req request, p page) {
	b.t.Helper()
	wrong := func(format string, args ...any) {
		b.t.Helper()
		b.t.Errorf("%s %s: %s: %d %.300s", req.methodOr(), p.at, fmt.Sprintf(format, args...), p.status, p.body)
	}
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		secure := strings.HasPrefix(b.app.origin, "https:")
		sameSite := b.app.sameSite
		if strings.Contains(c.Name, "auth0_txn_") {
			sameSite = http.SameSiteLaxMode
		}
		if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.Secure != secure || c.SameSite != sameSite {
			wrong("the cookie %s has the attributes %v", c.Name, c)
		}
		if strings.Contains(c.Name, "auth0_txn_") && len(c.Name)+1+len(c.Value) >= 100 {
			wrong("a transaction cookie of %d bytes", len(c.Name)+1+len(c.Value))
		}
	}
	if len(p.header.Values("Set-Cookie")) > 0 && !slices.Contains(p.header.Values("Cache-Control"), "no-store") {
		wrong("a cookie without no-store")
	}
	if p.echo != nil {
		b.untold(p.echo, wrong)
		return
	}
	if p.status == http.StatusOK && req.method == http.MethodHead {
		return // the upstream's
	}
	if len(p.body) == 0 && req.method != http.MethodHead || strings.Contains(string(p.body), "Powered by APISIX") {
		wrong("no body")
	}
	if !slices.Equal(p.header.Values("Cache-Control"), []string{"no-store"}) {
		wrong("Cache-Control %q", p.header.Values("Cache-Control"))
	}
	if p.status == http.StatusServiceUnavailable && p.header.Get("Retry-After") == "" {
		wrong("no Retry-After")
	}
	if slices.Contains(redirects, p.status) {
		to := p.header.Get("Location")
		if _, toIssuer := b.app.provider.path(to); !toIssuer && openredirect.Origin(b.app.origin, to) != b.app.origin {
			wrong("a redirect to %q", to)
		}
		return
	}
	if strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		b.harmless(p, wrong)
	}
}

// untold wants that the upstream learns nothing of sessions.
func (b *browser) untold(e *echo, wrong func(string, ...any)) {
	for name, values := range e.Headers {
		for _, v := range values {
			if strings.EqualFold(name, "Cookie") && (strings.Contains(v, "auth0_session") || strings.Contains(v, "auth0_txn")) {
				wrong("the upstream got a cookie of the session or of a login")
			}
			if strings.Contains(v, "v1.") {
				wrong("the upstream got a refresh token in %s", name)
			}
		}
	}
}

var link = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// harmless wants a page that runs no script and leads nowhere else.
func (b *browser) harmless(p page, wrong func(string, ...any)) {
	csp := p.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
		wrong("the page's policy is %q", csp)
	}
	if p.header.Get("X-Content-Type-Options") != "nosniff" {
		wrong("the page may be sniffed")
	}
	text := strings.ToLower(string(p.body))
	if strings.Contains(text, "<script") || strings.Contains(text, "<img") || strings.Contains(text, "<svg") {
		wrong("a script in the page")
	}
	for _, m := range link.FindAllSubmatch(p.body, -1) {
		to := strings.ReplaceAll(string(m[1]), "&amp;", "&")
		if openredirect.Origin(b.app.origin, to) != b.app.origin {
			wrong("a link to %q", to)
		}
	}
}
