package certified_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/certified"
)

const callback = "https://app.example/callback"

// journey follows redirects within the provider and stops at the application.
func journey(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func arrive(t *testing.T, resp *http.Response, err error) (*url.URL, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	to, _ := resp.Location()
	return to, string(body)
}

var xsrf = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)

// One run of the provider, since it takes a second to start.
func TestTheWholeLifeOfALogin(t *testing.T) {
	tokens := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tokens <- r.PostFormValue("logout_token") }))
	t.Cleanup(app.Close)
	p := certified.Start(t, certified.Client{
		ID: "web", Secret: strings.Repeat("s", 32), RedirectURIs: []string{callback},
		PostLogoutRedirectURIs: []string{"https://app.example/bye"}, BackchannelLogoutURI: app.URL,
	})
	provider, err := oidc.NewProvider(t.Context(), p.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{
		ClientID: "web", ClientSecret: strings.Repeat("s", 32), Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{"openid", "email", "offline_access"},
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: "web"})
	browser, secret := journey(t), oauth2.GenerateVerifier()
	at := func(more ...oauth2.AuthCodeOption) string {
		return config.AuthCodeURL("state-1", append(more, oidc.Nonce("n-1"), oauth2.S256ChallengeOption(secret))...)
	}

	resp, err := browser.Get(at(oauth2.SetAuthURLParam("login_hint", "carol")))
	to, page := arrive(t, resp, err)
	if to == nil || to.Query().Get("code") == "" || to.Query().Get("iss") != p.URL {
		t.Fatalf("sent to %v: %s", to, page)
	}
	token, err := config.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(secret))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ SID, Email string }
	if err := id.Claims(&claims); err != nil || id.Subject != "carol" || id.Nonce != "n-1" || claims.SID == "" || claims.Email == "" {
		t.Errorf("the ID token says %+v %+v, %v", id, claims, err)
	}
	access, err := provider.Verifier(&oidc.Config{ClientID: certified.Audience}).Verify(t.Context(), token.AccessToken)
	if err != nil || access.Subject != "carol" {
		t.Errorf("the access token: %v", err)
	}

	old := *token
	old.Expiry = time.Unix(1, 0)
	renewed, err := config.TokenSource(t.Context(), &old).Token()
	if err != nil || renewed.RefreshToken == token.RefreshToken {
		t.Errorf("refreshed: %v", err)
	}

	resp, err = browser.Get(p.URL + "/session/end?" + url.Values{
		"client_id": {"web"}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"},
	}.Encode())
	_, page = arrive(t, resp, err)
	form := xsrf.FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("no form: %s", page)
	}
	resp, err = browser.PostForm(p.URL+"/session/end/confirm", url.Values{"xsrf": {html.UnescapeString(form[1])}, "logout": {"yes"}})
	if to, page = arrive(t, resp, err); to == nil || to.String() != "https://app.example/bye?state=s" {
		t.Errorf("sent to %v: %s", to, page)
	}
	select {
	case logout := <-tokens:
		if told, err := verifier.VerifyLogout(t.Context(), logout); err != nil || told.SessionID != claims.SID {
			t.Errorf("told %+v, %v", told, err)
		}
	case <-time.After(time.Minute):
		t.Error("no logout token came")
	}

	resp, err = journey(t).Get(at(oauth2.SetAuthURLParam("login_hint", "deny")))
	if to, page = arrive(t, resp, err); to == nil || to.Query().Get("error") != "access_denied" {
		t.Errorf("sent to %v: %s", to, page)
	}
}

func TestAnUnknownClientIsRefused(t *testing.T) {
	p := certified.Start(t, certified.Client{ID: "web", RedirectURIs: []string{callback}, TokenEndpointAuthMethod: "none"})
	resp, err := journey(t).Get(p.URL + "/auth?client_id=other&response_type=code&redirect_uri=" + url.QueryEscape(callback))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
}
