package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"time"
)

// Proof is what a good DPoP proof says (RFC 9449 section 4.2).
type Proof struct {
	Key         crypto.Signer // signs, and its public half is the jwk
	Method, URL string        // htm and htu
	Token       string        // what ath is the hash of
	ID          string        // jti
	At          time.Time     // iat
}

// ProofDraft is a proof that nobody signed yet: a test may change or take out
// what it likes. Alg and Key sign, whatever the header says.
type ProofDraft struct {
	Header, Claims map[string]any
	Alg            string
	Key            any
}

// Draft is the proof before it is signed.
func (p Proof) Draft() *ProofDraft {
	alg := algorithmOf(p.Key)
	return &ProofDraft{
		Header: map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": JWK(p.Key)},
		Claims: map[string]any{
			"jti": p.ID, "htm": p.Method, "htu": p.URL, "iat": p.At.Unix(), "ath": TokenHash(p.Token),
		},
		Alg: alg, Key: p.Key,
	}
}

// String is the signed proof.
func (p Proof) String() string { return p.Draft().String() }

// String is the proof, signed as it stands.
func (d *ProofDraft) String() string { return Sign(d.Alg, d.Key, JSON(d.Header), JSON(d.Claims)) }

// TokenHash is the ath of a token (RFC 9449 section 4.2).
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return Base64URL(sum[:])
}

// algorithmOf is the shortest algorithm that a key can sign with.
func algorithmOf(key crypto.Signer) string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return "RS256"
	case *ecdsa.PrivateKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[k.Params().Name]
	case ed25519.PrivateKey:
		return "EdDSA"
	}
	panic(fmt.Sprintf("forge: no algorithm is known of a %T", key))
}
