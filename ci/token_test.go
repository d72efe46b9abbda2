package ci_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	audience = "https://api.example.com"
	// ownIssuer issues tokens with keys of the suite: its key set stands in
	// the configuration, so that a case can sign any text.
	ownIssuer = "https://own.e2e.example/"
	// subject and marker are claim values of every own token.
	subject = "auth0|e2e-user-4711"
	marker  = "e2e-claim-value-that-no-answer-repeats"
)

var (
	ownRSA      = forge.RSA()
	rogueRSA    = forge.AttackerRSA()
	ownEC       = forge.P256()
	ownEd       = forge.Ed25519()
	rsaKid      = "own-rsa"
	ecKid       = "own-ec"
	edKid       = "own-ed"
	ownKeys     = keySet(publicJWK(ownRSA, rsaKid), publicJWK(ownEC, ecKid), publicJWK(ownEd, edKid))
	ownRSAKeys  = keySet(publicJWK(ownRSA, rsaKid))
	ownPolicy   = policy{"issuer": ownIssuer, "audience": audience, "jwks": ownRSAKeys}
	withUserID  = policy{"claim_headers": map[string]any{"X-User-Id": "sub"}}
	identityOwn = ownPolicy.with(withUserID)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// jws is a token of the suite's own making.
type jws struct {
	header map[string]any // on top of alg, typ, kid; a nil value takes one out
	claims map[string]any // on top of the usual ones; a nil value takes one out
	// rawHeader and rawClaims stand in for the JSON; rewrite changes it.
	rawHeader, rawClaims       string
	rewriteHeader, rewriteBody func(string) string
	sign                       func(input string) []byte // nil is RS256 with the own key
}

func (j jws) String() string {
	now := time.Now().Unix()
	header := j.rawHeader
	if header == "" {
		header = overlay(map[string]any{"alg": "RS256", "typ": "JWT", "kid": rsaKid}, j.header)
	}
	claims := j.rawClaims
	if claims == "" {
		claims = overlay(map[string]any{
			"iss": ownIssuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 3600,
			"azp": "own-client", "private": marker,
		}, j.claims)
	}
	if j.rewriteHeader != nil {
		header = j.rewriteHeader(header)
	}
	if j.rewriteBody != nil {
		claims = j.rewriteBody(claims)
	}
	input := forge.Base64URL(header) + "." + forge.Base64URL(claims)
	sign := j.sign
	if sign == nil {
		sign = rs256(ownRSA)
	}
	return input + "." + forge.Base64URL(sign(input))
}

// overlay is base with top over it, as JSON. A json.RawMessage stays as it is.
func overlay(base, top map[string]any) string {
	all := maps.Clone(base)
	for k, v := range top {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return forge.JSON(all)
}

// literal is JSON that stands in a token as it is written.
func literal(text string) json.RawMessage { return json.RawMessage(text) }

func claims(c map[string]any) string { return jws{claims: c}.String() }

func goodToken() string { return jws{}.String() }

func rs256(key *rsa.PrivateKey) func(string) []byte { return signer("RS256", key) }

func ps256(key *rsa.PrivateKey) func(string) []byte { return signer("PS256", key) }

func es256(key *ecdsa.PrivateKey) func(string) []byte { return signer("ES256", key) }

func edDSA(key ed25519.PrivateKey) func(string) []byte { return signer("EdDSA", key) }

func hs256(secret []byte) func(string) []byte { return signer("HS256", secret) }

func signer(alg string, key any) func(string) []byte {
	return func(input string) []byte { return forge.Signature(alg, key, input) }
}

func unsigned(string) []byte { return nil }

func keySet(keys ...map[string]any) map[string]any { return map[string]any{"keys": keys} }

func publicJWK(key any, kid string) map[string]any { return forge.JWK(key, "kid", kid, "use", "sig") }
