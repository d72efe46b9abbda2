package auth0jwt_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	appOrigin = "https://app.example"
	callback  = appOrigin + "/callback"
)

// app is a route with login, and its issuer.
type app struct {
	*issuer.Issuer
	plugin *auth0jwt.Plugin
	conf   any
}

// newIssuer is a provider that answers for its users.
func newIssuer(t testing.TB) *issuer.Issuer {
	t.Helper()
	i, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	i.Set(issuer.Settings{Headless: &issuer.Headless{}})
	register(t, i, issuer.Client{})
	return i
}

// register registers the application, with what c says beside.
func register(t testing.TB, i *issuer.Issuer, c issuer.Client) {
	t.Helper()
	c.ID, c.Secret, c.RedirectURIs, c.LogoutURIs = "web", "client secret of the tests", []string{callback}, []string{appOrigin + "/bye"}
	if err := i.Register(c); err != nil {
		t.Fatal(err)
	}
}

// loginConf is a configuration with login; more are further members of it and of
// login, each after a comma.
func loginConf(t testing.TB, i *issuer.Issuer, more, moreLogin string) []byte {
	t.Helper()
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	t.Setenv("WEB_SECRET", "client secret of the tests")
	return fmt.Appendf(nil, `{"issuer":%q,"audience":%q,"claim_headers":{"X-User-Id":"sub"}%s,
		"login":{"client_id":"web","client_secret":"$env://WEB_SECRET","redirect_uri":%q,"scope":"openid offline_access",
		"session":{"secret":"$env://SESSION_SECRET"},"backchannel_logout_path":"/backchannel"%s}}`, i.URL(), issuer.DefaultAudience, more, callback, moreLogin)
}

func loginPlugin(t testing.TB, change func(*auth0jwt.Options)) *auth0jwt.Plugin {
	t.Helper()
	opt := auth0jwt.Options{Logger: slog.New(slog.DiscardHandler), AllowInsecure: true}
	if change != nil {
		change(&opt)
	}
	p := auth0jwt.New(opt)
	t.Cleanup(p.Close)
	return p
}

func newApp(t testing.TB, i *issuer.Issuer, more, moreLogin string) *app {
	t.Helper()
	p := loginPlugin(t, nil)
	return &app{i, p, parse(t, p, loginConf(t, i, more, moreLogin))}
}

// browser is one person's: it keeps the application's cookies.
type browser struct {
	app     *app
	cookies map[string]string
	issuer  *http.Client // where the issuer keeps its own
}

func (a *app) browser(t testing.TB) *browser {
	t.Helper()
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &browser{a, map[string]string{}, c}
}

// page are the headers of a person's step to a page.
var page = []string{"sec-fetch-mode", "navigate", "sec-fetch-dest", "document", "accept", "text/html"}

// reply is what the browser gets, and what the upstream got where it was asked.
type reply struct {
	status   int
	header   http.Header
	body     string
	upstream *request // nil where the upstream was not asked
}

func (r reply) location(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// do sends a request of that path and query, with the browser's cookies.
func (b *browser) do(method, target string, headers ...string) reply {
	return b.send(method, target, nil, headers...)
}

func (b *browser) get(target string) reply { return b.do("GET", target, page...) }

func (b *browser) send(method, target string, body []byte, headers ...string) reply {
	if line := b.cookieLine(); line != "" {
		headers = append([]string{"cookie", line}, headers...)
	}
	r := newRequest(headers...)
	path, query, _ := strings.Cut(target, "?")
	r.method, r.body, r.path = method, body, []byte(path)
	r.args, _ = url.ParseQuery(query)
	r.vars["real_request_uri"] = target
	w := httptest.NewRecorder()
	b.app.plugin.RequestFilter(b.app.conf, w, r)
	a := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	if w.Body.Len() == 0 && len(w.Header()) == 0 {
		a = reply{200, r.response, "", r}
	}
	b.keep(a.header)
	return a
}

func (b *browser) cookieLine() string {
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// keep takes the cookies of an answer.
func (b *browser) keep(h http.Header) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
}

// at is the issuer's answer: where it sends the browser.
func (b *browser) at(t testing.TB, issuer string) *url.URL {
	t.Helper()
	resp, err := b.issuer.Get(issuer)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("the issuer answers %d %s", resp.StatusCode, body)
	}
	return to
}

// login asks for a page and logs in on the way to it: it is the callback's answer.
func (b *browser) login(t testing.TB, target string) reply {
	t.Helper()
	sent := b.get(target)
	if sent.status != http.StatusFound {
		t.Fatalf("%s: %d %s", target, sent.status, sent.body)
	}
	return b.get(b.at(t, sent.location(t).String()).RequestURI())
}

// loggedIn is a browser that has a session.
func (a *app) loggedIn(t testing.TB) *browser {
	t.Helper()
	b := a.browser(t)
	if back := b.login(t, "/"); back.status != http.StatusSeeOther {
		t.Fatalf("the login ends with %d %s", back.status, back.body)
	}
	return b
}

func TestALoginEndsAtThePageThatWasAskedFor(t *testing.T) {
	a := newApp(t, newIssuer(t), "", "")
	b := a.browser(t)
	const deep = "/orders/%C3%BC?page=2&q=a%20b"
	if back := b.login(t, deep); back.status != http.StatusSeeOther || back.header.Get("Location") != deep {
		t.Fatalf("%d %s %s", back.status, back.header, back.body)
	}
	got := b.get("/orders")
	if got.upstream == nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	up := got.upstream.upstream("x-user-id", "cookie", "authorization")
	if len(up["cookie"])+len(up["authorization"]) > 0 || len(up["x-user-id"]) != 1 || up["x-user-id"][0] != "auth0|alice" {
		t.Errorf("the upstream gets %v", up)
	}
	if n := a.plugin.Gate().Logins()["completed"]; n != 1 {
		t.Errorf("%d logins are counted", n)
	}
	if n := a.plugin.Gate().Decisions(); n["login_redirect"] != 1 || n["login_completed"] != 1 || n["forwarded"] != 1 {
		t.Errorf("counted %v", n)
	}
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// sessionCookie reports whether an answer deletes the session's cookie, or sets it.
func sessionCookie(r reply) string {
	for _, line := range r.header.Values("Set-Cookie") {
		switch {
		case strings.HasPrefix(line, "__Host-auth0_session=;"):
			return "deleted"
		case strings.HasPrefix(line, "__Host-auth0_session="):
			return "set"
		}
	}
	return ""
}

func headers(more ...string) []string { return append(slices.Clone(page), more...) }

func bearer(t testing.TB, i *issuer.Issuer, claims map[string]any) string {
	t.Helper()
	raw, err := i.Mint(issuer.MintRequest{Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + raw
}
