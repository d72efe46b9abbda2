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

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// keySet is an issuer's usable keys at one time. Once a provider has it, it is
// immutable.
type keySet struct {
	keys        []jwk.Key
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
	byKid map[string]crypto.PublicKey // the first of two keys with one kid
	only  crypto.PublicKey            // nil: more than one, or none
}

// readSet reads a JWKS (RFC 7517 section 5). Keys are judged one by one; a set
// without a usable one is an error.
func readSet(document []byte) (*keySet, error) {
	list, err := split(document)
	if err != nil {
		return nil, err
	}
	set := &keySet{byAlg: map[string]algKeys{}, kids: map[string]bool{}}
	for _, text := range list {
		key, ok := readKey(text)
		if !ok {
			set.skipped++
			continue
		}
		set.keys = append(set.keys, key)
		if key.ID() != "" {
			set.kids[key.ID()] = true
		}
	}
	if len(set.keys) == 0 {
		return nil, &fetchError{kind: FailedNoKey, at: atJWKS}
	}
	for _, alg := range jwk.Algorithms() {
		if set.byAlg[alg], err = keysFor(alg, set.keys); err != nil {
			return nil, err
		}
	}
	set.fingerprint = fingerprint(set.keys)
	return set, nil
}

// readKey reads one key. Whatever is wrong with it, a member given twice or a
// string that is not Unicode, is no reason to drop its neighbours.
func readKey(text json.RawMessage) (jwk.Key, bool) {
	v, err := strictjson.Parse(text, strictjson.Options{})
	if err != nil {
		return jwk.Key{}, false
	}
	members, _ := v.(map[string]any)
	key, err := jwk.Parse(members)
	return key, err == nil
}

// keysFor looks every kid up through keyfunc, once for all requests. Which key
// may verify alg is judged by jwk alone: keyfunc sees the keys without their
// own alg, since it knows EdDSA and Ed25519 as different ones.
func keysFor(alg string, keys []jwk.Key) (found algKeys, err error) {
	fitting := slices.DeleteFunc(slices.Clone(keys), func(k jwk.Key) bool { return !k.Fits(alg) })
	lookup, err := keyfunc.New(keyfunc.Options{Storage: newStorage(fitting)})
	if err != nil {
		return found, fmt.Errorf("jwks: %w", err)
	}
	found.byKid = map[string]crypto.PublicKey{}
	for _, key := range fitting {
		if key.ID() == "" {
			continue // an empty kid names no key
		}
		own := key.Material().Marshal().ALG.String()
		if public, err := lookup.Keyfunc(&jwt.Token{Header: map[string]any{"kid": key.ID(), "alg": own}}); err == nil {
			found.byKid[key.ID()] = public
		}
	}
	if len(fitting) == 1 {
		found.only = fitting[0].Public()
	}
	return found, nil
}

// fingerprint is the same for two lists of keys that differ only in the order
// of keys with different kids.
func fingerprint(keys []jwk.Key) [sha256.Size]byte {
	lines := make([]string, 0, len(keys))
	nth := map[string]int{}
	for _, key := range keys {
		line, _ := json.Marshal([]string{
			key.ID(), strconv.Itoa(nth[key.ID()]), jwk.Thumbprint(key.Public()), strings.Join(key.Algorithms(), " "),
		}) // strings always marshal
		nth[key.ID()]++
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return sha256.Sum256([]byte(strings.Join(lines, "\n")))
}

// has reports whether any usable key has that kid, whatever its algorithm.
func (s *keySet) has(kid string) bool { return s.kids[kid] }

// find is the key of a token's header. A token without kid gets the only key
// that fits.
func (s *keySet) find(kid string, hasKid bool, alg string) (Key, error) {
	keys := s.byAlg[alg]
	public := keys.only
	if hasKid {
		public = keys.byKid[kid]
	}
	if public == nil {
		return Key{}, ErrUnknownKey
	}
	return Key{public, s.generation}, nil
}
