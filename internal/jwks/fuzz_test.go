package jwks_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

// Whatever an issuer writes: no panic, and no key that must not verify.
func FuzzKeySet(f *testing.F) {
	for _, document := range []string{
		``, `{}`, `{"keys":[]}`, `{"keys":[null,1,"a",[],{}]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`,
		`{"keys":[{"kty":"RSA","n":"!","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`,
		set(rsaJWK("r", rsaKey()), ecJWK("e"), edJWK("d")), set(rsaJWK("r", shortKey())),
		set(rsaJWK("r", rsaKey()).with("use", "enc"), ecJWK("e").with("alg", "ES384")),
		`{"keys":[{"kty":"RSA","kid":"\ud800"},[[[]]],{"a":1,"a":2}],"x":"y"}`, `{"keys":[],"keys":[{}]}`,
	} {
		f.Add([]byte(document))
	}
	algs := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256", "none"}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := jwks.Static(document)
		if err != nil {
			return
		}
		for _, kid := range append(p.Status().KeyIDs, "") {
			for _, alg := range algs {
				key, err := p.Key(t.Context(), kid, kid != "", alg)
				if err != nil {
					continue
				}
				switch k := key.Public.(type) {
				case *rsa.PublicKey:
					if k.N.BitLen() < 2048 || alg[0] != 'R' && alg[0] != 'P' {
						t.Errorf("an RSA key of %d bits for %s", k.N.BitLen(), alg)
					}
				case *ecdsa.PublicKey:
					if want := map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[alg]; k.Params().BitSize != want {
						t.Errorf("a curve of %d bits for %s", k.Params().BitSize, alg)
					}
				case ed25519.PublicKey:
					if alg != "EdDSA" && alg != "Ed25519" {
						t.Errorf("an Ed25519 key for %s", alg)
					}
				default:
					t.Errorf("a %T for %s", k, alg)
				}
			}
		}
	})
}
