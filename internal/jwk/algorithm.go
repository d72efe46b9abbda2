package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// The errors of [Verify] and [VerifyMAC].
var (
	ErrMismatch  = errors.New("the key is not one for the algorithm")
	ErrSignature = errors.New("the signature is not valid")
)

// algorithm is a JWS algorithm that needs a public key.
type algorithm struct {
	name   string
	method jwt.SigningMethod
	fits   func(crypto.PublicKey) bool
}

// The methods are taken from golang-jwt by name of the variable: looking them
// up by that of the algorithm (jwt.GetSigningMethod) takes a lock that all
// requests share, and would also find "none".
var asymmetric = []algorithm{
	{"RS256", jwt.SigningMethodRS256, isRSA},
	{"RS384", jwt.SigningMethodRS384, isRSA},
	{"RS512", jwt.SigningMethodRS512, isRSA},
	{"PS256", pss(jwt.SigningMethodPS256), isRSA},
	{"PS384", pss(jwt.SigningMethodPS384), isRSA},
	{"PS512", pss(jwt.SigningMethodPS512), isRSA},
	{"ES256", jwt.SigningMethodES256, isOn(elliptic.P256())},
	{"ES384", jwt.SigningMethodES384, isOn(elliptic.P384())},
	{"ES512", jwt.SigningMethodES512, isOn(elliptic.P521())},
	// One algorithm of two names: RFC 9864 section 2.2 gives Ed25519 a name of
	// its own, and EdDSA (RFC 8037 section 3.1) has no other curve here.
	{"EdDSA", jwt.SigningMethodEdDSA, isEd25519},
	{"Ed25519", jwt.SigningMethodEdDSA, isEd25519},
}

// mac is a JWS algorithm that needs a shared secret.
type mac struct {
	method    jwt.SigningMethod
	minSecret int // bytes
}

// RFC 7518 section 3.2: a secret is at least as long as the hash.
var macs = map[string]mac{
	"HS256": {jwt.SigningMethodHS256, 32},
	"HS384": {jwt.SigningMethodHS384, 48},
	"HS512": {jwt.SigningMethodHS512, 64},
}

var byName = func() map[string]*algorithm {
	all := map[string]*algorithm{}
	for i := range asymmetric {
		all[asymmetric[i].name] = &asymmetric[i]
	}
	return all
}()

// pss is method with a salt as long as the hash (RFC 7518 section 3.5);
// golang-jwt's own takes a salt of any length.
func pss(method *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: method.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

func isRSA(key crypto.PublicKey) bool {
	_, ok := key.(*rsa.PublicKey)
	return ok
}

// isOn reports whether a key is on the one curve that its algorithm goes with
// (RFC 7518 section 3.4).
func isOn(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(key crypto.PublicKey) bool {
		k, ok := key.(*ecdsa.PublicKey)
		return ok && k.Curve == curve
	}
}

func isEd25519(key crypto.PublicKey) bool {
	_, ok := key.(ed25519.PublicKey)
	return ok
}

// Algorithms are the names of the algorithms that need a public key, as in the
// header of a token: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
// ES512, EdDSA and Ed25519.
func Algorithms() []string {
	names := make([]string, len(asymmetric))
	for i, a := range asymmetric {
		names[i] = a.name
	}
	return names
}

// IsAsymmetric reports whether alg is one of [Algorithms].
func IsAsymmetric(alg string) bool { return byName[alg] != nil }

// IsHMAC reports whether alg is HS256, HS384 or HS512.
func IsHMAC(alg string) bool { return macs[alg].method != nil }

// MinSecret is the least length in bytes of the secret of HS256, HS384 or HS512
// (RFC 7518 section 3.2), and 0 for any other algorithm.
func MinSecret(alg string) int { return macs[alg].minSecret }

// sameAlgorithm reports whether two names are of one algorithm.
func sameAlgorithm(a, b string) bool {
	return a == b || byName[a] != nil && byName[b] != nil && byName[a].method == byName[b].method
}

// Verify checks a signature over a signing input (RFC 7515 section 5.2). The
// error is [ErrMismatch] for a key of another type or curve than alg needs, and
// for an alg that is not one of [Algorithms]; else [ErrSignature].
func Verify(alg, signingInput string, signature []byte, key crypto.PublicKey) error {
	a := byName[alg]
	if a == nil || !a.fits(key) {
		return ErrMismatch
	}
	if a.method.Verify(signingInput, signature, key) != nil {
		return ErrSignature
	}
	return nil
}

// VerifyMAC checks an HMAC over a signing input. It is apart from [Verify], so
// that no public key can be taken for a secret. The error is [ErrMismatch] for
// an alg that is not HS256, HS384 or HS512; else [ErrSignature].
func VerifyMAC(alg, signingInput string, signature, secret []byte) error {
	m := macs[alg]
	if m.method == nil {
		return ErrMismatch
	}
	if m.method.Verify(signingInput, signature, secret) != nil {
		return ErrSignature
	}
	return nil
}

// algorithmsOf are the names of the algorithms that a key may verify by its
// type and its own alg ("" where it names none).
func algorithmsOf(key crypto.PublicKey, own string) []string {
	return slices.DeleteFunc(Algorithms(), func(alg string) bool {
		return !byName[alg].fits(key) || own != "" && !sameAlgorithm(own, alg)
	})
}
