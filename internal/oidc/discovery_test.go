package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const fakeIssuer = "https://op.example/"

// documentOf is a discovery document with changes, as forge.Object has them. It
// requires pushed requests.
func documentOf(changes ...string) string {
	return forge.Object(append([]string{
		"issuer", `"` + fakeIssuer + `"`, "authorization_endpoint", `"https://op.example/authorize"`, "token_endpoint", `"https://op.example/token"`,
		"revocation_endpoint", `"https://op.example/revoke"`, "pushed_authorization_request_endpoint", `"https://op.example/par"`,
		"require_pushed_authorization_requests", "true",
	}, changes...)...)
}

func serves(document string) fake {
	return fake{get: func(context.Context, fetch.Request) (*fetch.Response, error) { return body(document), nil }}
}

func fakeOptions(t *testing.T, f oidc.Fetcher) oidc.Options {
	t.Helper()
	return oidc.Options{
		Issuer: fakeIssuer, SSLVerify: true, ClientID: clientID, RedirectURI: redirectURI, Scope: "openid",
		Algorithms: []string{"RS256"}, Keys: keysOf(t, forge.RSA()), Fetch: f, Logger: slog.New(slog.DiscardHandler),
	}
}

func issuerOf(t *testing.T, c *oidc.Client) error {
	t.Helper()
	_, _, err := c.Issuer(t.Context())
	return err
}

func TestDiscoveryDocumentsThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, document, url string
		want                error // nil: it is taken
	}{
		{"a good one", documentOf(), "", nil},
		{"the least", documentOf("revocation_endpoint", "", "pushed_authorization_request_endpoint", ""), "", nil},
		{"endpoints that are null", documentOf("revocation_endpoint", "null", "end_session_endpoint", "null"), "", nil},
		{"endpoints of another host", documentOf("token_endpoint", `"https://api.op.example/token"`), "", nil},
		{"another issuer", documentOf("issuer", `"https://evil.example/"`), "", oidc.ErrAnswer},
		{"an issuer without its slash", documentOf("issuer", `"https://op.example"`), "", oidc.ErrAnswer},
		{"no issuer", documentOf("issuer", ""), "", oidc.ErrAnswer},
		{"two issuers", `{"issuer":"` + fakeIssuer + `",` + documentOf()[1:], "", oidc.ErrAnswer},
		{"no JSON", "<html>", "", oidc.ErrAnswer},
		{"a list", "[" + documentOf() + "]", "", oidc.ErrAnswer},
		{"no authorization endpoint", documentOf("authorization_endpoint", ""), "", oidc.ErrAnswer},
		{"no token endpoint", documentOf("token_endpoint", ""), "", oidc.ErrAnswer},
		{"a downgraded authorization endpoint", documentOf("authorization_endpoint", `"http://op.example/authorize"`), "", oidc.ErrAnswer},
		{"a downgraded token endpoint", documentOf("token_endpoint", `"http://op.example/token"`), "", oidc.ErrAnswer},
		{"a downgraded token endpoint in capitals", documentOf("token_endpoint", `"HTTP://op.example/token"`), "", oidc.ErrAnswer},
		{"a downgraded revocation endpoint", documentOf("revocation_endpoint", `"http://op.example/revoke"`), "", oidc.ErrAnswer},
		{"a downgraded endpoint for pushed requests", documentOf("pushed_authorization_request_endpoint", `"http://op.example/par"`), "", oidc.ErrAnswer},
		{"a downgraded end of sessions", documentOf("end_session_endpoint", `"http://op.example/end"`), "", oidc.ErrAnswer},
		{"an endpoint that is a script", documentOf("authorization_endpoint", `"javascript:alert(1)"`), "", oidc.ErrAnswer},
		{"an endpoint without a host", documentOf("authorization_endpoint", `"https:///authorize"`), "", oidc.ErrAnswer},
		{"an endpoint with a user", documentOf("token_endpoint", `"https://a:b@op.example/token"`), "", oidc.ErrAnswer},
		{"an endpoint with a fragment", documentOf("authorization_endpoint", `"https://op.example/authorize#a"`), "", oidc.ErrAnswer},
		{"an endpoint with a line break", documentOf("authorization_endpoint", `"https://op.example/a\r\nX: y"`), "", oidc.ErrAnswer},
		{"an endpoint of 3 KiB", documentOf("token_endpoint", `"https://op.example/`+strings.Repeat("x", 3<<10)+`"`), "", oidc.ErrAnswer},
		{"an endpoint that is a number", documentOf("end_session_endpoint", "7"), "", oidc.ErrAnswer},
		{"http names http, which the fetcher admitted", documentOf("token_endpoint", `"http://op.example/token"`), "http://op.example/d", nil},
	} {
		c := newClient(t, fakeOptions(t, serves(tt.document)), func(o *oidc.Options) { o.DiscoveryURL = tt.url })
		if err := issuerOf(t, c); !errors.Is(err, tt.want) || errors.Is(err, login.ErrUnavailable) || err != nil && strings.Contains(err.Error(), "op.example") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestTheLogNamesTheEndpointThatIsRefused(t *testing.T) {
	var log bytes.Buffer
	c := newClient(t, fakeOptions(t, serves(documentOf("end_session_endpoint", `"http://op.example/end"`))), func(o *oidc.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	if err := issuerOf(t, c); err == nil || !strings.Contains(log.String(), "end_session_endpoint") || strings.Contains(log.String(), "http://") {
		t.Errorf("%v, log %s", err, log.String())
	}
}

func TestDiscoveryThatFails(t *testing.T) {
	for _, tt := range []struct {
		failed      fetch.Error
		unavailable bool
	}{
		{fetch.Error{Kind: fetch.FailedConnection}, true},
		{fetch.Error{Kind: fetch.FailedDNS}, true},
		{fetch.Error{Kind: fetch.FailedTLS}, true},
		{fetch.Error{Kind: fetch.FailedTimeout}, true},
		{fetch.Error{Kind: fetch.FailedStatus, Status: 503}, true},
		{fetch.Error{Kind: fetch.FailedStatus, Status: 404}, false},
		{fetch.Error{Kind: fetch.FailedRedirect, Status: 302}, false},
		{fetch.Error{Kind: fetch.FailedTooLarge}, false},
		{fetch.Error{Kind: fetch.FailedURL}, false},
	} {
		c := newClient(t, fakeOptions(t, fake{get: func(context.Context, fetch.Request) (*fetch.Response, error) { return nil, &tt.failed }}))
		if err := issuerOf(t, c); errors.Is(err, login.ErrUnavailable) != tt.unavailable || errors.Is(err, oidc.ErrAnswer) == tt.unavailable {
			t.Errorf("%v: %v", &tt.failed, err)
		}
	}
}

func TestAPlainDiscoveryURLIsForTheOperatorToAllow(t *testing.T) {
	c := newClient(t, fakeOptions(t, fetch.New(fetch.Options{})), func(o *oidc.Options) { o.DiscoveryURL = "http://op.example/d" })
	if err := issuerOf(t, c); !errors.Is(err, oidc.ErrAnswer) {
		t.Error(err)
	}
}

func TestWhetherAnswersCarryTheIssuer(t *testing.T) {
	for value, want := range map[string]bool{"": false, "true": true, "false": false, `"true"`: false} {
		c := newClient(t, fakeOptions(t, serves(documentOf("authorization_response_iss_parameter_supported", value))))
		issuer, carried, err := c.Issuer(t.Context())
		if issuer != fakeIssuer || carried != want || err != nil {
			t.Errorf("%s: %q, %t, %v", value, issuer, carried, err)
		}
	}
}

func TestDiscoveryIsRememberedAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		var failing atomic.Bool
		var log bytes.Buffer
		c := newClient(t, fakeOptions(t, fake{get: func(context.Context, fetch.Request) (*fetch.Response, error) {
			reads.Add(1)
			if failing.Load() {
				return nil, &fetch.Error{Kind: fetch.FailedStatus, Status: http.StatusBadGateway}
			}
			return body(documentOf()), nil
		}}), func(o *oidc.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		expect := func(what string, want int32) {
			t.Helper()
			if err := issuerOf(t, c); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			synctest.Wait()
			if got := reads.Load(); got != want {
				t.Errorf("%s: read %d times, want %d", what, got, want)
			}
		}
		expect("at first", 1)
		expect("at once again", 1)
		time.Sleep(10*time.Minute - time.Nanosecond) // of the bubble's clock
		expect("before 10 min", 1)
		time.Sleep(time.Nanosecond)
		failing.Store(true)
		expect("after 10 min, and it fails", 2)
		expect("at once after the failure", 2)
		time.Sleep(time.Second)
		expect("a second later", 3)
		failing.Store(false)
		time.Sleep(time.Second)
		expect("when it is back", 4)
		time.Sleep(time.Second)
		expect("a second after that", 4)
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d lines of log, want one for each change:\n%s", got, log.String())
		}
	})
}

func TestAFirstReadIsSharedAndAFailureIsNotRepeatedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		c := newClient(t, fakeOptions(t, fake{get: func(context.Context, fetch.Request) (*fetch.Response, error) {
			time.Sleep(time.Second)
			if reads.Add(1) == 1 {
				return nil, &fetch.Error{Kind: fetch.FailedConnection}
			}
			return body(documentOf()), nil
		}}))
		all := func(want error) {
			t.Helper()
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					if _, _, err := c.Issuer(t.Context()); !errors.Is(err, want) {
						t.Error(err)
					}
				})
			}
			group.Wait()
		}
		all(login.ErrUnavailable)
		all(login.ErrUnavailable)
		if reads.Load() != 1 {
			t.Errorf("%d reads", reads.Load())
		}
		time.Sleep(time.Second)
		all(nil)
		if reads.Load() != 2 {
			t.Errorf("%d reads", reads.Load())
		}
	})
}

func TestAPanicOverADocumentIsAnError(t *testing.T) {
	c := newClient(t, fakeOptions(t, fake{get: func(context.Context, fetch.Request) (*fetch.Response, error) { panic("top-secret") }}))
	if err := issuerOf(t, c); !errors.Is(err, oidc.ErrAnswer) || strings.Contains(err.Error(), "top-secret") {
		t.Error(err)
	}
}
