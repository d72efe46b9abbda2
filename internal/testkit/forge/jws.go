package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a JWS (RFC 7515 section 7.1) of two JSON texts. It signs with alg,
// whatever the header says; "none" is an empty signature.
func Sign(alg string, key any, header, claims string) string {
	return SignParts(alg, key, Base64URL(header), Base64URL(claims))
}

// SignParts is Sign for parts that are already written in some base64.
func SignParts(alg string, key any, header, claims string) string {
	input := header + "." + claims
	return input + "." + Base64URL(Signature(alg, key, input))
}

// Signature is the signature alone. The key is a private one, or []byte for
// HS*; an ES* must have its own curve, for which SignECDSA does not care.
func Signature(alg string, key any, input string) []byte {
	if alg == "none" {
		return nil
	}
	if alg == "Ed25519" { // RFC 9864's name, which golang-jwt does not have
		alg = "EdDSA"
	}
	return must(jwt.GetSigningMethod(alg).Sign(input, key))
}

// Compact makes a JWS of two JSON texts and a signature that is given.
func Compact(header, claims string, signature []byte) string {
	return Base64URL(header) + "." + Base64URL(claims) + "." + Base64URL(signature)
}

// SignECDSA signs with any hash and curve: raw has r and s of size bytes each
// (RFC 7518 section 3.4), der has them in ASN.1, which no JWS may have.
func SignECDSA(hash crypto.Hash, key *ecdsa.PrivateKey, size int, header, claims string) (raw, der string) {
	digest := hash.New()
	digest.Write([]byte(Base64URL(header) + "." + Base64URL(claims)))
	sum := digest.Sum(nil)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		panic(err)
	}
	signature := slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size)))
	asn1 := must(ecdsa.SignASN1(rand.Reader, key, sum))
	return Compact(header, claims, signature), Compact(header, claims, asn1)
}
