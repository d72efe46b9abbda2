package jwks_test

import (
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var otherKey = forge.OtherRSA

func edJWK(kid string) jwk { return forge.JWK(forge.Ed25519(), "kid", kid) }

func TestEachKeyVerifiesItsOwnAlgorithmsOnly(t *testing.T) {
	p, err := jwks.Static([]byte(set(
		rsaJWK("rsa", rsaKey()), rsaJWK("ps256", rsaKey()).with("alg", "PS256"), ecJWK("p256"),
		forge.JWK(forge.P384(), "kid", "p384"), forge.JWK(forge.P521(), "kid", "p521"), edJWK("ed"),
	)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, kid := range p.Status().KeyIDs {
		for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256", "none", "rs256", ""} {
			if _, err := p.Key(t.Context(), kid, true, alg); err == nil {
				got[kid] = append(got[kid], alg)
			}
		}
	}
	want := map[string][]string{
		"rsa":   {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"ps256": {"PS256"}, "p256": {"ES256"}, "p384": {"ES384"}, "p521": {"ES512"}, "ed": {"EdDSA", "Ed25519"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeysThatCannotBeTrustedAreSkippedOneByOne(t *testing.T) {
	plain := func() jwk { return rsaJWK("bad", rsaKey()) }
	for name, bad := range map[string]any{
		"a short RSA key":           rsaJWK("bad", shortKey()),
		"an absurdly long RSA key":  plain().with("n", b64(new(big.Int).SetBit(big.NewInt(1), 16384, 1).Bytes())),
		"exponent 1":                plain().with("e", "AQ"),
		"an even exponent":          plain().with("e", "AQAA"),
		"an exponent over 64 bits":  plain().with("e", b64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})),
		"a private exponent":        plain().with("d", "AQAB"),
		"a private prime":           plain().with("p", "AQAB"),
		"a null private member":     plain().with("d", nil),
		"a symmetric key":           jwk{"kty": "oct", "kid": "bad", "k": b64(make([]byte, 64))},
		"use enc":                   plain().with("use", "enc"),
		"an empty use":              plain().with("use", ""),
		"a null use":                plain().with("use", nil),
		"key_ops without verify":    plain().with("key_ops", []string{"encrypt"}),
		"key_ops to sign":           ecJWK("bad").with("key_ops", []string{"sign"}),
		"no key_ops at all":         plain().with("key_ops", []string{}),
		"key_ops no list":           plain().with("key_ops", "verify"),
		"alg for encryption":        plain().with("alg", "RSA-OAEP"),
		"alg HS256":                 plain().with("alg", "HS256"),
		"an empty alg":              plain().with("alg", ""),
		"alg of another type":       ecJWK("bad").with("alg", "RS256"),
		"kid no string":             plain().with("kid", 1),
		"a null kid":                plain().with("kid", nil),
		"an even modulus":           plain().with("n", b64(new(big.Int).SetBit(new(big.Int), 2047, 1).Bytes())),
		"kty in another case":       plain().with("kty", "rsa"),
		"kty under another name":    jwk{"KTY": "RSA", "kid": "bad", "n": b64(rsaKey().N.Bytes()), "e": "AQAB"},
		"a point off the curve":     ecJWK("bad").with("y", b64(make([]byte, 32))),
		"an unknown curve":          ecJWK("bad").with("crv", "secp256k1"),
		"a curve for key agreement": jwk{"kty": "OKP", "crv": "X25519", "kid": "bad", "x": b64(make([]byte, 32))},
		"a short Ed25519 key":       edJWK("bad").with("x", b64(make([]byte, 31))),
		"a null":                    nil,
		"a list":                    []any{},
		"a string":                  "bad",
	} {
		p, err := jwks.Static(forge.JWKS[any](bad, rsaJWK("good", rsaKey())))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := p.Status()
		if diff := cmp.Diff([]string{"good"}, s.KeyIDs); diff != "" || s.Skipped != 1 || !s.Ready {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestOfTwoKeysWithOneKidTheFirstThatFitsIsTaken(t *testing.T) {
	first, second := rsaKey(), otherKey()
	p, err := jwks.Static([]byte(set(ecJWK("k"), rsaJWK("k", first), rsaJWK("k", second))))
	if err != nil {
		t.Fatal(err)
	}
	key, err := p.Key(t.Context(), "k", true, "RS256")
	if err != nil || !first.PublicKey.Equal(key.Public) {
		t.Errorf("another key, %v", err)
	}
}

func TestAKeyWithoutKidIsFoundOnlyForATokenWithout(t *testing.T) {
	nameless := rsaJWK("", rsaKey())
	p, err := jwks.Static([]byte(set(nameless, ecJWK("e"))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Key(t.Context(), "", false, "RS256"); err != nil {
		t.Error(err)
	}
	if _, err := p.Key(t.Context(), "", true, "RS256"); err == nil {
		t.Error("found for an empty kid")
	}
}
