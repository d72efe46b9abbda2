package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

// minRSABits is RFC 7518 section 3.3.
const minRSABits = 2048

// privateMembers are the JWK members that hold a secret (RFC 7518 sections
// 6.2.2, 6.3.2 and 6.4.1).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// jwks reads a JWK Set (RFC 7517 section 5) with at least one key that can
// verify a signature, and gives it as JSON.
func (v value) jwks(i *Issuer) []byte {
	const want = `a JWK Set: an object with a list of public keys, "keys"`
	v.hidden = true
	o, ok := v.object(want)
	if !ok {
		return nil
	}
	keys, ok := o.get("keys")
	if !ok {
		v.refuse(want)
		return nil
	}
	before := len(v.r.problems)
	var usable [][]string
	for _, e := range keys.elements("a list with at least one public key") {
		if algorithms := e.jwk(); algorithms != nil {
			usable = append(usable, algorithms)
		}
	}
	if len(v.r.problems) > before {
		return nil
	}
	if len(usable) == 0 {
		keys.refuse("at least one usable key: RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519, " +
			`well-formed, and without "use" or with "sig"`)
		return nil
	}
	if !slices.ContainsFunc(usable, func(names []string) bool { return shareAny(names, i.Algorithms) }) {
		v.r.warn(keys.path, "no key fits any of the algorithms "+strings.Join(i.Algorithms, ", ")+": every token will be refused")
	}
	document, err := json.Marshal(v.json)
	if err != nil {
		v.refuse(want)
	}
	return document
}

func shareAny(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// jwk refuses a key with secrets in it. It gives the algorithms that the key
// can verify, none for a key that is of no use here: a set may hold such keys
// (RFC 7517 section 5).
func (v value) jwk() []string {
	o, ok := v.object(`a JWK: an object with "kty"`)
	if !ok {
		return nil
	}
	secret := false
	for _, name := range o.given(privateMembers...) {
		m, _ := o.get(name)
		m.refuseHidden("public keys only: take this private or symmetric key out, and replace it everywhere")
		secret = true
	}
	kty, ok := o.get("kty")
	if _, text := kty.json.(string); !ok || !text {
		kty.r.refuse(kty.path, kind(kty.json), `"RSA", "EC" or "OKP"`)
		return nil
	}
	if kty.json == "oct" {
		kty.refuse(`a public key: "RSA", "EC" or "OKP"; symmetric keys are refused here`)
		return nil
	}
	if use, ok := o.get("use"); secret || ok && use.json != "sig" {
		return nil
	}
	return o.verifies()
}

// verifies are the algorithms whose signatures the key can check, by its type
// and its own alg.
func (o object) verifies() []string {
	raw, err := json.Marshal(o.members)
	if err != nil {
		return nil
	}
	parsed, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil
	}
	fit := fitting(parsed.Key())
	alg, ok := o.get("alg")
	if !ok {
		return fit
	}
	if name, _ := alg.json.(string); slices.Contains(fit, name) {
		return []string{name}
	}
	return nil
}

func fitting(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits && key.E >= 3 {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		// Each of the three goes with one curve (RFC 7518 section 3.4).
		return map[string][]string{"P-256": {"ES256"}, "P-384": {"ES384"}, "P-521": {"ES512"}}[key.Params().Name]
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
