package forge

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// JWK writes the public half of key (an RSA, ECDSA or Ed25519 key, public or
// private) or a secret ([]byte) as RFC 7517 does, with more members in pairs of
// a name and a string; one that is "" is left out. The map is the caller's.
func JWK(key any, members ...string) map[string]any {
	jwk := map[string]any{}
	switch k := publicOf(key).(type) {
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"], jwk["e"] = Base64URL(k.N.Bytes()), Base64URL(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:] // after a 4: x, y (SEC 1 section 2.3.3)
		half := len(point) / 2
		jwk["kty"], jwk["crv"] = "EC", k.Params().Name
		jwk["x"], jwk["y"] = Base64URL(point[:half]), Base64URL(point[half:])
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", Base64URL(k)
	case []byte:
		jwk["kty"], jwk["k"] = "oct", Base64URL(k)
	default:
		panic(fmt.Sprintf("forge: no JWK is known of a %T", key))
	}
	for pair := range slices.Chunk(members, 2) {
		if pair[1] != "" {
			jwk[pair[0]] = pair[1]
		}
	}
	return jwk
}

// JWKS is the text of a JWK Set (RFC 7517 section 5). A key may be anything
// that JSON can write, since a set may hold what is no JWK.
func JWKS[K any](keys ...K) []byte {
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// Thumbprint is the SHA-256 thumbprint of RFC 7638, as in cnf.jkt.
func Thumbprint(key any) string {
	// JWK has the required members alone, and encoding/json sorts them.
	sum := sha256.Sum256(must(json.Marshal(JWK(key))))
	return Base64URL(sum[:])
}
