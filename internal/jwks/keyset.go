package jwks

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// keySet is an issuer's usable keys at one time. Once a provider has it, it is
// immutable.
type keySet struct {
	keys        []jwkset.JWK
	skipped     int
	byAlg       map[string]algKeys
	kids        map[string]bool
	fingerprint [sha256.Size]byte // equal for sets that verify the same

	fetched    time.Time
	generation uint64
	maxAge     *time.Duration // of Cache-Control
	validators validators
}

// algKeys is the keys that fit one algorithm.
type algKeys struct {
	byKid map[string]crypto.PublicKey
	only  crypto.PublicKey // nil: more than one, or none
}

// readSet reads a JWKS (RFC 7517 section 5). Keys are judged one by one; a set
// without a usable one is an error.
func readSet(document []byte) (*keySet, error) {
	list, repeats, err := readList(document)
	if err != nil {
		return nil, err
	}
	set := &keySet{byAlg: map[string]algKeys{}, kids: map[string]bool{}}
	for i, member := range list {
		key, ok := usableKey(member)
		if !ok || repeats[strconv.Itoa(i)] {
			set.skipped++
			continue
		}
		set.keys = append(set.keys, key)
		if kid := key.Marshal().KID; kid != "" {
			set.kids[kid] = true
		}
	}
	if len(set.keys) == 0 {
		return nil, &fetchError{kind: FailedNoKey, at: atJWKS}
	}
	for _, alg := range algorithms {
		fitting := slices.DeleteFunc(slices.Clone(set.keys), func(key jwkset.JWK) bool { return !fits(key, alg) })
		keys, err := keysFor(alg, fitting)
		if err != nil {
			return nil, err
		}
		set.byAlg[alg] = keys
	}
	set.fingerprint = fingerprint(set.keys)
	return set, nil
}

// keysFor looks every kid up through keyfunc, once for all requests; it
// compares a key's alg and use with the token's once more.
func keysFor(alg string, fitting []jwkset.JWK) (keys algKeys, err error) {
	lookup, err := keyfunc.New(keyfunc.Options{
		Storage: newStorage(fitting), UseWhitelist: []jwkset.USE{jwkset.UseSig, ""},
	})
	if err != nil {
		return keys, fmt.Errorf("jwks: %w", err)
	}
	keys.byKid = map[string]crypto.PublicKey{}
	for _, key := range fitting {
		kid := key.Marshal().KID
		if kid == "" {
			continue
		}
		if public, err := lookup.Keyfunc(&jwt.Token{Header: map[string]any{"kid": kid, "alg": alg}}); err == nil {
			keys.byKid[kid] = public
		}
	}
	if len(fitting) == 1 {
		keys.only = fitting[0].Key()
	}
	return keys, nil
}

// readList reads the list of keys, and the indices of those that have a member
// twice. Such a key is malformed, and no reason to drop its neighbours.
func readList(document []byte) (list []any, repeats map[string]bool, err error) {
	malformed := &fetchError{kind: FailedMalformed, at: atJWKS}
	repeats = map[string]bool{}
	var outside bool
	v, err := strictjson.Parse(document, strictjson.Options{OnDuplicate: func(pointer string) {
		rest, inKeys := strings.CutPrefix(pointer, "/keys/")
		index, _, inKey := strings.Cut(rest, "/")
		if !inKeys || !inKey {
			outside = true
			return
		}
		repeats[index] = true
	}})
	members, _ := v.(map[string]any)
	list, ok := members["keys"].([]any)
	if err != nil || outside || !ok {
		return nil, nil, malformed
	}
	return list, repeats, nil
}

// fingerprint is the same for two lists of keys that differ only in the order
// of keys with different kids.
func fingerprint(keys []jwkset.JWK) [sha256.Size]byte {
	lines := make([]string, 0, len(keys))
	nth := map[string]int{}
	for _, key := range keys {
		m := key.Marshal()
		line, _ := json.Marshal([]string{
			m.KID, strconv.Itoa(nth[m.KID]),
			m.KTY.String(), m.ALG.String(), m.CRV.String(), m.N, m.E, m.X, m.Y,
		}) // strings always marshal
		nth[m.KID]++
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return sha256.Sum256([]byte(strings.Join(lines, "\n")))
}

// has tells whether any usable key has that kid, whatever its algorithm.
func (s *keySet) has(kid string) bool { return s.kids[kid] }

// find is the key of a token's header. keyfunc offers all keys to a token
// without kid; here it takes the only one that fits.
func (s *keySet) find(kid string, hasKid bool, alg string) (Key, error) {
	keys := s.byAlg[alg]
	public := keys.only
	if hasKid {
		public = keys.byKid[kid] // never that of an empty kid, which names no key
	}
	if public == nil {
		return Key{}, ErrUnknownKey
	}
	return Key{public, s.generation}, nil
}
