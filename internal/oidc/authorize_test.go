package oidc_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
)

func query(t *testing.T, text, endpoint string) url.Values {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	values := u.Query()
	if u.RawQuery = ""; u.String() != endpoint {
		t.Errorf("sent to %s, want %s", u, endpoint)
	}
	return values
}

func TestWhatTheBrowserIsSentWith(t *testing.T) {
	s := newSite(t, says(500, ""))
	c := s.client(t, func(o *oidc.Options) {
		o.Audience = "https://api.example.com"
		o.Params = map[string]string{"organization": "org_1", "prompt": "login", "scope": "of the configuration"}
	})
	got, err := c.AuthorizationURL(t.Context(), login.Authorization{
		State: "a state", Nonce: "a nonce", Verifier: verifier,
		Params: map[string]string{
			"organization": "org_2", "login_hint": "a&b",
			// What the flow sets itself is never taken from a caller.
			"client_id": "x", "redirect_uri": "x", "response_type": "token", "response_mode": "fragment", "state": "x", "nonce": "x",
			"code_challenge": "x", "code_challenge_method": "plain", "audience": "x", "request": "x", "request_uri": "x", "tenant": "other",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {"openid profile"},
		"state": {"a state"}, "nonce": {"a nonce"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
		"audience": {"https://api.example.com"}, "organization": {"org_2"}, "prompt": {"login"}, "login_hint": {"a&b"}, "tenant": {"other"},
	}
	if diff := cmp.Diff(want, query(t, got, s.URL+"/authorize")); diff != "" {
		t.Error(diff)
	}
	if len(s.got()) != 0 {
		t.Errorf("asked the issuer: %q", s.got())
	}
}

func TestTheEndpointsOwnQueryIsKept(t *testing.T) {
	s := newSite(t, says(500, ""))
	got, err := s.client(t).AuthorizationURL(t.Context(), login.Authorization{
		State: "s", Nonce: "n", Verifier: verifier, Params: map[string]string{"audience": "https://other.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	values := query(t, got, s.URL+"/authorize")
	if values.Get("tenant") != "a b" || values.Has("audience") || len(values) != 9 {
		t.Errorf("%v", values)
	}
}

func TestALoginWithoutPKCEIsNotAskedFor(t *testing.T) {
	s := newSite(t, says(500, ""))
	c := s.client(t)
	for _, a := range []login.Authorization{
		{},
		{Nonce: "n", Verifier: verifier},
		{State: "s", Verifier: verifier},
		{State: "s", Nonce: "n"},
		{State: "s", Nonce: "n", Verifier: verifier[:42]},
		{State: "s", Nonce: "n", Verifier: strings.Repeat("x", 129)},
		{State: "s", Nonce: "n", Verifier: verifier + "="},
	} {
		if got, err := c.AuthorizationURL(t.Context(), a); err == nil {
			t.Errorf("%+v: %s", a, got)
		}
	}
}

func TestPushedRequests(t *testing.T) {
	const uri = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"
	pushed := says(201, `{"request_uri":"`+uri+`","expires_in":60}`)
	for _, tt := range []struct {
		name     string
		mode     config.PushedRequests
		required bool
		want     bool
	}{
		{"where required, and it is", config.PushWhereRequired, true, true},
		{"where required, and it is not", config.PushWhereRequired, false, false},
		{"always", config.PushAlways, false, true},
		{"never", config.PushNever, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, pushed, "par")
			s.document["require_pushed_authorization_requests"] = tt.required
			c := s.client(t, func(o *oidc.Options) { o.PushedRequests, o.Audience = tt.mode, "https://api.example.com" })
			got, err := c.AuthorizationURL(t.Context(), login.Authorization{
				State: "s", Nonce: "n", Verifier: verifier, Params: map[string]string{"prompt": "login"},
			})
			if err != nil {
				t.Fatal(err)
			}
			values := query(t, got, s.URL+"/authorize")
			if !tt.want {
				if len(s.got()) != 0 || values.Get("state") != "s" {
					t.Errorf("%q, %v", s.got(), values)
				}
				return
			}
			if diff := cmp.Diff(url.Values{"client_id": {clientID}, "request_uri": {uri}, "tenant": {"a b"}}, values); diff != "" {
				t.Error(diff)
			}
			request := s.got()[0]
			want := url.Values{
				"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {"openid profile"},
				"state": {"s"}, "nonce": {"n"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
				"audience": {"https://api.example.com"}, "prompt": {"login"},
			}
			if diff := cmp.Diff(want, form(t, request.Body)); diff != "" || request.Path != "/par" || !strings.HasPrefix(request.Authorization, "Basic ") {
				t.Errorf("%q %s", request, diff)
			}
		})
	}
}

func TestAPushedRequestThatIsNotTakenIsNoRedirect(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{"refused", 400, `{"error":"invalid_request"}`, &login.ProviderError{}},
		{"5xx", 503, ``, login.ErrUnavailable},
		{"no JSON", 201, `<html>`, oidc.ErrAnswer},
		{"no request_uri", 201, `{"expires_in":60}`, oidc.ErrAnswer},
		{"an empty one", 201, `{"request_uri":""}`, oidc.ErrAnswer},
		{"a number", 201, `{"request_uri":7}`, oidc.ErrAnswer},
		{"one with a line break", 201, `{"request_uri":"urn:a\nb"}`, oidc.ErrAnswer},
		{"one of 3 KiB", 201, `{"request_uri":"urn:` + strings.Repeat("x", 3<<10) + `"}`, oidc.ErrAnswer},
		{"another status", 202, `{"request_uri":"urn:x"}`, oidc.ErrAnswer},
	} {
		s := newSite(t, says(tt.status, tt.body), "par")
		c := s.client(t, func(o *oidc.Options) { o.PushedRequests = config.PushAlways })
		got, err := c.AuthorizationURL(t.Context(), login.Authorization{State: "s", Nonce: "n", Verifier: verifier})
		_, refused := errors.AsType[*login.ProviderError](err)
		_, wantRefused := errors.AsType[*login.ProviderError](tt.want)
		if got != "" || err == nil || refused != wantRefused || !wantRefused && !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	s := newSite(t, says(500, ""))
	c := s.client(t, func(o *oidc.Options) { o.PushedRequests = config.PushAlways })
	if got, err := c.AuthorizationURL(t.Context(), login.Authorization{State: "s", Nonce: "n", Verifier: verifier}); got != "" || !errors.Is(err, oidc.ErrAnswer) {
		t.Errorf("no endpoint: %q, %v", got, err)
	}
}

func TestWhereABrowserLogsOut(t *testing.T) {
	for _, tt := range []struct {
		name, issuer       string
		document           []string // changes
		hint, post, state  string
		wantURL, wantQuery string
	}{
		{
			"the issuer's endpoint", "https://op.example/",
			[]string{"end_session_endpoint", `"https://op.example/end?a=b"`},
			"sid 1", "https://app.example/", "s", "https://op.example/end", "a=b&client_id=client+one&logout_hint=sid+1&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2F&state=s",
		},
		{"nowhere to come back to", "https://op.example/", []string{"end_session_endpoint", `"https://op.example/end"`}, "", "", "s", "https://op.example/end", "client_id=client+one"},
		{"Auth0 with an endpoint", "https://t.eu.auth0.com/", []string{"end_session_endpoint", `"https://t.eu.auth0.com/oidc/logout"`}, "h", "", "", "https://t.eu.auth0.com/oidc/logout", "client_id=client+one&logout_hint=h"},
		{"Auth0 without one", "https://t.eu.auth0.com/", nil, "h", "https://app.example/?a=b", "s", "https://t.eu.auth0.com/v2/logout", "client_id=client+one&returnTo=https%3A%2F%2Fapp.example%2F%3Fa%3Db"},
		{"Auth0 without one, and nowhere to come back to", "https://t.eu.auth0.com/", nil, "", "", "", "https://t.eu.auth0.com/v2/logout", "client_id=client+one"},
		{"Auth0 under a customer's domain", "https://login.example/", []string{"token_endpoint", `"https://login.example/oauth/token"`}, "", "", "", "https://login.example/v2/logout", "client_id=client+one"},
		{"another issuer without one", "https://op.example/", nil, "h", "https://app.example/", "s", "", ""},
		{"another issuer with a path", "https://op.example/realm/", []string{"token_endpoint", `"https://op.example/realm/oauth/token"`}, "", "", "", "", ""},
		{"a name that only begins so", "https://t.auth0.com.evil.example/", nil, "", "", "", "", ""},
	} {
		c := newClient(t, fakeOptions(t, serves(documentOf(append([]string{"issuer", `"` + tt.issuer + `"`}, tt.document...)...))), func(o *oidc.Options) { o.Issuer = tt.issuer })
		got, err := c.EndSessionURL(t.Context(), tt.hint, tt.post, tt.state)
		want := tt.wantURL
		if want != "" {
			want += "?" + tt.wantQuery
		}
		if err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, got, want)
		}
	}
}
