package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// minRSA is the shortest RSA key in use, in bits (RFC 7518 section 3.3);
// maxRSA bounds the cost of one signature.
const (
	minRSA = 2048
	maxRSA = 16384
)

// keySet is an issuer's usable keys at one time. It is immutable.
type keySet struct {
	keys       []jwkset.JWK
	byAlg      map[string]keyfunc.Keyfunc
	fetched    time.Time
	generation uint64
}

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// readSet reads a JWKS (RFC 7517 section 5). Keys are judged one by one; a set
// without a usable one is an error.
func readSet(document []byte) (*keySet, error) {
	v, err := strictjson.Parse(document, strictjson.Options{})
	if err != nil {
		return nil, errors.New("jwks: " + err.Error())
	}
	members, _ := v.(map[string]any)
	list, ok := members["keys"].([]any)
	if !ok {
		return nil, errors.New("jwks: no list of keys")
	}
	set := &keySet{byAlg: map[string]keyfunc.Keyfunc{}, generation: 1}
	for _, member := range list {
		if key, ok := usableKey(member); ok {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("jwks: no usable key")
	}
	for _, alg := range algorithms {
		var fitting []jwkset.JWK
		for _, key := range set.keys {
			if fits(key, alg) {
				fitting = append(fitting, key)
			}
		}
		if set.byAlg[alg], err = keyfunc.New(keyfunc.Options{Storage: newStorage(fitting)}); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// usableKey reads one public signature key.
func usableKey(member any) (jwkset.JWK, bool) {
	object, ok := member.(map[string]any)
	if !ok {
		return jwkset.JWK{}, false
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, there := object[private]; there {
			return jwkset.JWK{}, false
		}
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return jwkset.JWK{}, false
	}
	key, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, false
	}
	return key, slices.ContainsFunc(algorithms, func(alg string) bool { return fits(key, alg) })
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// fits tells whether a key may verify alg: by its type, size and curve, and by
// its own use, key_ops and alg (RFC 7517 sections 4.2 to 4.4).
func fits(key jwkset.JWK, alg string) bool {
	meta := key.Marshal()
	if meta.USE != "" && meta.USE != jwkset.UseSig ||
		meta.ALG != "" && meta.ALG.String() != alg ||
		len(meta.KEYOPS) > 0 && !slices.Contains(meta.KEYOPS, jwkset.KeyOpsVerify) {
		return false
	}
	switch k := key.Key().(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return (alg[0] == 'R' || alg[0] == 'P') && bits >= minRSA && bits <= maxRSA
	case *ecdsa.PublicKey:
		return curves[alg] != nil && k.Curve == curves[alg]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// has tells whether any usable key has that kid, whatever its algorithm.
func (s *keySet) has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k jwkset.JWK) bool { return k.Marshal().KID == kid })
}

func (s *keySet) find(kid string, hasKid bool, alg string) (Key, error) {
	keys := s.byAlg[alg]
	if keys == nil {
		return Key{}, ErrUnknownKey
	}
	if !hasKid {
		all, err := keys.Storage().KeyReadAll(context.Background())
		if err != nil || len(all) != 1 {
			return Key{}, ErrUnknownKey
		}
		return Key{all[0].Key(), s.generation}, nil
	}
	public, err := keys.Keyfunc(&jwt.Token{Header: map[string]any{"kid": kid, "alg": alg}})
	if err != nil {
		return Key{}, ErrUnknownKey
	}
	return Key{public, s.generation}, nil
}
