package issuer_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// What go-oidc, and what a nonce and an at_hash are for, refuse.
func TestIDTokensCanBeSpoilt(t *testing.T) {
	a := newApp(t, confidential)
	for fault, refused := range map[string]string{
		"wrong_iss": "different provider", "wrong_aud": "audience", "wrong_nonce": "nonce", "no_nonce": "nonce",
		"wrong_at_hash": "hash", "no_exp": "expired", "expired": "expired", "alg_none": "alg", "no_signature": "verify",
		"hs_secret": "alg", "hs_public_key": "alg", "rogue_key": "verify", "garbage": "malformed", "missing": "malformed",
		"access_token": "malformed", "logout_token": "nonce",
		// These it takes, so that whoever looks closer must notice.
		"foreign_aud": "", "wrong_azp": "", "no_iat": "", "no_sid": "", "no_at_hash": "", "wrong_sub": "", "future": "", "large": "",
	} {
		post(t, a.issuer, "control/fault", `{"path":"id_token","fault":"`+fault+`","times":1}`)
		_, err := a.identity(t.Context(), a.login(t))
		if (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
			t.Errorf("%s: %v, want %q", fault, err, refused)
		}
		if _, err := a.identity(t.Context(), a.login(t)); err != nil {
			t.Errorf("after %s: %v", fault, err)
		}
	}
}

func TestClaimsOfTokensAndMembersOfTheAnswerCanBeLaidOver(t *testing.T) {
	a := newApp(t, confidential)
	post(t, a.issuer, "control/fault", `{"path":"id_token","fault":"claims","claims":{"acr":"x","sid":null}}`)
	post(t, a.issuer, "control/fault", `{"path":"access_token","fault":"claims","claims":{"azp":null,"n":1}}`)
	post(t, a.issuer, "control/fault", `{"path":"token_answer","fault":"members","claims":{"refresh_token":null,"token_type":"DPoP"}}`)
	token := a.login(t, "audience", "x")
	id, access := a.claims(t, token), object(t, part(t, token.AccessToken, 1))
	if id["acr"] != "x" || id["sid"] != nil || access["azp"] != nil || access["n"] != 1.0 {
		t.Errorf("%v, %v", id, access)
	}
	if token.RefreshToken != "" || token.TokenType != "DPoP" {
		t.Errorf("the answer is %v", token)
	}
}

func TestWhatABrowserBringsBackCanBeSpoilt(t *testing.T) {
	a := newApp(t, confidential)
	for fault, holds := range map[string]func(q map[string][]string) bool{
		`"fault":"error","error":"temporarily_unavailable"`: func(q map[string][]string) bool {
			return q["error"][0] == "temporarily_unavailable" && q["code"] == nil && q["state"][0] == "state-1"
		},
		`"fault":"wrong_iss"`:      func(q map[string][]string) bool { return q["iss"][0] != a.issuer.URL() },
		`"fault":"no_iss"`:         func(q map[string][]string) bool { return q["iss"] == nil },
		`"fault":"wrong_state"`:    func(q map[string][]string) bool { return q["state"][0] != "state-1" },
		`"fault":"no_state"`:       func(q map[string][]string) bool { return q["state"] == nil },
		`"fault":"repeated_code"`:  func(q map[string][]string) bool { return len(q["code"]) == 2 },
		`"fault":"repeated_state"`: func(q map[string][]string) bool { return len(q["state"]) == 2 },
	} {
		post(t, a.issuer, "control/fault", `{"path":"callback",`+fault+`}`)
		if got := a.answer(t); !holds(got) {
			t.Errorf("%s: %v", fault, got)
		}
	}
	post(t, a.issuer, "control/fault", `{"path":"callback","fault":"wrong_code"}`)
	if _, err := a.Exchange(t.Context(), a.answer(t).Get("code"), oauth2.VerifierOption("v")); codeOf(err) != "invalid_grant" {
		t.Errorf("got %v", err)
	}
}

func TestTheEndpointsOfALoginCanFail(t *testing.T) {
	a := newApp(t, confidential)
	token := a.login(t).RefreshToken
	for _, tt := range []struct{ fault, want string }{
		{`{"path":"token","fault":"error","error":"invalid_grant"}`, "invalid_grant"},
		{`{"path":"token","fault":"error","status":503,"error":"temporarily_unavailable"}`, "temporarily_unavailable"},
		{`{"path":"token","fault":"html"}`, "cannot parse"},
		{`{"path":"token","fault":"empty"}`, "missing access_token"},
		{`{"path":"token","fault":"reset"}`, "reset"},
	} {
		post(t, a.issuer, "control/fault", tt.fault)
		if _, err := refresh(t, a, token); !strings.Contains(codeOf(err), tt.want) {
			t.Errorf("%s: %v", tt.fault, err)
		}
	}
	post(t, a.issuer, "control/fault", `{"path":"token","fault":"none"}`)
	if _, err := refresh(t, a, token); err != nil {
		t.Errorf("a fault that does nothing used the token up: %v", err)
	}
	for path, at := range map[string]string{"authorize": "authorize", "logout": "oidc/logout", "userinfo": "userinfo"} {
		post(t, a.issuer, "control/fault", `{"path":"`+path+`","fault":"status","status":502,"times":1}`)
		for _, want := range []bool{true, false} {
			if status, _, _ := a.goTo(t, a.issuer.URL()+at); (status == http.StatusBadGateway) != want {
				t.Errorf("%s: %d", path, status)
			}
		}
	}
}

func TestAnAnswerThatIsLostHasRotatedTheToken(t *testing.T) {
	client := confidential
	client.Leeway = 30
	a := newApp(t, client)
	token := a.login(t).RefreshToken
	for _, fault := range []string{"lost", "truncated"} {
		post(t, a.issuer, "control/fault", `{"path":"token","fault":"`+fault+`","times":1}`)
		if _, err := refresh(t, a, token); err == nil {
			t.Errorf("%s: an answer came", fault)
		}
	}
	if _, err := refresh(t, a, token); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	a.issuer.SetClock(1 << 40)
	if _, err := refresh(t, a, token); codeOf(err) != "invalid_grant" {
		t.Errorf("after it: %v", err)
	}
}

func TestARequestHangsUntilTheFaultIsHealed(t *testing.T) {
	a := newApp(t, confidential)
	token := a.login(t).RefreshToken
	if err := a.issuer.SetFault(issuer.Fault{Path: "token", Fault: "hang"}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() {
		_, err := a.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token}).Token()
		answered <- err
	}()
	if err := a.issuer.Await(t.Context(), func(c issuer.Counters) bool { return c.Refresh == 1 }); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-answered:
		t.Errorf("it was answered: %v", err)
	default:
	}
	if err := a.issuer.SetFault(issuer.Fault{Path: "token", Fault: "none"}); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	i, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.SetFault(issuer.Fault{Path: "jwks", Fault: "hang"}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() {
		_, _, err := fetch(t.Context(), i.URL()+".well-known/jwks.json")
		answered <- err
	}()
	if err := i.Await(t.Context(), func(c issuer.Counters) bool { return c.JWKS == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("it was answered")
	}
}

func TestDiscoveryAndTheAlgorithmAreSettings(t *testing.T) {
	client := confidential
	client.IDTokenAlg = "HS256"
	a := newApp(t, client)
	raw, _ := a.login(t).Extra("id_token").(string)
	if header := object(t, part(t, raw, 0)); header["alg"] != "HS256" {
		t.Errorf("the header is %v", header)
	}
	post(t, a.issuer, "control/settings", `{"without_iss":true,"discovery":{"end_session_endpoint":null,"token_endpoint_auth_methods_supported":["client_secret_post"]}}`)
	document := get(t, a.issuer, ".well-known/openid-configuration")
	if _, there := document["end_session_endpoint"]; there || document["authorization_response_iss_parameter_supported"] != false {
		t.Errorf("it says %v", document)
	}
}

func TestWhatCannotBeOrderedIsNamed(t *testing.T) {
	i := start(t, issuer.Options{})
	for path, body := range map[string]string{
		"control/clients": `{"client_id":"","redirect_uris":[]}`, "control/fault": `{"path":"id_token","fault":"reset"}`,
		"control/settings": `{"head":{}}`, "control/logout-token": `{"client_id":"a","alg":"X"}`,
	} {
		if status, answer := call(t, i, path, "application/json", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	for _, client := range []issuer.Client{{ID: "a", PublicKey: "x"}, {ID: "a", IDTokenAlg: "HS256"}} {
		if err := i.Register(client); err == nil {
			t.Errorf("%+v was taken", client)
		}
	}
}
