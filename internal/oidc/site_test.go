package oidc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var _ login.Provider = (*oidc.Client)(nil)

const (
	clientID     = "client one"
	clientSecret = "top-secret of the client: äöü&=+%/" // what a form has to encode
	redirectURI  = "https://app.example.com/callback"
	verifier     = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	challenge    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// sent is a request as a site got it.
type sent struct{ Method, Path, Authorization, Body string }

// site is an issuer over TLS: a discovery document, and the answers of paths.
type site struct {
	*httptest.Server
	document map[string]any

	mu       sync.Mutex
	requests []sent // but those of discovery
	log      bytes.Buffer
}

// newSite starts a site whose endpoints are under the names of their path:
// /authorize, /token, /revoke, /par and /end. Of discovery it has what is named,
// and authorize and token always.
func newSite(t *testing.T, answer http.HandlerFunc, endpoints ...string) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			_ = json.NewEncoder(w).Encode(s.document)
			return
		}
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, sent{r.Method, r.URL.Path, r.Header.Get("Authorization"), string(body)})
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Server.Close)
	s.document = map[string]any{
		"issuer": s.issuer(), "authorization_endpoint": s.URL + "/authorize?tenant=a%20b", "token_endpoint": s.URL + "/token",
	}
	for _, name := range endpoints {
		s.document[map[string]string{
			"revoke": "revocation_endpoint", "par": "pushed_authorization_request_endpoint", "end": "end_session_endpoint",
		}[name]] = s.URL + "/" + name
	}
	return s
}

func (s *site) issuer() string { return s.URL + "/" }

func (s *site) got() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// fetcher trusts the site's certificate, and may go to it.
func (s *site) fetcher(t *testing.T) *fetch.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f := fetch.New(fetch.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: roots})
	t.Cleanup(f.Close)
	return f
}

// client is one of the site's. Its changes are made before it is.
func (s *site) client(t *testing.T, changes ...func(*oidc.Options)) *oidc.Client {
	t.Helper()
	opt := oidc.Options{
		Issuer: s.issuer(), SSLVerify: true, ClientID: clientID, ClientSecret: text(clientSecret),
		RedirectURI: redirectURI, Scope: "openid profile", Algorithms: []string{"RS256"}, Keys: keysOf(t, forge.RSA()),
		Leeway: 30 * time.Second, Fetch: s.fetcher(t), Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	return newClient(t, opt, changes...)
}

func newClient(t *testing.T, opt oidc.Options, changes ...func(*oidc.Options)) *oidc.Client {
	t.Helper()
	for _, change := range changes {
		change(&opt)
	}
	c, err := oidc.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func text(value string) oidc.Secret { return func(time.Time) []byte { return []byte(value) } }

// keysOf is a set of keys, of which the kid is that of their kind: rsa, ec256,
// ec384, ec521 or ed.
func keysOf(t *testing.T, keys ...crypto.Signer) oidc.Keys {
	t.Helper()
	var set []map[string]any
	for _, key := range keys {
		set = append(set, forge.JWK(key, "kid", kidOf(key)))
	}
	p, err := jwks.Static(forge.JWKS(set...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func kidOf(key crypto.Signer) string { return "kid-" + forge.Thumbprint(key) }

// says answers with a status and a text.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// fake answers GET and POST itself; a nil one is not asked.
type fake struct {
	get  func(context.Context, fetch.Request) (*fetch.Response, error)
	post func(context.Context, fetch.Form) (*fetch.Response, error)
}

func (f fake) Get(ctx context.Context, r fetch.Request) (*fetch.Response, error) {
	return f.get(ctx, r)
}

func (f fake) Post(ctx context.Context, r fetch.Form) (*fetch.Response, error) { return f.post(ctx, r) }

func body(text string) *fetch.Response {
	return &fetch.Response{Status: http.StatusOK, Body: []byte(text)}
}

func form(t *testing.T, text string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
