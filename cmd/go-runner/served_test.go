package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// served is a runner behind a gateway, with an issuer and an upstream.
type served struct {
	*observed
	issuer   *issuer.Issuer
	upstream *upstream.Upstream
	gateway  *gateway.Gateway
}

func serve(t *testing.T, args ...string) *served {
	t.Helper()
	t.Setenv("WEB_SECRET", "the client's secret")
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	s := &served{observed: startObserved(t, append(args, "--allow-insecure")...)}
	var err error
	if s.issuer, err = issuer.Start(issuer.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.issuer.Close() })
	if s.upstream, err = upstream.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.upstream.Close() })
	if s.gateway, err = gateway.Start(gateway.Options{SocketPath: s.socket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.gateway.Close() })
	return s
}

// protect puts a route for every path; more is the rest of its configuration.
func (s *served) protect(more string) {
	s.t.Helper()
	s.put(fmt.Sprintf(`{"name":"orders","issuer":%q,"audience":%q%s}`, s.issuer.URL(), issuer.DefaultAudience, more))
}

// put has a configuration take the place of the route's.
func (s *served) put(conf string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"uri": "/*", "upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{s.upstream.Node(): 1}},
		"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{"conf": []any{map[string]string{"name": "auth0-jwt", "value": conf}}}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, s.gateway.AdminURL()+"/apisix/admin/routes/orders", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if resp := s.do(req); resp.StatusCode >= http.StatusMultipleChoices {
		s.t.Fatal(resp.Status)
	}
}

// register makes the application of protectByLogin known to the issuer, with
// access tokens that live so many seconds; 0 is the issuer's default.
func (s *served) register(seconds int64) {
	s.t.Helper()
	app := issuer.Client{ID: "web", Secret: "the client's secret", RedirectURIs: []string{"https://app.example/callback"}, AccessTokenLifetime: seconds}
	if err := s.issuer.Register(app); err != nil {
		s.t.Fatal(err)
	}
}

// protectByLogin does the same with a login whose sessions are refreshed, and no
// leeway for a token that expired.
func (s *served) protectByLogin(session string) {
	s.t.Helper()
	s.register(0)
	s.issuer.Set(issuer.Settings{Headless: &issuer.Headless{}})
	s.protect(`,"leeway":0,"login":{"client_id":"web","scope":"openid offline_access","client_secret":"$env://WEB_SECRET","redirect_uri":"https://app.example/callback","session":{"secret":"$env://SESSION_SECRET"` + session + `}}`)
}

// goLogIn goes to the login page and comes back with a code, which the gateway is
// yet to see.
func (s *served) goLogIn() (callback, cookie string) {
	s.t.Helper()
	begun := s.ask("/login")
	back, err := s.ask(begun.Header.Get("Location")).Location()
	if err != nil {
		s.t.Fatal(err)
	}
	cookie, _, _ = strings.Cut(begun.Header.Get("Set-Cookie"), ";")
	return back.RequestURI(), cookie
}

func (s *served) do(req *http.Request) *http.Response {
	s.t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// ask asks the gateway, or with a whole URL whoever that is.
func (s *served) ask(path string, headers ...string) *http.Response {
	s.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = s.gateway.URL() + path
	}
	req, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.do(req)
}

func (s *served) mint(claims map[string]any) string {
	s.t.Helper()
	token, err := s.issuer.Mint(issuer.MintRequest{Claims: claims})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *served) fault(path, fault string) {
	s.t.Helper()
	if err := s.issuer.SetFault(issuer.Fault{Path: path, Fault: fault}); err != nil {
		s.t.Fatal(err)
	}
}
