package gate_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
	provider "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

const (
	webOrigin = "https://app.example"
	forged    = "forged-by-the-client"
)

// shown is a request as a browser, a program or an attacker may send it.
type shown struct {
	method, path string
	headers      []identity.Header
	body         string
	edits        *identity.Edits
	answer       []identity.Header // of AddResponseHeader
}

func (r *shown) Context() context.Context                  { return context.Background() }
func (r *shown) Method() string                            { return r.method }
func (r *shown) Path() string                              { p, _, _ := strings.Cut(r.path, "?"); return p }
func (r *shown) PathBytes() []byte                         { return []byte(r.Path()) }
func (r *shown) IP() string                                { return "192.0.2.1" }
func (r *shown) HeadersShown() int                         { return len(r.headers) }
func (r *shown) NumHeader() int                            { return len(r.headers) }
func (r *shown) HeaderName(i int) []byte                   { return []byte(r.headers[i].Name) }
func (r *shown) HeaderValue(i int) string                  { return r.headers[i].Value }
func (r *shown) Args(name string) []string                 { return r.Query()[name] }
func (r *shown) Body(context.Context, int) ([]byte, error) { return []byte(r.body), nil }
func (r *shown) Edit(e identity.Edits) error               { r.edits = &e; return nil }

func (r *shown) Query() map[string][]string {
	_, query, _ := strings.Cut(r.path, "?")
	values, _ := url.ParseQuery(query)
	return values
}

func (r *shown) Var(name string) ([]byte, error) {
	if name == "real_request_uri" {
		return []byte(r.path), nil
	}
	return nil, nil
}

func (r *shown) AddResponseHeader(name, value string) {
	r.answer = append(r.answer, identity.Header{Name: name, Value: value})
}

func (r *shown) clone() *shown { return &shown{method: r.method, path: r.path, headers: r.headers} }

// upstream is what is left of a request's headers once its edits were made.
func (r *shown) upstream() []identity.Header {
	var left []identity.Header
	for _, h := range r.headers {
		gone := func(name string) bool { return fold.Equal([]byte(name), h.Name) }
		if !slices.ContainsFunc(r.edits.DeleteHeaders, gone) &&
			!slices.ContainsFunc(r.edits.SetHeaders, func(set identity.Header) bool { return gone(set.Name) }) {
			left = append(left, h)
		}
	}
	return append(left, r.edits.SetHeaders...)
}

// told is what came of a request, for comparison: random texts are left out.
func told(r *gate.Route, v gate.Verdict, req *shown) string {
	a, answered := v.Answer(r)
	if !answered {
		slices.Sort(req.edits.DeleteHeaders)
		return fmt.Sprintf("forwarded %v %v", *req.edits, req.answer)
	}
	text := fmt.Sprint(a.Status)
	for _, h := range a.Headers {
		value := h.Value
		switch h.Name {
		case "Location":
			value, _, _ = strings.Cut(value, "?")
		case "Set-Cookie":
			if value, _, _ = strings.Cut(value, "="); strings.Contains(value, "_txn_") {
				value = "transaction"
			}
		}
		text += "; " + h.Name + ": " + value
	}
	return text + "\n" + string(a.Body)
}

// app is an issuer, a browser's sessions at it and a gate.
type app struct {
	*provider.Issuer
	t    *testing.T
	jars map[string]string // the value of a Cookie header, by what it is
}

func newApp(t *testing.T) *app {
	i, err := provider.Start(provider.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	i.Set(provider.Settings{Headless: &provider.Headless{}})
	for _, id := range []string{"web", "other"} {
		if err := i.Register(provider.Client{ID: id, Secret: "the client's secret", RedirectURIs: []string{webOrigin + "/callback"}}); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	t.Setenv("WEB_SECRET", "the client's secret")
	return &app{i, t, map[string]string{}}
}

func (a *app) gate(cache *gate.Cache, sessions *store.Memory) *gate.Gate {
	g := gate.New(gate.Options{Config: config.Options{AllowInsecure: true}, Cache: cache, Sessions: sessions, Logger: slog.New(slog.DiscardHandler)})
	a.t.Cleanup(g.Close)
	return g
}

func (a *app) document(client, more, moreLogin string) []byte {
	audience := `"audience":"` + provider.DefaultAudience + `",`
	if strings.Contains(moreLogin, `"subject_token":"id_token"`) {
		audience = ""
	}
	return fmt.Appendf(nil, `{"issuer":%q,%s"claim_headers":{"X-User-Id":"sub"}%s,"login":{"client_id":%q,"client_secret":"$env://WEB_SECRET",
		"redirect_uri":%q,"scope":"openid offline_access","session":{"secret":"$env://SESSION_SECRET"}%s}}`, a.URL(), audience, more, client, webOrigin+"/callback", moreLogin)
}

func cookiesOf(v gate.Verdict, r *gate.Route) (pairs []string) {
	a, _ := v.Answer(r)
	for _, h := range a.Headers {
		if pair, _, _ := strings.Cut(h.Value, ";"); h.Name == "Set-Cookie" && !strings.HasSuffix(pair, "=") {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// back is where the issuer sends a browser that a gate's answer sent to it.
func (a *app) back(answer refusal.Answer) string {
	a.t.Helper()
	i := slices.IndexFunc(answer.Headers, func(h refusal.Header) bool { return h.Name == "Location" })
	if i < 0 {
		a.t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(answer.Headers[i].Value)
	if err != nil {
		a.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		a.t.Fatal(err)
	}
	return back.RequestURI()
}

// login logs a browser in and gives its Cookie header.
func (a *app) login(g *gate.Gate, r *gate.Route) string {
	a.t.Helper()
	v := g.Decide(r, &shown{method: "GET", path: "/login"})
	answer, _ := v.Answer(r)
	v = g.Decide(r, &shown{method: "GET", path: a.back(answer), headers: []identity.Header{{Name: "cookie", Value: strings.Join(cookiesOf(v, r), "; ")}}})
	pairs := cookiesOf(v, r)
	if len(pairs) == 0 {
		answer, _ = v.Answer(r)
		a.t.Fatalf("no session: %d %s", answer.Status, answer.Body)
	}
	return strings.Join(pairs, "; ")
}
