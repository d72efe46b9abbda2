package jwk_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

const input = "e30.e30"

// signers has a private key and its signature's method for each algorithm.
func signers() map[string]struct {
	key    crypto.Signer
	method jwt.SigningMethod
} {
	all := map[string]struct {
		key    crypto.Signer
		method jwt.SigningMethod
	}{}
	for _, alg := range jwk.Algorithms() {
		s := all[alg]
		s.method = jwt.GetSigningMethod(alg)
		switch alg {
		case "ES256":
			s.key = ecKeys()["P-256"]
		case "ES384":
			s.key = ecKeys()["P-384"]
		case "ES512":
			s.key = ecKeys()["P-521"]
		case "EdDSA", "Ed25519":
			s.key, s.method = edKey(), jwt.SigningMethodEdDSA
		default:
			s.key = rsaKey()
		}
		all[alg] = s
	}
	return all
}

func TestASignatureVerifiesWithItsOwnAlgorithmAndKeyOnly(t *testing.T) {
	all := signers()
	for signed, by := range all {
		signature := must(by.method.Sign(input, by.key))
		for alg, other := range all {
			same := signed == alg || by.method == other.method // EdDSA and Ed25519
			if err := jwk.Verify(alg, input, signature, by.key.Public()); (err == nil) != same {
				t.Errorf("%s verified as %s: %v", signed, alg, err)
			}
			if err := jwk.Verify(alg, input, signature, other.key.Public()); (err == nil) != same {
				t.Errorf("%s verified as %s with that one's key: %v", signed, alg, err)
			}
		}
		signature[len(signature)/2] ^= 1
		if err := jwk.Verify(signed, input, signature, by.key.Public()); !errors.Is(err, jwk.ErrSignature) {
			t.Errorf("%s with a bit turned: %v", signed, err)
		}
	}
}

func TestAKeyOfAnotherKindIsNeverTried(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	hs256 := must(jwt.SigningMethodHS256.Sign(input, secret))
	for name, tt := range map[string]struct {
		alg string
		key any
	}{
		"none":                           {"none", jwt.UnsafeAllowNoneSignatureType},
		"an algorithm in small letters":  {"es256", ecKeys()["P-256"].Public()},
		"no algorithm":                   {"", ecKeys()["P-256"].Public()},
		"no key":                         {"ES256", nil},
		"ES256 with a key on P-521":      {"ES256", ecKeys()["P-521"].Public()},
		"a private key":                  {"ES256", ecKeys()["P-256"]},
		"a secret":                       {"RS256", secret},
		"HS256 with a secret":            {"HS256", secret},
		"HS256 with an Ed25519 key":      {"HS256", edKey().Public()},
		"EdDSA with the bytes of a key":  {"EdDSA", []byte(edKey())[32:]},
		"RS256 with a key that is no *":  {"RS256", rsaKey().PublicKey},
		"an algorithm of key agreement":  {"ECDH-ES", ecKeys()["P-256"].Public()},
		"an algorithm of key encryption": {"RSA-OAEP", rsaKey().Public()},
	} {
		if err := jwk.Verify(tt.alg, input, hs256, tt.key); !errors.Is(err, jwk.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// RFC 7518 section 3.5: the salt is as long as the hash. Signatures with
// another one verify with a key's own RSA-PSS, but are no PS256.
func TestThePSSSaltIsAsLongAsTheHash(t *testing.T) {
	key := rsaKey()
	for alg, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		h := hash.New()
		h.Write([]byte(input))
		digest := h.Sum(nil)
		signatures := map[int][]byte{0: emptySalt(t, key, hash, digest)} // to crypto/rsa, 0 means any
		for _, salt := range []int{1, hash.Size() - 1, hash.Size(), hash.Size() + 1, key.Size() - 2 - hash.Size()} {
			signatures[salt] = must(rsa.SignPSS(rand.Reader, key, hash, digest, &rsa.PSSOptions{SaltLength: salt}))
		}
		for salt, signature := range signatures {
			if err := jwk.Verify(alg, input, signature, key.Public()); (err == nil) != (salt == hash.Size()) {
				t.Errorf("%s with a salt of %d bytes: %v", alg, salt, err)
			}
		}
	}
}

func TestHMACs(t *testing.T) {
	for alg, length := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		secret := make([]byte, length)
		signature := must(jwt.GetSigningMethod(alg).Sign(input, secret))
		if err := jwk.VerifyMAC(alg, input, signature, secret); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		secret[0] = 1
		if err := jwk.VerifyMAC(alg, input, signature, secret); !errors.Is(err, jwk.ErrSignature) {
			t.Errorf("%s with another secret: %v", alg, err)
		}
		if got := jwk.MinSecret(alg); got != length || !jwk.IsHMAC(alg) || jwk.IsAsymmetric(alg) {
			t.Errorf("%s: at least %d bytes", alg, got)
		}
	}
	for _, alg := range append(jwk.Algorithms(), "none", "", "hs256") {
		if err := jwk.VerifyMAC(alg, input, nil, nil); !errors.Is(err, jwk.ErrMismatch) || jwk.IsHMAC(alg) || jwk.MinSecret(alg) != 0 {
			t.Errorf("%q as an HMAC: %v", alg, err)
		}
	}
}

func TestTheListOfAlgorithmsIsTheCallers(t *testing.T) {
	want := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
	names := jwk.Algorithms()
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	names[0] = "none"
	if jwk.IsAsymmetric("none") || jwk.Algorithms()[0] != "RS256" {
		t.Error("the list was changed from outside")
	}
}

// emptySalt signs as RFC 8017 section 9.1.1 does with a salt of 0 bytes, which
// crypto/rsa does not offer.
func emptySalt(t *testing.T, key *rsa.PrivateKey, hash crypto.Hash, digest []byte) []byte {
	t.Helper()
	sum := func(parts ...[]byte) []byte {
		h := hash.New()
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	length := key.Size()
	h := sum(make([]byte, 8), digest)
	masked := make([]byte, length-len(h)-1)
	masked[len(masked)-1] = 1
	for i := range masked { // MGF1, RFC 8017 appendix B.2.1
		masked[i] ^= sum(h, []byte{0, 0, 0, byte(i / len(h))})[i%len(h)]
	}
	masked[0] &= 0x7f
	encoded := append(append(masked, h...), 0xbc)
	signature := new(big.Int).Exp(new(big.Int).SetBytes(encoded), key.D, key.N).FillBytes(make([]byte, length))
	if err := rsa.VerifyPSS(&key.PublicKey, hash, digest, signature, nil); err != nil {
		t.Fatalf("the signature with an empty salt is not one of RSA-PSS at all: %v", err)
	}
	return signature
}

// Every request with a new token comes through here.
func TestVerifyAllocatesNoMoreThanTheMethod(t *testing.T) {
	for _, alg := range []string{"RS256", "EdDSA"} {
		by := signers()[alg]
		signature, public := must(by.method.Sign(input, by.key)), by.key.Public()
		own := testing.AllocsPerRun(20, func() { _ = by.method.Verify(input, signature, public) })
		if got := testing.AllocsPerRun(20, func() { _ = jwk.Verify(alg, input, signature, public) }); got > own {
			t.Errorf("%s: %v allocations, %v of them the method's", alg, got, own)
		}
	}
}
