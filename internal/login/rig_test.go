package login_test

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	issuer = "https://tenant.auth0.example/"
	origin = "https://app.example"
)

var start = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// rig is a flow with everything around it, and a clock.
type rig struct {
	t        *testing.T
	flow     *login.Flow
	conf     *config.Login
	issuer   *provider
	sessions *sessions
	once     *once
	revoked  *revocations
	sealer   *sealer
	ready    error
	now      time.Time
	answers  []login.Answer // all that were given
}

func newRig(t *testing.T, change ...func(*login.Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, now: start,
		conf: &config.Login{
			ClientID: "client", RedirectURI: origin + "/callback", Origin: origin, CallbackPath: "/callback",
			Scope: "openid offline_access", LoginPath: "/login", LogoutPath: "/logout", BackchannelLogoutPath: "/backchannel",
			ForwardParams: []string{"organization", "login_hint"},
			Session:       config.LoginSession{IdleTimeout: 24 * time.Hour, AbsoluteTimeout: 72 * time.Hour},
		},
		issuer: &provider{
			tokens:     login.Tokens{AccessToken: "secret-access", IDToken: "secret-id", RefreshToken: "secret-refresh", ExpiresIn: time.Hour},
			refreshed:  login.Tokens{AccessToken: "secret-access-2", IDToken: "secret-id-2", RefreshToken: "secret-refresh-2", ExpiresIn: time.Hour},
			id:         login.Identity{Subject: "auth0|1", SID: "sid-1", AuthTime: start, IssuedAt: start, Expires: start.Add(10 * time.Hour)},
			endSession: issuer + "oidc/logout",
		},
		sessions: &sessions{kept: map[string]*session.Session{}, next: map[string]*session.Session{}},
		once:     &once{seen: map[string]bool{}},
		revoked:  &revocations{sessions: map[[16]byte]bool{}, sids: map[string]bool{}, subjects: map[string]time.Time{}},
		sealer:   &sealer{secrets: []string{"secret-of-the-session"}},
	}
	opt := login.Options{
		Login: r.conf, Issuer: issuer, Leeway: 30 * time.Second, Provider: r.issuer, Sessions: r.sessions, Sealer: r.sealer,
		Once: r.once, Revocations: r.revoked, Ready: func(context.Context) error { return r.ready },
	}
	for _, f := range change {
		f(&opt)
	}
	r.flow = login.New(opt)
	return r
}

// request is one request; header is a list of "Name: value".
type request struct {
	method, path string
	query        url.Values
	header       []string
	body         string
	bodyErr      error
}

func (r *request) Method() string             { return r.method }
func (r *request) Path() string               { return r.path }
func (r *request) NumHeader() int             { return len(r.header) }
func (r *request) Query() map[string][]string { return r.query }

func (r *request) HeaderName(i int) []byte {
	name, _, _ := strings.Cut(r.header[i], ":")
	return []byte(name)
}

func (r *request) HeaderValue(i int) string {
	_, value, _ := strings.Cut(r.header[i], ": ")
	return value
}

func (r *request) Body(_ context.Context, limit int) ([]byte, error) {
	if r.bodyErr == nil && len(r.body) > limit {
		return nil, login.ErrBodyTooLarge
	}
	return []byte(r.body), r.bodyErr
}

const html = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

// browser keeps cookies between requests.
type browser struct {
	*rig
	jar map[string]string
}

func (r *rig) browser() *browser { return &browser{r, map[string]string{}} }

// request makes a request with the browser's cookies. target is a path and a
// query.
func (b *browser) request(method, target string, header ...string) *request {
	b.t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		b.t.Fatal(err)
	}
	req := &request{method: method, path: u.Path, query: u.Query(), header: header}
	for _, name := range slices.Sorted(maps.Keys(b.jar)) {
		req.header = append(req.header, "cookie: "+name+"="+b.jar[name])
	}
	return req
}

// do answers as the gate will: the flow's own paths, and else a redirect.
func (b *browser) do(method, target string, header ...string) login.Answer {
	b.t.Helper()
	req := b.request(method, target, header...)
	if b.flow.Own(req.path) {
		return b.took(b.flow.Serve(b.t.Context(), req, b.now))
	}
	return b.took(b.flow.Redirect(b.t.Context(), req, target, b.now))
}

// took keeps an answer's cookies.
func (b *browser) took(a login.Answer) login.Answer {
	b.t.Helper()
	b.answers = append(b.answers, a)
	if len(a.Body) == 0 {
		b.t.Errorf("an answer of %d without a body", a.Status)
	}
	if h := header(a, "Cache-Control"); h != "no-store" {
		b.t.Errorf("an answer of %d has Cache-Control %q", a.Status, h)
	}
	if (a.Status == 503) != (header(a, "Retry-After") != "") {
		b.t.Errorf("an answer of %d has Retry-After %q", a.Status, header(a, "Retry-After"))
	}
	b.keep(cookies(a))
	return a
}

func (b *browser) keep(setCookies []string) {
	for _, c := range setCookies {
		pair, attributes, _ := strings.Cut(c, ";")
		name, value, _ := strings.Cut(pair, "=")
		if b.jar[name] = value; strings.Contains(attributes, "Max-Age=0") {
			delete(b.jar, name)
		}
	}
}

// transactions is how many transaction cookies the browser has.
func (b *browser) transactions() (n int) {
	for name := range b.jar {
		if strings.Contains(name, "auth0_txn_") {
			n++
		}
	}
	return n
}

// begin asks for a page and gives the state that went to the issuer.
func (b *browser) begin(target string) (state string) {
	b.t.Helper()
	if a := b.do("GET", target, html); a.Status != 302 || a.Reason != login.ReasonRedirect {
		b.t.Fatalf("no redirect: %d %s %s", a.Status, a.Reason, a.Cause)
	}
	return b.issuer.asked[len(b.issuer.asked)-1].State
}

// back comes back from the issuer.
func (b *browser) back(params url.Values) login.Answer {
	b.t.Helper()
	return b.do("GET", "/callback?"+params.Encode(), html)
}

// logIn goes there and back.
func (b *browser) logIn() {
	b.t.Helper()
	if a := b.back(url.Values{"code": {"secret-code"}, "state": {b.begin("/page")}}); a.Status != 303 || a.Reason != login.ReasonCompleted {
		b.t.Fatalf("no login: %d %s %s", a.Status, a.Reason, a.Cause)
	}
}

func header(a login.Answer, name string) string {
	for _, h := range a.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func cookies(a login.Answer) (list []string) {
	for _, h := range a.Headers {
		if h.Name == "Set-Cookie" {
			list = append(list, h.Value)
		}
	}
	return list
}
