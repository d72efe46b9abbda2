package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
)

var base64url = base64.RawURLEncoding

// Thumbprint is the SHA-256 thumbprint of a key (RFC 7638 section 3), of its
// canonical form, base64url; "" for anything but the public keys of [Key.Public].
func Thumbprint(key crypto.PublicKey) string {
	var canonical string
	switch k := key.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(k.E)).Bytes()
		canonical = `{"e":"` + base64url.EncodeToString(e) + `","kty":"RSA","n":"` + base64url.EncodeToString(k.N.Bytes()) + `"}`
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return ""
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		canonical = `{"crv":"` + k.Params().Name + `","kty":"EC","x":"` + base64url.EncodeToString(x) + `","y":"` + base64url.EncodeToString(y) + `"}`
	case ed25519.PublicKey:
		canonical = `{"crv":"Ed25519","kty":"OKP","x":"` + base64url.EncodeToString(k) + `"}`
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(canonical))
	return base64url.EncodeToString(sum[:])
}
