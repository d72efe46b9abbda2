package oidc_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// verifiers are a client and go-oidc's verifier of the same issuer and keys.
type verifiers struct {
	ours   *oidc.Client
	theirs *gooidc.IDTokenVerifier
}

func newVerifiers(t *testing.T) verifiers {
	t.Helper()
	keys := []crypto.Signer{forge.RSA(), forge.P256(), forge.P384(), forge.P521(), forge.Ed25519()}
	set := &gooidc.StaticKeySet{}
	for _, key := range keys {
		set.PublicKeys = append(set.PublicKeys, key.Public())
	}
	return verifiers{
		ours: newClient(t, fakeOptions(t, serves(documentOf())), func(o *oidc.Options) {
			o.Algorithms, o.Leeway, o.ClientSecret = asymmetric, leeway, text(strings.Repeat("s", 64))
			o.Keys = keysOf(t, keys...)
		}),
		theirs: gooidc.NewVerifier(fakeIssuer, set, &gooidc.Config{
			ClientID: clientID, SupportedSigningAlgs: asymmetric, Now: func() time.Time { return now.Add(-leeway) },
		}),
	}
}

// second is go-oidc's opinion of an ID token, with what it leaves to its caller.
func (v verifiers) second(raw, nonce, accessToken string) error {
	id, err := v.theirs.Verify(context.Background(), raw)
	switch {
	case err != nil:
		return err
	case nonce != "" && id.Nonce != nonce:
		return errors.New("nonce")
	case id.AccessTokenHash != "":
		return id.VerifyAccessToken(accessToken)
	}
	return nil
}

// What go-oidc refuses of the dates, issuer, audience and signature, we refuse:
// single claims are spoilt in all the ways below, and both are asked.
func TestNoTokenIsTakenThatGoOIDCRefuses(t *testing.T) {
	v := newVerifiers(t)
	values := []string{
		"", "null", "true", "0", "1", "-1", "1e400", in(-31), in(-29), in(29), in(31), in(3600) + ".5", `""`, `"x"`, `"` + fakeIssuer + `"`,
		`"client one"`, `["client one"]`, `["client one","x"]`, `[]`, `{}`, `[null]`, `"` + nonce + `"`, atHash("RS256"), atHash("RS512"),
	}
	taken := 0
	for _, name := range []string{"iss", "aud", "azp", "sub", "exp", "iat", "nbf", "nonce", "at_hash", "events", "sid", "auth_time"} {
		for _, value := range values {
			raw := rs256(idClaims(name, value))
			_, err := v.ours.IDToken(t.Context(), raw, nonce, accessToken, now)
			if err != nil {
				continue
			}
			taken++
			if err := v.second(raw, nonce, accessToken); err != nil {
				t.Errorf("%s %s: taken, and go-oidc says %v", name, value, err)
			}
		}
	}
	if taken < 20 {
		t.Errorf("only %d were taken", taken)
	}
}
