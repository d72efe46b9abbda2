// Package jwk knows what a JSON Web Key (RFC 7517) is good for: the algorithms,
// which key may verify which of them, which of them a private key signs with, and
// a key's thumbprint. The configuration, an issuer's key sets, clients of an issuer
// and DPoP proofs all ask it, so that they cannot disagree. It must not know where
// a key comes from.
package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"slices"

	"github.com/MicahParks/jwkset"
)

// The reasons why a key is not used. They hold nothing of the key, and are
// written to follow "not used: " in a message.
var (
	ErrPrivate   = errors.New("the key is private")
	ErrSymmetric = errors.New("the key is symmetric")
	ErrMalformed = errors.New("the key is malformed: a member is missing, or not as RFC 7518 section 6 has it")
	ErrType      = errors.New(`the key's "kty" is not "RSA", "EC" or "OKP"`)
	ErrUse       = errors.New(`the key's "use" is not "sig"`)
	ErrKeyOps    = errors.New(`the key's "key_ops" is not a list with "verify"`)
	ErrAlgorithm = errors.New(`the key's "alg" is not one that a key of its type verifies here`)
	ErrCurve     = errors.New("the key's curve is not P-256, P-384, P-521 or Ed25519")
	ErrSize      = errors.New("the key's RSA modulus has too few or too many bits")
	ErrExponent  = errors.New("the key's RSA exponent is even, too small or too large")
)

// bounds keep what an RSA key costs to verify with within reason.
type bounds struct {
	maxBits                  int
	minExponent, maxExponent int
}

// minBits is the shortest RSA key in use (RFC 7518 section 3.3).
const minBits = 2048

var (
	// Go's crypto/rsa takes no exponent of more than 31 bits.
	trusted = bounds{maxBits: 16384, minExponent: 3, maxExponent: 1<<31 - 1}
	// Anybody can send a proof. With the most costly trusted key its signature
	// takes over 10 ms of a core, with these a fraction of 1 ms.
	untrusted = bounds{maxBits: 4096, minExponent: 65537, maxExponent: 65537}
)

// secretMembers hold a secret (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// Key is a public key that may verify signatures. The zero Key verifies none.
type Key struct {
	material   jwkset.JWK
	public     crypto.PublicKey
	id         string
	algorithms []string
}

// Parse judges a key that the operator or an issuer gives, as an object of
// strictjson values. The error is one of this package's reasons. RSA keys have
// 2048 to 16384 bits and an odd exponent from 3 to 2^31-1.
//
// Only the members of RFC 7517 sections 4.1 to 4.5 and RFC 7518 section 6 are
// read, by their exact names. Certificates (x5c, x5t, x5u) are not: they prove
// nothing here.
func Parse(members map[string]any) (Key, error) { return parse(members, trusted) }

// ParseUntrusted judges a key that a client brings, as in a DPoP proof. It
// differs from [Parse] only in that RSA keys have 2048 to 4096 bits and the
// exponent 65537.
func ParseUntrusted(members map[string]any) (Key, error) { return parse(members, untrusted) }

// Secrets are the names of a key's members that hold a secret.
func Secrets(members map[string]any) []string {
	var names []string
	for _, name := range secretMembers {
		if _, there := members[name]; there {
			names = append(names, name)
		}
	}
	return names
}

// ID is the key's kid, or "" where it has none.
func (k Key) ID() string { return k.id }

// Public is an *[rsa.PublicKey], *[ecdsa.PublicKey] or [ed25519.PublicKey].
func (k Key) Public() crypto.PublicKey { return k.public }

// Material is the key alone, without its kid and what it says it is for.
func (k Key) Material() jwkset.JWK { return k.material }

// Algorithms are those that the key may verify: at least one.
func (k Key) Algorithms() []string { return slices.Clone(k.algorithms) }

// Fits reports whether the key may verify alg, by its type, its curve and its
// own alg, where it names one. EdDSA and Ed25519 each fit a key that names the
// other.
func (k Key) Fits(alg string) bool { return slices.Contains(k.algorithms, alg) }

func parse(members map[string]any, limits bounds) (Key, error) {
	kty, _ := members["kty"].(string)
	switch {
	case kty == "oct":
		return Key{}, ErrSymmetric
	case len(Secrets(members)) > 0:
		return Key{}, ErrPrivate
	case kty != "RSA" && kty != "EC" && kty != "OKP":
		return Key{}, ErrType
	}
	if err := purpose(members); err != nil {
		return Key{}, err
	}
	parsed, public, err := material(members, limits)
	if err != nil {
		return Key{}, err
	}
	key := Key{material: parsed, public: public}
	if key.id, err = text(members, "kid"); err != nil {
		return Key{}, err
	}
	own, _ := members["alg"].(string)
	if key.algorithms = algorithmsOf(public, own); len(key.algorithms) == 0 {
		return Key{}, ErrAlgorithm
	}
	return key, nil
}

// purpose judges a key by what it says it is for (RFC 7517 sections 4.2 to
// 4.4); each of the members may be missing.
func purpose(members map[string]any) error {
	if use, there := members["use"]; there && use != "sig" {
		return ErrUse
	}
	if ops, there := members["key_ops"]; there {
		if list, _ := ops.([]any); !slices.Contains(list, any("verify")) {
			return ErrKeyOps
		}
	}
	if alg, there := members["alg"]; there {
		if name, _ := alg.(string); !IsAsymmetric(name) {
			return ErrAlgorithm
		}
	}
	return nil
}

// material reads the key itself.
func material(members map[string]any, limits bounds) (parsed jwkset.JWK, public crypto.PublicKey, err error) {
	var read [6]string
	for i, name := range [...]string{"kty", "crv", "x", "y", "n", "e"} {
		if read[i], err = text(members, name); err != nil {
			return parsed, nil, err
		}
	}
	parsed, err = jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(read[0]), CRV: jwkset.CRV(read[1]), X: read[2], Y: read[3], N: read[4], E: read[5],
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	switch {
	case errors.Is(err, jwkset.ErrUnsupportedKey):
		return parsed, nil, ErrCurve
	case err != nil && errors.Is(err, jwkset.ErrInvalidKey) && read[0] == "RSA":
		return parsed, nil, ErrExponent
	case err != nil:
		return parsed, nil, ErrMalformed
	}
	switch k := parsed.Key().(type) {
	case *rsa.PublicKey:
		return parsed, k, limits.judge(k)
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return parsed, k, nil
	}
	return parsed, nil, ErrCurve // one for key agreement
}

func (b bounds) judge(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minBits || bits > b.maxBits:
		return ErrSize
	case key.E < b.minExponent || key.E > b.maxExponent || key.E%2 == 0:
		return ErrExponent
	case key.N.Bit(0) == 0: // crypto/rsa takes it for no key at all
		return ErrMalformed
	}
	return nil
}

// text is a member that, where it is there, has to be a string.
func text(members map[string]any, name string) (string, error) {
	v, there := members[name]
	s, ok := v.(string)
	if there && !ok {
		return "", ErrMalformed
	}
	return s, nil
}
