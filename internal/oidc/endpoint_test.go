package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

func TestTokensOfAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       login.Tokens
	}{
		{"all", `{"access_token":"at","token_type":"Bearer","expires_in":86400,"refresh_token":"rt","id_token":"a.b.c","scope":"openid"}`, login.Tokens{AccessToken: "at", IDToken: "a.b.c", RefreshToken: "rt", ExpiresIn: 24 * time.Hour}},
		{"the least", `{"access_token":"at","token_type":"bEARER","id_token":"a.b.c"}`, login.Tokens{AccessToken: "at", IDToken: "a.b.c"}},
		{"null is none", `{"access_token":"at","token_type":"Bearer","id_token":"a.b.c","refresh_token":null,"expires_in":null}`, login.Tokens{AccessToken: "at", IDToken: "a.b.c"}},
		{"a lifetime with a fraction", `{"access_token":"at","token_type":"Bearer","id_token":"a.b.c","expires_in":1.5e1}`, login.Tokens{AccessToken: "at", IDToken: "a.b.c", ExpiresIn: 15 * time.Second}},
	} {
		s := newSite(t, says(200, tt.body))
		got, err := s.client(t).Exchange(t.Context(), "code", verifier)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", tt.name, err, diff)
		}
	}
	// A JWT says itself when it expires, where its answer does not.
	now := time.Now().Truncate(time.Second)
	for name, tt := range map[string]struct {
		exp      string
		more     string
		min, max time.Duration
	}{
		"in an hour":          {forge.Seconds(now.Add(time.Hour)), ``, 59 * time.Minute, time.Hour},
		"the answer says":     {forge.Seconds(now.Add(time.Hour)), `,"expires_in":60`, time.Minute, time.Minute},
		"an hour ago":         {forge.Seconds(now.Add(-time.Hour)), ``, 0, 0},
		"in a thousand years": {forge.Seconds(now.AddDate(1000, 0, 0)), ``, 3650 * 24 * time.Hour, 3650 * 24 * time.Hour},
		"never":               {"", ``, 0, 0},
		"no date":             {`"soon"`, ``, 0, 0},
	} {
		jwt := forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", ""), forge.Claims("https://issuer.example/", "api", now, "exp", tt.exp))
		s := newSite(t, says(200, `{"access_token":"`+jwt+`","token_type":"Bearer","id_token":"a.b.c"`+tt.more+`}`))
		if got, err := s.client(t).Exchange(t.Context(), "code", verifier); err != nil || got.ExpiresIn < tt.min || got.ExpiresIn > tt.max {
			t.Errorf("%s: %v %v", name, got.ExpiresIn, err)
		}
	}
	s := newSite(t, says(200, `{"access_token":"at","token_type":"Bearer"}`))
	if got, err := s.client(t).Refresh(t.Context(), "rt"); err != nil || got.AccessToken != "at" {
		t.Errorf("a refresh without an ID token: %v", err)
	}
}

// answerOf is an answer with changes, as forge.Object has them.
func answerOf(changes ...string) string {
	return forge.Object(append([]string{"access_token", `"at"`, "token_type", `"Bearer"`, "id_token", `"a.b.c"`}, changes...)...)
}

// The errors of the endpoints, and that none of them holds a secret.
func TestAnswersThatAreNone(t *testing.T) {
	long := `"` + strings.Repeat("x", 16<<10+1) + `"`
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   error  // login.ErrUnavailable, oidc.ErrAnswer or, for a *login.ProviderError, nil
		code   string // of a *login.ProviderError
	}{
		{"invalid_grant", says(400, `{"error":"invalid_grant","error_description":"top-secret"}`), nil, "invalid_grant"},
		{"invalid_grant with 403, as Auth0 says it", says(403, `{"error":"invalid_grant"}`), nil, "invalid_grant"},
		{"invalid_client", says(401, `{"error":"invalid_client"}`), nil, "invalid_client"},
		{"an error that nobody registered", says(400, `{"error":"top-secret"}`), nil, "other"},
		{"too many requests", says(429, `{"error":"too_many_requests"}`), nil, "other"},
		{"500", says(500, `{"error":"invalid_grant"}`), login.ErrUnavailable, ""},
		{"503 with a page", says(503, `<html>top-secret`), login.ErrUnavailable, ""},
		{"500 without end", says(500, strings.Repeat("x", 2<<20)), login.ErrUnavailable, ""},
		{"the connection is cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, login.ErrUnavailable, ""},
		{"400 with a page", says(400, `<html>top-secret`), oidc.ErrAnswer, ""},
		{"400 with nothing", says(400, ``), oidc.ErrAnswer, ""},
		{"400 without an error", says(400, `{"message":"top-secret"}`), oidc.ErrAnswer, ""},
		{"400 with an error that is a number", says(400, `{"error":7}`), oidc.ErrAnswer, ""},
		{"400 with two errors", says(400, `{"error":"invalid_grant","error":"invalid_client"}`), oidc.ErrAnswer, ""},
		{"200 with a page", says(200, `<html>top-secret`), oidc.ErrAnswer, ""},
		{"200 with a form, as some answered before there was an RFC", says(200, `access_token=top-secret&token_type=Bearer`), oidc.ErrAnswer, ""},
		{"200 with nothing", says(200, ``), oidc.ErrAnswer, ""},
		{"200 with a list", says(200, `[`+goodTokens+`]`), oidc.ErrAnswer, ""},
		{"200 with null", says(200, `null`), oidc.ErrAnswer, ""},
		{"200 with text after it", says(200, goodTokens+`{}`), oidc.ErrAnswer, ""},
		{"200 with a token twice", says(200, `{"access_token":"a",`+goodTokens[1:]), oidc.ErrAnswer, ""},
		{"200 over 1 MiB", says(200, goodTokens+strings.Repeat(" ", 1<<20)), oidc.ErrAnswer, ""},
		{"200 with 10,000 values", says(200, answerOf("x", "["+strings.Repeat("1,", 9999)+"1]")), oidc.ErrAnswer, ""},
		{"200 that is no UTF-8", says(200, "{\"access_token\":\"\xff\"}"), oidc.ErrAnswer, ""},
		{"204", says(204, ``), oidc.ErrAnswer, ""},
		{"202", says(202, goodTokens), oidc.ErrAnswer, ""},
		{"no token_type", says(200, answerOf("token_type", "")), oidc.ErrAnswer, ""},
		{"token_type DPoP", says(200, answerOf("token_type", `"DPoP"`)), oidc.ErrAnswer, ""},
		{"token_type N_A", says(200, answerOf("token_type", `"N_A"`)), oidc.ErrAnswer, ""},
		{"token_type a number", says(200, answerOf("token_type", `1`)), oidc.ErrAnswer, ""},
		{"no access token", says(200, answerOf("access_token", "")), oidc.ErrAnswer, ""},
		{"an empty access token", says(200, answerOf("access_token", `""`)), oidc.ErrAnswer, ""},
		{"an access token that is a list", says(200, answerOf("access_token", `["at"]`)), oidc.ErrAnswer, ""},
		{"an access token with a line break", says(200, answerOf("access_token", `"a\r\nX-Admin: 1"`)), oidc.ErrAnswer, ""},
		{"an access token with a space", says(200, answerOf("access_token", `"a b"`)), oidc.ErrAnswer, ""},
		{"an access token with a NUL", says(200, answerOf("access_token", `"a\u0000"`)), oidc.ErrAnswer, ""},
		{"an access token with an umlaut", says(200, answerOf("access_token", `"ä"`)), oidc.ErrAnswer, ""},
		{"an access token over 16 KiB", says(200, answerOf("access_token", long)), login.ErrTooLarge, ""},
		{"no ID token", says(200, answerOf("id_token", "")), oidc.ErrAnswer, ""},
		{"an ID token that is null", says(200, answerOf("id_token", "null")), oidc.ErrAnswer, ""},
		{"an ID token with a control character", says(200, answerOf("id_token", `"a\n.b.c"`)), oidc.ErrAnswer, ""},
		{"a refresh token with a control character", says(200, answerOf("refresh_token", `"a\u007f"`)), oidc.ErrAnswer, ""},
		{"a refresh token over 16 KiB", says(200, answerOf("refresh_token", long)), login.ErrTooLarge, ""},
		{"an ID token over 16 KiB", says(200, answerOf("id_token", long)), login.ErrTooLarge, ""},
		{"expires_in as text", says(200, answerOf("expires_in", `"3600"`)), oidc.ErrAnswer, ""},
		{"expires_in 0", says(200, answerOf("expires_in", `0`)), oidc.ErrAnswer, ""},
		{"expires_in below 0", says(200, answerOf("expires_in", `-1`)), oidc.ErrAnswer, ""},
		{"expires_in of a century", says(200, answerOf("expires_in", `3153600000`)), oidc.ErrAnswer, ""},
		{"expires_in without bounds", says(200, answerOf("expires_in", `1e999`)), oidc.ErrAnswer, ""},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, oidc.ErrAnswer, ""},
		{"a redirect that keeps the body", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, oidc.ErrAnswer, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, tt.answer)
			_, err := s.client(t).Exchange(t.Context(), "top-secret-code", verifier)
			refused, isRefused := errors.AsType[*login.ProviderError](err)
			switch {
			case err == nil:
				t.Fatal("no error")
			case tt.want == nil && (!isRefused || refused.Code != tt.code || errors.Is(err, login.ErrInvalidGrant) != (tt.code == "invalid_grant")),
				tt.want != nil && (!errors.Is(err, tt.want) || isRefused),
				tt.want == oidc.ErrAnswer && errors.Is(err, login.ErrUnavailable):
				t.Errorf("%v", err)
			}
			for _, secret := range []string{"top-secret", verifier, "127.0.0.1", "a.b.c"} {
				if strings.Contains(err.Error()+s.log.String(), secret) {
					t.Errorf("%q is told: %v", secret, err)
				}
			}
			if n := len(s.got()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestAnIssuerThatDoesNotAnswerIsGivenUpAfterFiveSeconds(t *testing.T) {
	hang := func(ctx context.Context) (*fetch.Response, error) {
		<-ctx.Done()
		return nil, &fetch.Error{Kind: fetch.FailedTimeout}
	}
	ask := map[string]func(context.Context, *oidc.Client) error{
		"a code": func(ctx context.Context, c *oidc.Client) error {
			_, err := c.Exchange(ctx, "code", verifier)
			return err
		},
		"a refresh": func(ctx context.Context, c *oidc.Client) error {
			_, err := c.Refresh(ctx, "rt")
			return err
		},
		"a revocation": func(ctx context.Context, c *oidc.Client) error { return c.Revoke(ctx, "rt") },
		"a pushed request": func(ctx context.Context, c *oidc.Client) error {
			_, err := c.AuthorizationURL(ctx, login.Authorization{State: "s", Nonce: "n", Verifier: verifier})
			return err
		},
	}
	for name, f := range map[string]fake{
		"discovery": {get: func(ctx context.Context, _ fetch.Request) (*fetch.Response, error) { return hang(ctx) }},
		"the endpoint": {
			get:  func(context.Context, fetch.Request) (*fetch.Response, error) { return body(documentOf()), nil },
			post: func(ctx context.Context, _ fetch.Form) (*fetch.Response, error) { return hang(ctx) },
		},
	} {
		for what, do := range ask {
			t.Run(name+" of "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, fakeOptions(t, f))
					start := time.Now()
					if err := do(t.Context(), c); !errors.Is(err, login.ErrUnavailable) || time.Since(start) != 5*time.Second {
						t.Errorf("%v after %v", err, time.Since(start))
					}
				})
			})
		}
	}
}

func TestACallerThatGoesDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, fakeOptions(t, fake{get: func(ctx context.Context, _ fetch.Request) (*fetch.Response, error) {
			<-ctx.Done()
			return nil, &fetch.Error{Kind: fetch.FailedTimeout}
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Refresh(ctx, "rt"); !errors.Is(err, login.ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
