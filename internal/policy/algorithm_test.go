package policy_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// RFC 9864 names EdDSA with this curve Ed25519. The token's alg has to be in
// the route's list as it is written; its key may name either, or none.
func TestEdDSAAndEd25519AreOneAlgorithmOfTwoNames(t *testing.T) {
	key := keys().ed25519
	notAllowed := reason(refusal.AlgNotAllowed)
	for _, tt := range []struct {
		alg, of string // the token's and its key's
		allowed []string
		want    string
	}{
		{"Ed25519", "", []string{"Ed25519"}, forwarded},
		{"Ed25519", "EdDSA", []string{"Ed25519"}, forwarded},
		{"Ed25519", "Ed25519", []string{"RS256", "Ed25519"}, forwarded},
		{"Ed25519", "Ed25519", []string{"EdDSA"}, notAllowed},
		{"EdDSA", "", []string{"EdDSA"}, forwarded},
		{"EdDSA", "Ed25519", []string{"EdDSA"}, forwarded},
		{"EdDSA", "EdDSA", []string{"Ed25519", "EdDSA"}, forwarded},
		{"EdDSA", "EdDSA", []string{"Ed25519"}, notAllowed},
		{"ed25519", "Ed25519", []string{"Ed25519"}, notAllowed},
		{"Ed25519", "ES256", []string{"Ed25519", "ES256"}, reason(refusal.UnknownKey)},
	} {
		jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64url(key.Public().(ed25519.PublicKey))}
		if tt.of != "" {
			jwk["alg"] = tt.of
		}
		conf := route(func(c *config.Config) {
			c.Issuers[0].JWKS = set(jwk, ecJWK("p256", &keys().p256.PublicKey))
			c.Issuers[0].Algorithms = tt.allowed
		})
		for _, kid := range []string{"ed", ""} {
			token := sign(t, "EdDSA", key, header(tt.alg, kid), claims())
			if got := outcome(compile(t, conf).Decide(bearing(token))); got != tt.want {
				t.Errorf("a token with alg %s and kid %q, a key with %q, %v allowed: %s, want %s", tt.alg, kid, tt.of, tt.allowed, got, tt.want)
			}
		}
	}
}

// RFC 7518 section 3.5.
func TestATokensSaltIsAsLongAsTheHash(t *testing.T) {
	key := keys().rsa
	p := compile(t, route(func(c *config.Config) { c.Issuers[0].JWKS = set(rsaJWK("rsa", "", "sig", &key.PublicKey)) }))
	for alg, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		input := base64url(header(alg, "rsa")) + "." + base64url(claims())
		digest := hash.New()
		digest.Write([]byte(input))
		for salt, want := range map[int]string{
			hash.Size(): forwarded, hash.Size() - 1: reason(refusal.BadSignature),
			rsa.PSSSaltLengthAuto: reason(refusal.BadSignature), // the longest
		} {
			signature := must(rsa.SignPSS(rand.Reader, key, hash, digest.Sum(nil), &rsa.PSSOptions{SaltLength: salt}))
			if got := outcome(p.Decide(bearing(input + "." + base64url(signature)))); got != want {
				t.Errorf("%s with a salt of %d bytes: %s, want %s", alg, salt, got, want)
			}
		}
	}
}
