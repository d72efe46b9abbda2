package issuer_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// Steps name refresh tokens by the step that brought them: 0 is the login's.
func TestRefreshTokensRotateAndReuseEndsThemAll(t *testing.T) {
	i := start(t, issuer.Options{})
	type step struct {
		with  int
		at    time.Duration // since the login
		fails bool
	}
	for _, tt := range []struct {
		name   string
		leeway int
		fixed  bool
		steps  []step
		reuse  int
	}{
		{name: "each once", steps: []step{{with: 0}, {with: 1}, {with: 2}}},
		{name: "a second time without leeway", steps: []step{{with: 0}, {with: 0, fails: true}, {with: 1, fails: true}}, reuse: 1},
		{name: "a second time within the leeway", leeway: 30, steps: []step{{with: 0}, {with: 0, at: 29 * time.Second}, {with: 1, at: 40 * time.Second}}},
		{name: "siblings within the leeway", leeway: 30, steps: []step{{with: 0}, {with: 0}, {with: 1}, {with: 2, at: 20 * time.Second}}},
		{name: "a second time after the leeway", leeway: 30, steps: []step{{with: 0}, {with: 0, at: 30 * time.Second, fails: true}, {with: 1, at: 30 * time.Second, fails: true}}, reuse: 1},
		{name: "the last but one within the leeway", leeway: 30, steps: []step{{with: 0}, {with: 1}, {with: 0, fails: true}, {with: 2, fails: true}}, reuse: 1},
		{name: "tokens that do not rotate", fixed: true, steps: []step{{with: 0}, {with: 0}, {with: 0, at: time.Hour}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := confidential
			client.Leeway, client.NonRotating = tt.leeway, tt.fixed
			a := headlessApp(t, i, client)
			before := i.Counters().Reuse
			held := []string{a.login(t).RefreshToken}
			for n, s := range tt.steps {
				a.issuer.SetClock(s.at)
				token, err := refresh(t, a, held[s.with])
				if want := map[bool]string{true: "invalid_grant"}[s.fails]; codeOf(err) != want {
					t.Fatalf("step %d: got %v, want %q", n, err, want)
				}
				if err == nil {
					held = append(held, token.RefreshToken)
				}
			}
			if got := i.Counters().Reuse - before; got != tt.reuse {
				t.Errorf("%d reuses were counted, want %d", got, tt.reuse)
			}
		})
	}
}

func TestARefreshBringsAnIDTokenOfTheSameSessionWithoutANonce(t *testing.T) {
	a := newApp(t, confidential)
	first := a.login(t)
	again, err := refresh(t, a, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := again.Extra("id_token").(string)
	claims := object(t, part(t, raw, 1))
	if claims["sid"] != a.claims(t, first)["sid"] || claims["nonce"] != nil {
		t.Errorf("it says %v", claims)
	}
}

func TestARefreshCannotWidenTheScope(t *testing.T) {
	a := newApp(t, confidential)
	token := a.login(t).RefreshToken
	for _, tt := range []struct{ scope, want string }{{"openid read:orders", "invalid_scope"}, {"openid", ""}} {
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"web"},
			"client_secret": {a.ClientSecret}, "scope": {tt.scope},
		}
		_, _, body := a.submit(t, "oauth/token", form)
		if got, _ := object(t, body)["error"].(string); got != tt.want {
			t.Errorf("%s: %s", tt.scope, body)
		}
	}
}

func TestOnlyOfflineAccessBringsARefreshToken(t *testing.T) {
	a := newApp(t, confidential)
	a.Scopes = []string{"openid"}
	if a.login(t).RefreshToken != "" {
		t.Error("there is one")
	}
}

func TestRevocationEndsTheGrant(t *testing.T) {
	a := newApp(t, confidential)
	if err := a.issuer.Register(issuer.Client{ID: "other", Secret: "o"}); err != nil {
		t.Fatal(err)
	}
	token := a.login(t).RefreshToken
	revoke := func(id, secret, token string) int {
		status, _, _ := a.submit(t, "oauth/revoke", url.Values{"client_id": {id}, "client_secret": {secret}, "token": {token}})
		return status
	}
	if got := revoke("other", "o", token); got != http.StatusBadRequest {
		t.Errorf("another client: %d", got)
	}
	if got := revoke("web", "x", token); got != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %d", got)
	}
	renewed, err := refresh(t, a, token)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"unknown", renewed.RefreshToken} {
		if got := revoke("web", a.ClientSecret, token); got != http.StatusOK {
			t.Errorf("got %d", got)
		}
	}
	if _, err := refresh(t, a, renewed.RefreshToken); codeOf(err) != "invalid_grant" {
		t.Errorf("got %v", err)
	}
	if got := a.issuer.Counters().Revocation; got != 4 {
		t.Errorf("%d were counted", got)
	}
}

func TestAnAdministratorEndsTheGrantsOfAUser(t *testing.T) {
	a := newApp(t, confidential)
	alice, bob := a.login(t), a.login(t, "login_hint", "auth0|bob", "prompt", "login")
	post(t, a.issuer, "control/end-grants", `{"sub":"auth0|alice"}`)
	if _, err := refresh(t, a, alice.RefreshToken); codeOf(err) != "invalid_grant" {
		t.Errorf("alice: %v", err)
	}
	if _, err := refresh(t, a, bob.RefreshToken); err != nil {
		t.Errorf("bob: %v", err)
	}
}

func TestAMachinesSecretIsCheckedWhereItIsRegistered(t *testing.T) {
	a := newApp(t, confidential)
	for secret, want := range map[string]int{a.ClientSecret: 200, "x": 401} {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_secret": {secret}, "audience": {"x"}}
		if status, _, body := a.submit(t, "oauth/token", form); status != want {
			t.Errorf("%d %s, want %d", status, body, want)
		}
	}
}

func TestLifetimesAreTheClients(t *testing.T) {
	client := confidential
	client.AccessTokenLifetime, client.IDTokenLifetime = 61, 30
	a := newApp(t, client)
	token := a.login(t, "audience", "x")
	access := object(t, part(t, token.AccessToken, 1))
	claims := a.claims(t, token)
	lives := func(claims map[string]any) float64 { return claims["exp"].(float64) - claims["iat"].(float64) }
	if token.ExpiresIn != 61 || lives(access) != 61 || lives(claims) != 30 {
		t.Errorf("%v %v %v", token.ExpiresIn, lives(access), lives(claims))
	}
}
