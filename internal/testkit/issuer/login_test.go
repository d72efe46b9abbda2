package issuer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

const callback = "https://app.example/callback"

var errNonce = errors.New("the nonce is another one")

// app is an application, made of libraries that nobody here wrote, with one
// browser.
type app struct {
	*oauth2.Config
	issuer  *issuer.Issuer
	oidc    *oidc.Provider
	browser *http.Client
}

// confidential is an application with a secret, as most tests need it.
var confidential = issuer.Client{
	ID: "web", Secret: "s+cret/", RedirectURIs: []string{callback}, LogoutURIs: []string{"https://app.example/bye"},
}

// newApp registers a client at a headless issuer of its own.
func newApp(t *testing.T, c issuer.Client) *app {
	t.Helper()
	return headlessApp(t, start(t, issuer.Options{}), c)
}

// headlessApp is newApp for an issuer that a table's cases share, since its keys
// take a while to make.
func headlessApp(t *testing.T, i *issuer.Issuer, c issuer.Client) *app {
	t.Helper()
	i.Set(issuer.Settings{Headless: &issuer.Headless{}})
	i.SetClock(0)
	return appAt(t, i, c)
}

func appAt(t *testing.T, i *issuer.Issuer, c issuer.Client) *app {
	t.Helper()
	if err := i.Register(c); err != nil {
		t.Fatal(err)
	}
	provider, err := oidc.NewProvider(t.Context(), i.URL())
	if err != nil {
		t.Fatal(err)
	}
	return &app{issuer: i, oidc: provider, browser: newBrowser(t), Config: &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret, Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}}
}

// newBrowser keeps cookies and follows no redirect.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// goTo is what the browser gets: a page, or where it is sent.
func (a *app) goTo(t *testing.T, at string) (status int, to *url.URL, page string) {
	t.Helper()
	resp, err := a.browser.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func (a *app) submit(t *testing.T, path string, form url.Values) (status int, to *url.URL, page string) {
	t.Helper()
	resp, err := a.browser.PostForm(a.issuer.URL()+path, form)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) (status int, to *url.URL, page string) {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	to, _ = resp.Location()
	return resp.StatusCode, to, string(body)
}

// asks is where a browser is sent to log in, with more parameters in pairs.
func (a *app) asks(verifier string, more ...string) string {
	options := []oauth2.AuthCodeOption{oidc.Nonce("n-1"), oauth2.S256ChallengeOption(verifier)}
	for at := 0; at < len(more); at += 2 {
		options = append(options, oauth2.SetAuthURLParam(more[at], more[at+1]))
	}
	return a.AuthCodeURL("state-1", options...)
}

// answer is what the browser brings back from a request.
func (a *app) answer(t *testing.T, more ...string) url.Values {
	t.Helper()
	status, to, page := a.goTo(t, a.asks("v", more...))
	if status != http.StatusFound || !strings.HasPrefix(to.String(), callback+"?") {
		t.Fatalf("%d %v %s", status, to, page)
	}
	return to.Query()
}

// login is a whole one; the token is the endpoint's answer.
func (a *app) login(t *testing.T, more ...string) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	_, to, page := a.goTo(t, a.asks(verifier, more...))
	if to == nil || to.Query().Get("code") == "" {
		t.Fatalf("no code: %v %s", to, page)
	}
	token, err := a.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// identity checks the ID token of an answer as go-oidc does.
func (a *app) identity(ctx context.Context, token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := a.oidc.Verifier(&oidc.Config{ClientID: a.ClientID, SupportedSigningAlgs: []string{"RS256"}}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != "n-1" {
		return nil, errNonce
	}
	if id.AccessTokenHash == "" {
		return id, nil
	}
	return id, id.VerifyAccessToken(token.AccessToken)
}

// claims are those of the ID token of a login.
func (a *app) claims(t *testing.T, token *oauth2.Token) map[string]any {
	t.Helper()
	id, err := a.identity(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
