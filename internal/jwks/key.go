package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"slices"

	"github.com/MicahParks/jwkset"
)

// minRSA is the shortest RSA key in use, in bits (RFC 7518 section 3.3);
// maxRSA bounds the cost of one signature.
const (
	minRSA = 2048
	maxRSA = 16384
)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// Members of a JWK (RFC 7517 section 4, RFC 7518 section 6) that are read, and
// those that no public key has. Certificates are not read: they prove nothing
// here.
var (
	publicMembers  = []string{"kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"}
	privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
)

// usableKey reads one public signature key.
func usableKey(member any) (jwkset.JWK, bool) {
	object, _ := member.(map[string]any)
	if len(object) == 0 || !forVerifying(object) {
		return jwkset.JWK{}, false
	}
	// encoding/json takes names in any letter case, so it is given only the
	// names that RFC 7517 defines, spelled as there.
	read := map[string]any{}
	for _, name := range publicMembers {
		if value, there := object[name]; there {
			read[name] = value
		}
	}
	raw, err := json.Marshal(read)
	if err != nil {
		return jwkset.JWK{}, false
	}
	key, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, false
	}
	return key, slices.ContainsFunc(algorithms, func(alg string) bool { return fits(key, alg) })
}

// PublicKey reads one JWK, of strictjson values, that may verify alg: the same
// keys as in a set, and no others.
func PublicKey(members map[string]any, alg string) (crypto.PublicKey, bool) {
	key, ok := usableKey(members)
	if !ok || !slices.Contains(algorithms, alg) || !fits(key, alg) {
		return nil, false
	}
	return key.Key(), true
}

// forVerifying judges a key by use, key_ops and alg (RFC 7517 sections 4.2 to
// 4.4), each of which may be missing, and by its having no private member.
func forVerifying(object map[string]any) bool {
	for _, name := range privateMembers {
		if _, there := object[name]; there {
			return false
		}
	}
	if use, there := object["use"]; there && use != "sig" {
		return false
	}
	if ops, there := object["key_ops"]; there {
		if list, _ := ops.([]any); !slices.Contains(list, any("verify")) {
			return false
		}
	}
	alg, there := object["alg"]
	name, _ := alg.(string)
	return !there || slices.Contains(algorithms, name)
}

// fits tells whether a usable key may verify alg: by its own alg, type, size
// and curve.
func fits(key jwkset.JWK, alg string) bool {
	if own := key.Marshal().ALG.String(); own != "" && own != alg {
		return false
	}
	switch k := key.Key().(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return (alg[0] == 'R' || alg[0] == 'P') && bits >= minRSA && bits <= maxRSA && k.E >= 3 && k.E%2 == 1
	case *ecdsa.PublicKey:
		return curves[alg] != nil && k.Curve == curves[alg]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}
