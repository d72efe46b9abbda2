package oidc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

func FuzzTokenAnswer(f *testing.F) {
	for _, status := range []int{200, 400} {
		for _, text := range []string{goodTokens, answerOf("expires_in", "1e9"), `{"error":"invalid_grant"}`, `{"error":1}`, ``, `[]`, `{"access_token":"a\u0000"}`} {
			f.Add(status, text)
		}
	}
	f.Fuzz(func(t *testing.T, status int, answer string) {
		c := newClient(t, fakeOptions(t, fake{
			get: serves(documentOf()).get,
			post: func(context.Context, fetch.Form) (*fetch.Response, error) {
				return &fetch.Response{Status: status, Body: []byte(answer)}, nil
			},
		}))
		got, err := c.Exchange(t.Context(), "code", verifier)
		_, refused := errors.AsType[*login.ProviderError](err)
		switch {
		case err != nil && (got != login.Tokens{} || !refused && !errors.Is(err, oidc.ErrAnswer)):
			t.Errorf("%v, with %+v", err, got)
		case err == nil && (status/100 != 2 || got.AccessToken == "" || got.IDToken == "" || got.ExpiresIn < 0 ||
			strings.ContainsAny(got.AccessToken+got.IDToken+got.RefreshToken, "\r\n\x00") || strings.Contains(got.AccessToken, " ")):
			t.Errorf("taken: %d %q", status, answer)
		}
	})
}

// The claims are signed as they are, so that the checks behind the signature
// see them.
func FuzzLogoutToken(f *testing.F) {
	for _, claims := range []string{logoutClaims(), logoutClaims("events", "{}"), logoutClaims("nonce", "1"), idClaims(), `{}`, ``} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		c := newClient(t, fakeOptions(t, serves(documentOf())), func(o *oidc.Options) {
			o.Algorithms, o.Keys = []string{"EdDSA"}, keysOf(t, forge.Ed25519())
		})
		got, err := c.LogoutToken(t.Context(), signed("EdDSA", forge.Ed25519(), claims), now)
		switch {
		case err != nil && (got != login.Logout{} || !errors.Is(err, oidc.ErrToken)):
			t.Errorf("%v, with %+v", err, got)
		case err == nil && (got.JTI == "" || got.SID == "" && got.Subject == "" || !got.Expires.After(now) || strings.Contains(claims, `"nonce"`) && !strings.Contains(claims, "{")):
			t.Errorf("taken: %s", claims)
		}
	})
}
