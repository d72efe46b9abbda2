package oidc_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	nonce       = "the nonce of this login"
	accessToken = "the-access-token"
	leeway      = 30 * time.Second
)

var now = time.Unix(1_800_000_000, 0)

// in is the JSON text of a date, so many seconds from now.
func in(seconds int) string { return forge.Seconds(now.Add(time.Duration(seconds) * time.Second)) }

// idClaims are those of a good ID token, with changes as forge.Object has them.
func idClaims(changes ...string) string {
	return forge.Claims(fakeIssuer, clientID, now, append([]string{"iat", in(-1), "nonce", `"` + nonce + `"`}, changes...)...)
}

// signed is a token by a key of the issuer's, its kid in the header.
func signed(alg string, key crypto.Signer, claims string, header ...string) string {
	return forge.Sign(alg, key, forge.Header(alg, kidOf(key), header...), claims)
}

func rs256(claims string, header ...string) string {
	return signed("RS256", forge.RSA(), claims, header...)
}

func half(sum []byte) string { return `"` + forge.Base64URL(sum[:len(sum)/2]) + `"` }

func atHash(alg string) string {
	switch alg[len(alg)-3:] {
	case "256":
		sum := sha256.Sum256([]byte(accessToken))
		return half(sum[:])
	case "384":
		sum := sha512.Sum384([]byte(accessToken))
		return half(sum[:])
	}
	sum := sha512.Sum512([]byte(accessToken))
	return half(sum[:])
}

var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

func keyFor(alg string) crypto.Signer {
	switch alg {
	case "ES256":
		return forge.P256()
	case "ES384":
		return forge.P384()
	case "ES512":
		return forge.P521()
	case "EdDSA", "Ed25519":
		return forge.Ed25519()
	}
	return forge.RSA()
}

func TestGoodIDTokens(t *testing.T) {
	v := newVerifiers(t)
	for _, tt := range []struct{ name, raw, nonce string }{
		{"the least", rs256(idClaims()), nonce},
		{"typ JWT", rs256(idClaims(), `"typ":"JWT"`), nonce},
		{"typ in small letters", rs256(idClaims(), `"typ":"jwt"`), nonce},
		{"typ written out", rs256(idClaims(), `"typ":"application/jwt"`), nonce},
		{"no kid, and one key that fits", forge.Sign("ES256", forge.P256(), forge.Header("ES256", ""), idClaims()), nonce},
		{"aud as a list", rs256(idClaims("aud", `["client one"]`)), nonce},
		{"azp", rs256(idClaims("azp", `"client one"`)), nonce},
		{"several audiences with azp", rs256(idClaims("aud", `["api","client one"]`, "azp", `"client one"`)), nonce},
		{"expired within the leeway", rs256(idClaims("exp", in(-29))), nonce},
		{"iat ahead within the leeway", rs256(idClaims("iat", in(29))), nonce},
		{"nbf ahead within the leeway", rs256(idClaims("nbf", in(29))), nonce},
		{"issued 10 minutes ago", rs256(idClaims("iat", in(-600))), nonce},
		{"after a refresh, without a nonce", rs256(idClaims("nonce", "")), ""},
		{"after a refresh, with a nonce", rs256(idClaims()), ""},
		{"jku and jwk in the header, which nobody follows", rs256(idClaims(), `"jku":"https://evil.example/"`, `"jwk":`+forge.JSON(forge.JWK(forge.AttackerRSA()))), nonce},
	} {
		if _, err := v.ours.IDToken(t.Context(), tt.raw, tt.nonce, accessToken, now); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := v.second(tt.raw, tt.nonce, accessToken); err != nil {
			t.Errorf("%s: go-oidc: %v", tt.name, err)
		}
	}
	for _, alg := range asymmetric {
		for what, hash := range map[string]string{"without at_hash": "", "with at_hash": atHash(alg)} {
			raw := signed(alg, keyFor(alg), idClaims("at_hash", hash))
			if _, err := v.ours.IDToken(t.Context(), raw, nonce, accessToken, now); err != nil {
				t.Errorf("%s %s: %v", alg, what, err)
			}
			if alg == "Ed25519" { // go-oidc does not know the name
				continue
			}
			if err := v.second(raw, nonce, accessToken); err != nil {
				t.Errorf("%s %s: go-oidc: %v", alg, what, err)
			}
		}
	}
}

func TestWhatAnIDTokenSays(t *testing.T) {
	got, err := newVerifiers(t).ours.IDToken(t.Context(), rs256(idClaims(
		"sid", `"s1"`, "acr", `"gold"`, "org_id", `"org_1"`, "org_name", `"acme"`, "auth_time", in(-5)+".5", "session_expiry", in(7200),
	)), nonce, accessToken, now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Claims["org_name"] != "acme" {
		t.Errorf("claims: %v", got.Claims)
	}
	got.Claims = nil
	want := login.Identity{
		Subject: "auth0|alice", SID: "s1", ACR: "gold", OrgID: "org_1", OrgName: "acme",
		AuthTime: now.Add(-4500 * time.Millisecond), IssuedAt: now.Add(-time.Second), Expires: now.Add(time.Hour), SessionExpiry: now.Add(2 * time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIDTokensThatAreRefused(t *testing.T) {
	v := newVerifiers(t)
	secret := []byte(strings.Repeat("s", 64))
	public := []byte(publicPEM(t))
	good := rs256(idClaims())
	cut := strings.LastIndexByte(good, '.')
	for _, tt := range []struct{ name, raw, nonce string }{
		{"nothing", "", nonce},
		{"an opaque token", "opaque", nonce},
		{"alg none", forge.Sign("none", nil, forge.Header("none", ""), idClaims()), nonce},
		{"alg None", forge.Compact(forge.Header("None", ""), idClaims(), nil), nonce},
		{"no signature", good[:cut+1], nonce},
		{"another token's signature", good[:cut] + rs256(idClaims("sub", `"bob"`))[strings.LastIndexByte(rs256(idClaims("sub", `"bob"`)), '.'):], nonce},
		{"HS256 by the client's secret", forge.Sign("HS256", secret, forge.Header("HS256", ""), idClaims()), nonce},
		{"HS256 by the client's secret under a key's kid", forge.Sign("HS256", secret, forge.Header("HS256", kidOf(forge.RSA())), idClaims()), nonce},
		{"HS256 by the public key", forge.Sign("HS256", public, forge.Header("HS256", kidOf(forge.RSA())), idClaims()), nonce},
		{"RS256 that is HS256", forge.Sign("HS256", public, forge.Header("RS256", kidOf(forge.RSA())), idClaims()), nonce},
		{"another key under a known kid", forge.Sign("RS256", forge.AttackerRSA(), forge.Header("RS256", kidOf(forge.RSA())), idClaims()), nonce},
		{"another issuer's key", signed("RS256", forge.OtherRSA(), idClaims()), nonce},
		{"the header's own key", forge.Sign("RS256", forge.AttackerRSA(), forge.Header("RS256", "", `"jwk":`+forge.JSON(forge.JWK(forge.AttackerRSA()))), idClaims()), nonce},
		{"the header's own key set", forge.Sign("RS256", forge.AttackerRSA(), forge.Header("RS256", "x", `"jku":"https://op.example/jwks"`), idClaims()), nonce},
		{"a key of another kind", forge.Sign("ES256", forge.P256(), forge.Header("ES256", kidOf(forge.RSA())), idClaims()), nonce},
		{"crit", rs256(idClaims(), `"crit":["x"]`, `"x":1`), nonce},
		{"alg twice", forge.Sign("RS256", forge.RSA(), forge.And(forge.Header("RS256", kidOf(forge.RSA())), `"alg":"none"`), idClaims()), nonce},
		{"aud twice", rs256(forge.And(idClaims(), `"aud":"client one"`)), nonce},
		{"nonce twice", rs256(forge.And(idClaims("nonce", `"x"`), `"nonce":"`+nonce+`"`)), nonce},
		{"claims that are a list", rs256(`[]`), nonce},
		{"a logout token by its typ", rs256(idClaims(), `"typ":"logout+jwt"`), nonce},
		{"a logout token by its claims", rs256(logoutClaims("nonce", `"`+nonce+`"`)), nonce},
		{"a logout token, after a refresh", rs256(logoutClaims()), ""},
		{"an access token by its typ", rs256(idClaims(), `"typ":"at+jwt"`), nonce},
		{"an access token by its typ written out", rs256(idClaims(), `"typ":"application/at+jwt"`), nonce},
		{"an access token in Auth0's shape", rs256(idClaims("aud", `["https://api.example.com","https://op.example/userinfo"]`, "azp", `"client one"`, "nonce", "")), ""},
		{"a DPoP proof by its typ", rs256(idClaims(), `"typ":"dpop+jwt"`), nonce},
		{"no iss", rs256(idClaims("iss", "")), nonce},
		{"another iss", rs256(idClaims("iss", `"https://evil.example/"`)), nonce},
		{"iss without its slash", rs256(idClaims("iss", `"https://op.example"`)), nonce},
		{"iss in capitals", rs256(idClaims("iss", `"https://OP.example/"`)), nonce},
		{"iss that is a list", rs256(idClaims("iss", `["https://op.example/"]`)), nonce},
		{"no aud", rs256(idClaims("aud", "")), nonce},
		{"another aud", rs256(idClaims("aud", `"client two"`)), nonce},
		{"aud that begins with the client", rs256(idClaims("aud", `"client one and more"`)), nonce},
		{"an empty list of aud", rs256(idClaims("aud", "[]")), nonce},
		{"aud with a number", rs256(idClaims("aud", `["client one",7]`)), nonce},
		{"aud that is an object", rs256(idClaims("aud", `{"client one":1}`)), nonce},
		{"several aud without azp", rs256(idClaims("aud", `["client one","api"]`)), nonce},
		{"another azp", rs256(idClaims("azp", `"client two"`)), nonce},
		{"another azp of several aud", rs256(idClaims("aud", `["client one","client two"]`, "azp", `"client two"`)), nonce},
		{"azp that is null", rs256(idClaims("azp", "null")), nonce},
		{"azp that is a list", rs256(idClaims("azp", `["client one"]`)), nonce},
		{"no exp", rs256(idClaims("exp", "")), nonce},
		{"expired", rs256(idClaims("exp", in(-30))), nonce},
		{"exp that is text", rs256(idClaims("exp", `"`+in(60)+`"`)), nonce},
		{"exp in milliseconds", rs256(idClaims("exp", in(60)+"000")), nonce},
		{"no iat", rs256(idClaims("iat", "")), nonce},
		{"iat ahead", rs256(idClaims("iat", in(31))), nonce},
		{"iat that is text", rs256(idClaims("iat", `"now"`)), nonce},
		{"issued 11 minutes ago", rs256(idClaims("iat", in(-660))), nonce},
		{"nbf ahead", rs256(idClaims("nbf", in(31))), nonce},
		{"no nonce", rs256(idClaims("nonce", "")), nonce},
		{"an empty nonce", rs256(idClaims("nonce", `""`)), nonce},
		{"another nonce", rs256(idClaims("nonce", `"another login's"`)), nonce},
		{"a nonce that begins well", rs256(idClaims("nonce", `"the nonce"`)), nonce},
		{"a nonce that is a list", rs256(idClaims("nonce", `["`+nonce+`"]`)), nonce},
		{"a nonce that is a number, after a refresh", rs256(idClaims("nonce", `7`)), ""},
		{"another access token's at_hash", rs256(idClaims("at_hash", atHash("RS384"))), nonce},
		{"at_hash of the whole hash", rs256(idClaims("at_hash", `"`+forge.TokenHash(accessToken)+`"`)), nonce},
		{"an empty at_hash", rs256(idClaims("at_hash", `""`)), nonce},
		{"at_hash that is null", rs256(idClaims("at_hash", `null`)), nonce},
		{"no sub", rs256(idClaims("sub", "")), nonce},
		{"an empty sub", rs256(idClaims("sub", `""`)), nonce},
		{"sub that is a number", rs256(idClaims("sub", `7`)), nonce},
		{"sid that is a number", rs256(idClaims("sid", `7`)), nonce},
		{"acr that is a list", rs256(idClaims("acr", `["gold"]`)), nonce},
		{"org_id that is null", rs256(idClaims("org_id", `null`)), nonce},
		{"org_name that is an object", rs256(idClaims("org_name", `{}`)), nonce},
		{"auth_time that is text", rs256(idClaims("auth_time", `"1"`)), nonce},
		{"session_expiry that is text", rs256(idClaims("session_expiry", `"never"`)), nonce},
		{"session_expiry in milliseconds", rs256(idClaims("session_expiry", in(0)+"000")), nonce},
	} {
		id, err := v.ours.IDToken(t.Context(), tt.raw, tt.nonce, accessToken, now)
		if !errors.Is(err, oidc.ErrToken) || id.Subject != "" {
			t.Errorf("%s: %v, %q", tt.name, err, id.Subject)
			continue
		}
		for _, part := range []string{"alice", "evil", nonce, "client two", accessToken} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error tells %q: %v", tt.name, part, err)
			}
		}
	}
	nothing := sha256.Sum256(nil)
	if _, err := v.ours.IDToken(t.Context(), rs256(idClaims("at_hash", half(nothing[:]))), nonce, "", now); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("at_hash and no access token: %v", err)
	}
}

func TestIDTokensByASecretAreForRoutesThatSaySo(t *testing.T) {
	old, secret := []byte(strings.Repeat("o", 48)), []byte(strings.Repeat("s", 48))
	c := newClient(t, fakeOptions(t, serves(documentOf())), func(o *oidc.Options) {
		o.Algorithms, o.Keys = []string{"HS256", "HS384", "HS512"}, nil
		o.Secrets = []oidc.Secret{text(string(secret)), text(string(old))}
	})
	for _, tt := range []struct {
		name, raw string
		good      bool
	}{
		{"the first secret", forge.Sign("HS256", secret, forge.Header("HS256", ""), idClaims("at_hash", atHash("RS256"))), true},
		{"the second secret", forge.Sign("HS384", old, forge.Header("HS384", "k"), idClaims("at_hash", atHash("RS384"))), true},
		{"another secret", forge.Sign("HS256", []byte(clientSecret), forge.Header("HS256", ""), idClaims()), false},
		{"a secret too short for HS512", forge.Sign("HS512", secret, forge.Header("HS512", ""), idClaims()), false},
		{"a key", rs256(idClaims()), false},
	} {
		if _, err := c.IDToken(t.Context(), tt.raw, nonce, accessToken, now); (err == nil) != tt.good || err != nil && !errors.Is(err, oidc.ErrToken) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

type noKeys struct{}

func (noKeys) Key(context.Context, string, bool, string) (jwks.Key, error) {
	return jwks.Key{}, &jwks.UnavailableError{}
}

func TestWithoutKeysNobodyKnows(t *testing.T) {
	c := newClient(t, fakeOptions(t, serves(documentOf())), func(o *oidc.Options) { o.Keys = noKeys{} })
	if _, err := c.IDToken(t.Context(), rs256(idClaims()), nonce, accessToken, now); !errors.Is(err, login.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := c.LogoutToken(t.Context(), rs256(logoutClaims()), now); !errors.Is(err, login.ErrUnavailable) {
		t.Error(err)
	}
}
