package issuer_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

func TestAWholeLoginWithLibrariesThatNobodyHereWrote(t *testing.T) {
	a := newApp(t, confidential)
	a.issuer.AddUser(issuer.User{
		Sub: "auth0|carol", Claims: map[string]any{"name": "Carol", "email": "carol@example.com"}, Permissions: []string{"read:orders"},
	})
	verifier := oauth2.GenerateVerifier()
	_, to, _ := a.goTo(t, a.asks(verifier, "audience", issuer.DefaultAudience, "login_hint", "auth0|carol"))
	if got := to.Query(); got.Get("state") != "state-1" || got.Get("iss") != a.issuer.URL() {
		t.Fatalf("the answer is %v", got)
	}
	token, err := a.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	claims := a.claims(t, token)
	if claims["name"] != "Carol" || claims["sub"] != "auth0|carol" || claims["sid"] == nil || claims["azp"] != nil || claims["auth_time"] != nil {
		t.Errorf("the ID token says %v", claims)
	}
	if _, err := verify(t, a.issuer, token.AccessToken); err != nil {
		t.Error(err)
	}
	access := object(t, part(t, token.AccessToken, 1))
	for _, name := range []string{"iat", "exp", "jti"} {
		delete(access, name)
	}
	want := map[string]any{
		"iss": a.issuer.URL(), "sub": "auth0|carol", "aud": []any{issuer.DefaultAudience, a.issuer.URL() + "userinfo"},
		"azp": "web", "scope": "openid profile email offline_access", "permissions": []any{"read:orders"},
	}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Error(diff)
	}
	info, err := a.oidc.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil || info.Email != "carol@example.com" {
		t.Errorf("%+v, %v", info, err)
	}
	token.Expiry = time.Unix(1, 0)
	renewed, err := a.TokenSource(t.Context(), token).Token()
	if err != nil || renewed.RefreshToken == token.RefreshToken || renewed.AccessToken == token.AccessToken {
		t.Errorf("refreshed: %v, %v", renewed, err)
	}
	counters := a.issuer.Counters()
	if counters.Exchange != 1 || counters.Refresh != 1 || counters.Authorize != 1 || counters.Logins != 1 {
		t.Errorf("%+v", counters)
	}
}

func TestWithoutAnAudienceTheAccessTokenIsOpaque(t *testing.T) {
	a := newApp(t, confidential)
	if token := a.login(t); strings.Contains(token.AccessToken, ".") {
		t.Error("the access token is a JWT")
	}
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// assertion is private_key_jwt's; changes are as in forge.Object.
func assertion(a *app, changes ...string) string {
	claims := forge.Object(append([]string{
		"iss", `"` + a.ClientID + `"`, "sub", `"` + a.ClientID + `"`, "aud", `"` + a.issuer.URL() + `"`,
		"exp", forge.Seconds(time.Now().Add(time.Minute)), "jti", `"` + rand.Text() + `"`,
	}, changes...)...)
	return forge.Sign("RS256", forge.RSA(), forge.Header("RS256", ""), claims)
}

func TestClientsAuthenticateAsTheyAreRegistered(t *testing.T) {
	i := start(t, issuer.Options{})
	public := issuer.Client{ID: "spa", RedirectURIs: []string{callback}}
	keyed := issuer.Client{ID: "keyed", RedirectURIs: []string{callback}, PublicKey: pemOf(t, forge.RSA().Public())}
	asserts := func(changes ...string) func(a *app) []oauth2.AuthCodeOption {
		return func(a *app) []oauth2.AuthCodeOption {
			return []oauth2.AuthCodeOption{
				oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
				oauth2.SetAuthURLParam("client_assertion", assertion(a, changes...)),
			}
		}
	}
	for _, tt := range []struct {
		name   string
		client issuer.Client
		style  oauth2.AuthStyle
		secret string // in place of the client's own
		more   func(*app) []oauth2.AuthCodeOption
		code   string // of the error
	}{
		{name: "client_secret_basic", client: confidential, style: oauth2.AuthStyleInHeader},
		{name: "client_secret_post", client: confidential, style: oauth2.AuthStyleInParams},
		{name: "a wrong secret", client: confidential, style: oauth2.AuthStyleInHeader, secret: "x", code: "invalid_client"},
		{name: "two ways", client: confidential, style: oauth2.AuthStyleInHeader, code: "invalid_request", more: func(a *app) []oauth2.AuthCodeOption {
			return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("client_secret", a.ClientSecret)}
		}},
		{name: "a public client", client: public, style: oauth2.AuthStyleInParams},
		{name: "a public client with a secret", client: public, style: oauth2.AuthStyleInParams, secret: "x", code: "invalid_client"},
		{name: "private_key_jwt", client: keyed, style: oauth2.AuthStyleInParams, more: asserts()},
		{name: "no assertion", client: keyed, style: oauth2.AuthStyleInParams, code: "invalid_client"},
		{name: "an assertion for another", client: keyed, style: oauth2.AuthStyleInParams, more: asserts("aud", `"https://elsewhere.example/"`), code: "invalid_client"},
		{name: "an assertion that expired", client: keyed, style: oauth2.AuthStyleInParams, more: asserts("exp", "1"), code: "invalid_client"},
		{name: "an assertion without jti", client: keyed, style: oauth2.AuthStyleInParams, more: asserts("jti", ""), code: "invalid_client"},
		{name: "an assertion by another", client: keyed, style: oauth2.AuthStyleInParams, more: asserts("iss", `"web"`), code: "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := headlessApp(t, i, tt.client)
			if tt.secret != "" {
				a.ClientSecret = tt.secret
			}
			a.Config.Endpoint.AuthStyle = tt.style
			verifier := oauth2.GenerateVerifier()
			_, to, _ := a.goTo(t, a.asks(verifier))
			options := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
			if tt.more != nil {
				options = append(options, tt.more(a)...)
			}
			_, err := a.Exchange(t.Context(), to.Query().Get("code"), options...)
			if got := codeOf(err); got != tt.code {
				t.Errorf("got %q (%v), want %q", got, err, tt.code)
			}
		})
	}
}

// codeOf is the error of RFC 6749 section 5.2 in an error of oauth2.
func codeOf(err error) string {
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.ErrorCode
	}
	return err.Error()
}

func TestAnAssertionWorksOnce(t *testing.T) {
	a := newApp(t, issuer.Client{ID: "keyed", RedirectURIs: []string{callback}, PublicKey: pemOf(t, forge.RSA().Public())})
	form := url.Values{
		"grant_type": {"client_credentials"}, "audience": {"x"}, "client_assertion": {assertion(a)},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	for _, want := range []int{200, 401} {
		if status, _, body := a.submit(t, "oauth/token", form); status != want {
			t.Errorf("%d %s, want %d", status, body, want)
		}
	}
}

func TestACodeIsGoodOnceForTheOneWhoAsked(t *testing.T) {
	i := start(t, issuer.Options{})
	for name, spoil := range map[string]func(a *app, options *[]oauth2.AuthCodeOption){
		"another verifier": func(_ *app, o *[]oauth2.AuthCodeOption) {
			*o = []oauth2.AuthCodeOption{oauth2.VerifierOption(oauth2.GenerateVerifier())}
		},
		"no verifier":          func(_ *app, o *[]oauth2.AuthCodeOption) { *o = nil },
		"another redirect_uri": func(a *app, _ *[]oauth2.AuthCodeOption) { a.RedirectURL += "2" },
		"another client": func(a *app, _ *[]oauth2.AuthCodeOption) {
			_ = a.issuer.Register(issuer.Client{ID: "other", Secret: "o"})
			a.ClientID, a.ClientSecret = "other", "o"
		},
		"too late": func(a *app, _ *[]oauth2.AuthCodeOption) { a.issuer.SetClock(11 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			a := headlessApp(t, i, confidential)
			verifier := oauth2.GenerateVerifier()
			_, to, _ := a.goTo(t, a.asks(verifier))
			options := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
			spoil(a, &options)
			if _, err := a.Exchange(t.Context(), to.Query().Get("code"), options...); codeOf(err) != "invalid_grant" {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("twice, which ends what it brought", func(t *testing.T) {
		a := headlessApp(t, i, confidential)
		verifier := oauth2.GenerateVerifier()
		_, to, _ := a.goTo(t, a.asks(verifier))
		token, err := a.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier)); codeOf(err) != "invalid_grant" {
			t.Errorf("got %v", err)
		}
		if _, err := refresh(t, a, token.RefreshToken); codeOf(err) != "invalid_grant" {
			t.Errorf("the refresh token lives: %v", err)
		}
	})
}

func refresh(t *testing.T, a *app, token string) (*oauth2.Token, error) {
	t.Helper()
	return a.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token}).Token()
}

func TestPushedAuthorizationRequests(t *testing.T) {
	a := newApp(t, confidential)
	a.issuer.Set(issuer.Settings{Headless: &issuer.Headless{}, RequirePAR: true})
	if got := a.answer(t).Get("error"); got != "invalid_request" {
		t.Errorf("one that was not pushed got %q", got)
	}
	verifier := oauth2.GenerateVerifier()
	asked, err := url.Parse(a.asks(verifier))
	if err != nil {
		t.Fatal(err)
	}
	form := asked.Query()
	form.Set("client_secret", a.ClientSecret)
	push := func() string {
		status, _, body := a.submit(t, "oauth/par", form)
		if status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
		uri, _ := object(t, body)["request_uri"].(string)
		return a.issuer.URL() + "authorize?" + url.Values{"client_id": {"web"}, "request_uri": {uri}, "state": {"injected"}}.Encode()
	}
	at := push()
	_, to, page := a.goTo(t, at)
	if to == nil || to.Query().Get("state") != "state-1" {
		t.Fatalf("%v %s", to, page)
	}
	if _, err := a.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier)); err != nil {
		t.Error(err)
	}
	if status, _, _ := a.goTo(t, at); status != http.StatusBadRequest {
		t.Errorf("a second time: %d", status)
	}
	late := push()
	a.issuer.SetClock(time.Minute)
	if status, _, _ := a.goTo(t, late); status != http.StatusBadRequest {
		t.Errorf("after its time: %d", status)
	}
	for name, spoil := range map[string]func(url.Values){
		"invalid_client":            func(f url.Values) { f.Set("client_secret", "x") },
		"invalid_request":           func(f url.Values) { f.Set("request_uri", "urn:x") },
		"unsupported_response_type": func(f url.Values) { f.Set("response_type", "token") },
	} {
		form := must(url.ParseQuery(form.Encode()))
		spoil(form)
		if status, _, body := a.submit(t, "oauth/par", form); status/100 != 4 || object(t, body)["error"] != name {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if document := get(t, a.issuer, ".well-known/openid-configuration"); document["require_pushed_authorization_requests"] != true {
		t.Error("discovery does not say that it is required")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
