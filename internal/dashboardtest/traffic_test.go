package dashboardtest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

const webOrigin = "https://app.example"

// traffic is what clients do at the gateway, some of it in a part of the time alone.
type traffic struct {
	*stack
	client  *http.Client
	failed  atomic.Int64 // requests without an answer
	lasting time.Duration
	begin   time.Time
}

// kind is one kind of request.
type kind struct {
	path      string
	perSecond float64
	from, to  float64 // shares of the time
	token     func(n int) string
}

// run puts routes and sends requests for as long as that: good and bad tokens, logins,
// a rotation of keys, a partner whose issuer falls ill, a flood and a revocation.
func (s *stack) run(lasting time.Duration) {
	s.t.Helper()
	t := &traffic{stack: s, lasting: lasting, begin: time.Now(), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 50},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer t.client.CloseIdleConnections()
	s.route("orders", s.tenant, map[string]any{"claim_headers": map[string]any{"X-User-Id": "sub"}})
	s.route("reports", s.tenant, map[string]any{
		"required_scopes": []string{"read:reports"},
		"rules":           []any{map[string]any{"expression": "claims.sub != 'auth0|user-1'", "report_only": true}},
	})
	s.route("partner", s.partner, map[string]any{})
	s.route("legacy", s.away, map[string]any{})
	s.route("app", s.tenant, map[string]any{"unauth_action": "auth", "login": map[string]any{
		"client_id": webClient, "client_secret": "$env://APP_SECRET", "redirect_uri": webOrigin + "/app/callback", "scope": "openid offline_access",
		"login_path": "/app/login", "logout_path": "/app/logout",
		"session": map[string]any{"secret": "$env://SESSION_SECRET"},
	}})

	first := t.mint()
	var now atomic.Pointer[tokens] // of clients that ask for a new one in time
	now.Store(first)
	var all sync.WaitGroup
	all.Go(func() {
		t.at(0.25)
		rotate(s.t, s.tenant) // twice: nobody has seen the key that signs now
		now.Store(t.mint())
		t.at(0.45)
		s.revoke(s.tenant.URL(), "stolen")
		t.at(0.55)
		if err := s.partner.SetFault(issuer.Fault{Path: "jwks", Fault: "status", Status: http.StatusServiceUnavailable}); err != nil {
			s.t.Error(err)
		}
		rotate(s.t, s.partner)
		now.Store(t.mint())
	})
	for _, k := range []kind{
		{"/orders/1", 40, 0, 1, func(n int) string { return now.Load().users[n%users] }},
		{"/reports/1", 15, 0, 1, func(n int) string { return now.Load().users[n%users] }},
		{"/partner/1", 10, 0, 1, func(int) string { return now.Load().partner }},
		{"/legacy/1", 1, 0, 1, func(int) string { return now.Load().legacy }},
		{"/orders/1", 3, 0, 1, func(int) string { return "" }},
		{"/orders/1", 2, 0, 1, func(int) string { return now.Load().expired }},
		{"/orders/1", 2, 0, 1, func(n int) string { return first.users[n%users] }}, // a client that keeps what it has
		{"/reports/1", 4, 0, 1, func(int) string { return now.Load().unscoped }},
		{"/reports/1", 2, 0.2, 0.6, func(int) string { return now.Load().foreign }},
		{"/orders/1", 60, 0.65, 0.85, func(int) string { return now.Load().forged }},
		{"/orders/1", 2, 0.3, 1, func(int) string { return now.Load().stolen }},
	} {
		all.Go(func() { t.every(k, func(n int) { t.get(k.path, k.token(n)) }) })
	}
	all.Go(func() { t.every(kind{perSecond: 1, to: 1}, func(int) { t.logIn() }) })
	all.Go(func() {
		t.every(kind{perSecond: 0.5, from: 0.1, to: 1}, func(int) { t.get("/app/callback?code=none&state=none", "") })
	})
	all.Wait()
	if n := t.failed.Load(); n > 0 {
		s.t.Errorf("%d requests got no answer", n)
	}
}

func rotate(t *testing.T, i *issuer.Issuer) {
	t.Helper()
	for range 2 {
		if err := i.Rotate(); err != nil {
			t.Error(err)
		}
	}
}

// users is how many there are.
const users = 20

// tokens are those that the issuers give at a time.
type tokens struct {
	users                                                       []string
	partner, legacy, expired, unscoped, foreign, forged, stolen string
}

func (t *traffic) mint() *tokens {
	one := func(of *issuer.Issuer, r issuer.MintRequest) string {
		token, err := of.Mint(r)
		if err != nil {
			t.t.Error(err)
		}
		return token
	}
	all := &tokens{
		partner:  one(t.partner, issuer.MintRequest{}),
		legacy:   one(t.away, issuer.MintRequest{}),
		expired:  one(t.tenant, issuer.MintRequest{ExpiresIn: -600}),
		unscoped: one(t.tenant, issuer.MintRequest{}),
		foreign:  one(t.tenant, issuer.MintRequest{Claims: map[string]any{"aud": "https://other.example"}}),
		forged:   one(t.tenant, issuer.MintRequest{Key: "rogue"}),
		stolen:   one(t.tenant, issuer.MintRequest{Claims: map[string]any{"jti": "stolen"}}),
	}
	for n := range users {
		claims := map[string]any{"sub": fmt.Sprintf("auth0|user-%d", n), "scope": "read:reports"}
		all.users = append(all.users, one(t.tenant, issuer.MintRequest{Claims: claims}))
	}
	return all
}

// at waits until a share of the time has passed.
func (t *traffic) at(share float64) {
	<-time.After(time.Until(t.begin.Add(time.Duration(share * float64(t.lasting)))))
}

// every does something as often a second as a kind says, in its part of the time.
func (t *traffic) every(k kind, do func(n int)) {
	t.at(k.from)
	pace := time.NewTicker(time.Duration(float64(time.Second) / k.perSecond))
	defer pace.Stop()
	end := t.begin.Add(time.Duration(k.to * float64(t.lasting)))
	for n := 0; time.Now().Before(end); n++ {
		do(n)
		<-pace.C
	}
}

// get asks for a page and gives the answer, without its body.
func (t *traffic) get(path, token string, cookies ...string) *http.Response {
	req, err := http.NewRequest(http.MethodGet, t.gateway.URL()+path, nil)
	if err != nil {
		t.t.Error(err)
		return nil
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if len(cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return t.do(req)
}

func (t *traffic) do(req *http.Request) *http.Response {
	resp, err := t.client.Do(req)
	if err != nil {
		t.failed.Add(1)
		return nil
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// logIn is a login of a browser, and a page of its session.
func (t *traffic) logIn() {
	begun := t.get("/app/login", "")
	if begun == nil || begun.StatusCode != http.StatusFound {
		return
	}
	asked, err := http.NewRequest(http.MethodGet, begun.Header.Get("Location"), nil)
	if err != nil {
		t.t.Error(err)
		return
	}
	allowed := t.do(asked)
	if allowed == nil {
		return
	}
	back, err := allowed.Location()
	if err != nil {
		t.t.Error(err)
		return
	}
	if done := t.get(back.RequestURI(), "", pairs(begun)...); done != nil {
		t.get("/app/page", "", pairs(done)...)
	}
}

// pairs are the cookies that an answer sets, as a browser sends them.
func pairs(of *http.Response) (all []string) {
	for _, c := range of.Cookies() {
		if c.Value != "" {
			all = append(all, c.Name+"="+c.Value)
		}
	}
	return all
}
