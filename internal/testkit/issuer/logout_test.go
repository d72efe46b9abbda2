package issuer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// listening is an application that keeps the logout tokens it was sent.
func listening(t *testing.T, i *issuer.Issuer) (*app, chan string) {
	t.Helper()
	tokens := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tokens <- r.PostFormValue("logout_token") }))
	t.Cleanup(server.Close)
	client := confidential
	client.BackchannelLogoutURI = server.URL
	return headlessApp(t, i, client), tokens
}

func (a *app) verifyLogout(t *testing.T, token string) (*oidc.LogoutToken, error) {
	t.Helper()
	return a.oidc.Verifier(&oidc.Config{ClientID: a.ClientID}).VerifyLogout(t.Context(), token)
}

func TestALogoutEndsTheSessionAndTellsTheApplications(t *testing.T) {
	i := start(t, issuer.Options{})
	for name, ask := range map[string]func(a *app, sid, idToken string) string{
		"by logout_hint": func(a *app, sid, _ string) string {
			return "oidc/logout?" + url.Values{"client_id": {"web"}, "logout_hint": {sid}, "state": {"s"}, "post_logout_redirect_uri": {"https://app.example/bye"}}.Encode()
		},
		"by id_token_hint": func(_ *app, _, token string) string {
			return "oidc/logout?" + url.Values{"id_token_hint": {token}, "state": {"s"}, "post_logout_redirect_uri": {"https://app.example/bye"}}.Encode()
		},
		"at /v2/logout": func(*app, string, string) string {
			return "v2/logout?client_id=web&returnTo=" + url.QueryEscape("https://app.example/bye")
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, tokens := listening(t, i)
			before := i.Counters()
			token := a.login(t)
			a.issuer.Set(issuer.Settings{}) // a person would be asked
			sid, _ := a.claims(t, token)["sid"].(string)
			raw, _ := token.Extra("id_token").(string)
			path := ask(a, sid, raw)
			status, to, page := a.goTo(t, a.issuer.URL()+path)
			want := "https://app.example/bye"
			if strings.Contains(path, "state") {
				want += "?state=s"
			}
			if status != http.StatusFound || to.String() != want {
				t.Fatalf("%d %v %s", status, to, page)
			}
			told, err := a.verifyLogout(t, <-tokens)
			if err != nil {
				t.Fatal(err)
			}
			if told.SessionID != sid || told.Subject != "auth0|alice" {
				t.Errorf("told %+v", told)
			}
			if got := a.answer(t, "prompt", "none").Get("error"); got != "login_required" {
				t.Errorf("the session lives: %q", got)
			}
			if counters := a.issuer.Counters(); counters.Logout != before.Logout+1 || counters.LogoutTokens != before.LogoutTokens+1 {
				t.Errorf("%+v", counters)
			}
		})
	}
}

func TestAPersonIsAskedBeforeALogoutThatNamesNoSession(t *testing.T) {
	a := newApp(t, confidential)
	a.login(t)
	a.issuer.Set(issuer.Settings{})
	for _, query := range []string{"", "?logout_hint=another&client_id=web"} {
		if status, _, page := a.goTo(t, a.issuer.URL()+"oidc/logout"+query); status != 200 || !strings.Contains(page, `name="confirmed"`) {
			t.Errorf("%s: %d %s", query, status, page)
		}
	}
	if got := a.answer(t, "prompt", "none").Get("code"); got == "" {
		t.Error("the session ended all the same")
	}
	if status, _, page := a.submit(t, "oidc/logout", url.Values{"confirmed": {"yes"}}); status != 200 || !strings.Contains(page, "logged out") {
		t.Errorf("%d %s", status, page)
	}
	if got := a.answer(t, "prompt", "none").Get("error"); got != "login_required" {
		t.Errorf("got %q", got)
	}
}

func TestALogoutLeadsNowhereThatIsNotRegistered(t *testing.T) {
	a := newApp(t, confidential)
	a.login(t)
	for _, path := range []string{
		"oidc/logout?client_id=web&post_logout_redirect_uri=https%3A%2F%2Fevil.example",
		"oidc/logout?post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye",
		"oidc/logout?id_token_hint=x.y.z", "oidc/logout?state=a&state=b",
		"v2/logout?client_id=web&returnTo=https%3A%2F%2Fevil.example", "v2/logout?returnTo=https%3A%2F%2Fapp.example%2Fbye",
	} {
		if status, to, _ := a.goTo(t, a.issuer.URL()+path); status != http.StatusBadRequest || to != nil {
			t.Errorf("%s: %d %v", path, status, to)
		}
	}
	if got := a.answer(t, "prompt", "none").Get("code"); got == "" {
		t.Error("the session ended all the same")
	}
}

func TestAnAdministratorEndsSessions(t *testing.T) {
	a, tokens := listening(t, start(t, issuer.Options{}))
	a.login(t)
	if deliveries := a.issuer.EndSessions(t.Context(), "", "auth0|bob"); len(deliveries) != 0 {
		t.Errorf("bob's: %+v", deliveries)
	}
	status, body := call(t, a.issuer, "control/end-sessions", "application/json", `{"sub":"auth0|alice"}`)
	if status != 200 || !strings.Contains(body, `"status":200`) {
		t.Errorf("%d %s", status, body)
	}
	if _, err := a.verifyLogout(t, <-tokens); err != nil {
		t.Error(err)
	}
	if _, body := call(t, a.issuer, "control/sessions", "", ""); body != "[]\n" {
		t.Errorf("sessions: %s", body)
	}
}

func TestLogoutTokensCanBeSpoilt(t *testing.T) {
	a := newApp(t, confidential)
	for request, refused := range map[string]string{
		`{"client_id":"web","sid":"s"}`:                                           "",
		`{"client_id":"web","sub":"u"}`:                                           "",
		`{"client_id":"web"}`:                                                     "sub",
		`{"client_id":"web","sid":"s","claims":{"nonce":"n"}}`:                    "nonce",
		`{"client_id":"web","sid":"s","omit":["events"]}`:                         "event",
		`{"client_id":"web","sid":"s","omit":["jti"]}`:                            "jti",
		`{"client_id":"other","sid":"s"}`:                                         "audience",
		`{"client_id":"web","sid":"s","key":"rogue"}`:                             "signature",
		`{"client_id":"web","sid":"s","claims":{"iss":"https://other.example/"}}`: "different provider",
	} {
		status, body := call(t, a.issuer, "control/logout-token", "application/json", request)
		token, _ := object(t, body)["logout_token"].(string)
		if status != 200 || token == "" {
			t.Fatalf("%s: %d %s", request, status, body)
		}
		_, err := a.verifyLogout(t, token)
		if (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
			t.Errorf("%s: %v, want %q", request, err, refused)
		}
	}
	_, body := call(t, a.issuer, "control/logout-token", "application/json", `{"client_id":"web","sid":"s","header":{"typ":"JWT"}}`)
	if header := object(t, part(t, object(t, body)["logout_token"].(string), 0)); header["typ"] != "JWT" {
		t.Errorf("the header is %v", header)
	}
}
