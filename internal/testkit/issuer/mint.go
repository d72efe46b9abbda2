package issuer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const defaultLifetime = 3600 // seconds

// MintRequest asks for a token.
type MintRequest struct {
	Claims map[string]any `json:"claims"` // over iss, sub, aud, iat, exp and azp
	Omit   []string       `json:"omit"`   // claims to leave out
	// Header is laid over alg, typ ("JWT", as Auth0 does) and kid; a null
	// takes a member out.
	Header map[string]any `json:"header"`
	// Alg is RS256 (default), another RS*, PS*, ES*, HS*, EdDSA, Ed25519 or none.
	Alg string `json:"alg"`
	// Key is current (default), next, previous, rogue (one that is not in the
	// set, under the kid of the current one) or none (an empty signature).
	Key       string `json:"key"`
	Secret    string `json:"secret"`     // for HS*, which name no kid
	ExpiresIn int64  `json:"expires_in"` // seconds; 0 is 3600; may be negative
}

// Mint makes a token in Auth0's shape. The error names an unknown alg or key,
// or an HS* without a secret.
func (i *Issuer) Mint(r MintRequest) (string, error) {
	if r.Alg == "" {
		r.Alg = "RS256"
	}
	method := jwt.GetSigningMethod(r.Alg)
	if r.Alg == "Ed25519" { // RFC 9864; golang-jwt knows the older name alone
		method = jwt.SigningMethodEdDSA
	}
	if method == nil {
		return "", fmt.Errorf("alg: %q is unknown: give RS256, PS256, ES256 and their longer ones, EdDSA, Ed25519, HS256 or none", r.Alg)
	}
	key, kid, err := i.signingKey(r)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, i.claims(r))
	token.Header["alg"] = r.Alg
	if kid != "" {
		token.Header["kid"] = kid
	}
	for name, value := range r.Header {
		if token.Header[name] = value; value == nil {
			delete(token.Header, name)
		}
	}
	if r.Alg == "none" || r.Key == "none" {
		input, err := token.SigningString()
		return input + ".", err
	}
	return token.SignedString(key)
}

func (i *Issuer) claims(r MintRequest) jwt.MapClaims {
	now := i.now().Unix()
	claims := jwt.MapClaims{
		"iss": i.url, "sub": "auth0|user-1", "aud": DefaultAudience,
		"iat": now, "exp": now + r.lifetime(), "azp": "client-1",
	}
	maps.Copy(claims, r.Claims)
	for _, name := range r.Omit {
		delete(claims, name)
	}
	return claims
}

func (r MintRequest) lifetime() int64 {
	if r.ExpiresIn == 0 {
		return defaultLifetime
	}
	return r.ExpiresIn
}

// signingKey is the key and the kid of a token; HS* has no kid, as with Auth0.
func (i *Issuer) signingKey(r MintRequest) (key any, kid string, err error) {
	which := current
	switch r.Key {
	case "", "current", "rogue", "none":
	case "next", "previous":
		which = slices.Index(generationNames, r.Key)
	default:
		return nil, "", fmt.Errorf("key: %q is unknown: give current, next, previous, rogue or none", r.Key)
	}
	if strings.HasPrefix(r.Alg, "HS") {
		if r.Secret == "" && r.Key != "none" {
			return nil, "", errors.New("secret: an HS* token needs one")
		}
		return []byte(r.Secret), "", nil
	}
	family, alg := r.Alg, r.Alg
	switch {
	case alg == "none":
		family, alg = rsaFamily, "RS256"
	case alg == "Ed25519":
		family, alg = "EdDSA", "EdDSA"
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		family = rsaFamily
	}
	var rogue *generation
	if r.Key == "rogue" {
		if rogue, err = i.rogue(); err != nil { // made before the lock
			return nil, "", err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	named := i.generations[which]
	signs := named
	if rogue != nil {
		signs = rogue
	}
	return signs.signers[family], named.kid(family, alg), nil
}
