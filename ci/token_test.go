package ci_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"time"
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
	ownRSA      = must(rsa.GenerateKey(rand.Reader, 2048))
	rogueRSA    = must(rsa.GenerateKey(rand.Reader, 2048))
	ownEC       = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ownEd       = ed25519.NewKeyFromSeed(must(io32()))
	b64         = base64.RawURLEncoding
	rsaKid      = "own-rsa"
	ecKid       = "own-ec"
	edKid       = "own-ed"
	ownKeys     = keySet(rsaJWK(ownRSA, rsaKid), ecJWK(ownEC, ecKid), edJWK(ownEd, edKid))
	ownRSAKeys  = keySet(rsaJWK(ownRSA, rsaKid))
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

func io32() ([]byte, error) {
	seed := make([]byte, ed25519.SeedSize)
	_, err := rand.Read(seed)
	return seed, err
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
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	sign := j.sign
	if sign == nil {
		sign = rs256(ownRSA)
	}
	return input + "." + b64.EncodeToString(sign(input))
}

// overlay is base with top over it, as JSON. A json.RawMessage stays as it is.
func overlay(base, top map[string]any) string {
	all := maps.Clone(base)
	for k, v := range top {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return string(must(json.Marshal(all)))
}

// literal is JSON that stands in a token as it is written.
func literal(text string) json.RawMessage { return json.RawMessage(text) }

func claims(c map[string]any) string { return jws{claims: c}.String() }

func goodToken() string { return jws{}.String() }

func digest(input string) []byte {
	sum := sha256.Sum256([]byte(input))
	return sum[:]
}

func rs256(key *rsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest(input)))
	}
}

func ps256(key *rsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest(input), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
}

func es256(key *ecdsa.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(input))
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func edDSA(key ed25519.PrivateKey) func(string) []byte {
	return func(input string) []byte { return ed25519.Sign(key, []byte(input)) }
}

func hs256(secret []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

func unsigned(string) []byte { return nil }

func keySet(keys ...map[string]any) map[string]any { return map[string]any{"keys": keys} }

func rsaJWK(key *rsa.PrivateKey, kid string) map[string]any {
	e := big.NewInt(int64(key.E)).Bytes()
	return map[string]any{"kty": "RSA", "use": "sig", "kid": kid, "n": b64.EncodeToString(key.N.Bytes()), "e": b64.EncodeToString(e)}
}

func ecJWK(key *ecdsa.PrivateKey, kid string) map[string]any {
	point := must(key.PublicKey.Bytes()) // 4, x, y
	return map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
		"x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:]),
	}
}

func edJWK(key ed25519.PrivateKey, kid string) map[string]any {
	public, _ := key.Public().(ed25519.PublicKey)
	return map[string]any{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": b64.EncodeToString(public)}
}
