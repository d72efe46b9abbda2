// Package issuer is an OpenID provider in Auth0's shape for tests: discovery,
// JWKS, rotation, tokens with any claims, faults and counters. It must not
// know who verifies its tokens.
package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultAudience is the aud of a token that asks for no other.
const DefaultAudience = "https://api.example.com"

// Options say where the issuer is.
type Options struct {
	Addr string // "" is 127.0.0.1:0
	URL  string // its name in iss, with a slash at the end; "" is http://ADDR/
}

// Issuer is a running provider.
type Issuer struct {
	server http.Server
	url    string

	mu       sync.Mutex
	rsa      []*rsa.PrivateKey // previous, current, next
	serial   int               // of rsa[0], for its kid
	revoked  bool              // previous left the set
	others   map[string]crypto.Signer
	rogue    map[string]crypto.Signer
	faults   map[string]fault
	counters map[string]int
}

const (
	previous = iota
	current
	next
)

// Start makes its keys and listens.
func Start(opt Options) (*Issuer, error) {
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", opt.Addr)
	if err != nil {
		return nil, err
	}
	i := &Issuer{url: opt.URL, faults: map[string]fault{}, counters: map[string]int{}}
	if i.url == "" {
		i.url = "http://" + l.Addr().String() + "/"
	}
	if err := i.makeKeys(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	i.server = http.Server{Handler: i.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := i.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return i, nil
}

// URL is the issuer's name, as in iss, with a slash at the end.
func (i *Issuer) URL() string { return i.url }

// Close ends it.
func (i *Issuer) Close() error { return i.server.Close() }

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

func (i *Issuer) makeKeys() error {
	for range 3 {
		if err := i.addRSA(); err != nil {
			return err
		}
	}
	var err error
	if i.others, err = otherKeys(); err != nil {
		return err
	}
	if i.rogue, err = otherKeys(); err != nil {
		return err
	}
	i.rogue["RSA"], err = rsa.GenerateKey(rand.Reader, 2048)
	return err
}

func (i *Issuer) addRSA() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	i.rsa = append(i.rsa, key)
	return err
}

func otherKeys() (map[string]crypto.Signer, error) {
	keys := map[string]crypto.Signer{}
	for alg, curve := range curves {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		keys[alg] = key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	keys["EdDSA"] = ed
	return keys, err
}

// Rotate makes the next key the current one, the current one the previous one
// and a new one the next, as Auth0 does.
func (i *Issuer) Rotate() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.addRSA(); err != nil {
		return err
	}
	i.rsa, i.serial, i.revoked = i.rsa[1:], i.serial+1, false
	return nil
}

// Revoke takes the previous key out of the set.
func (i *Issuer) Revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked = true
}

func (i *Issuer) kid(which int) string { return fmt.Sprintf("rsa-%d", i.serial+which) }

// keySet is the JWKS document: RSA keys without alg restriction would verify
// PS256 too, so they carry none here.
func (i *Issuer) keySet() map[string]any {
	keys := []any{}
	for n := range i.rsa {
		if n == previous && i.revoked {
			continue
		}
		public := i.rsa[n].PublicKey
		keys = append(keys, map[string]any{
			"kty": "RSA", "use": "sig", "kid": i.kid(n), "n": encode(public.N.Bytes()), "e": "AQAB",
		})
	}
	for _, alg := range slices.Sorted(maps.Keys(i.others)) {
		member := map[string]any{"use": "sig", "alg": alg, "kid": strings.ToLower(alg)}
		switch public := i.others[alg].Public().(type) {
		case *ecdsa.PublicKey:
			point, err := public.Bytes() // 4, x, y (SEC 1 section 2.3.3)
			if err != nil {
				continue
			}
			half := (len(point) - 1) / 2
			member["kty"], member["crv"] = "EC", public.Params().Name
			member["x"], member["y"] = encode(point[1:1+half]), encode(point[1+half:])
		case ed25519.PublicKey:
			member["kty"], member["crv"], member["x"] = "OKP", "Ed25519", encode(public)
		}
		keys = append(keys, member)
	}
	return map[string]any{"keys": keys}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// MintRequest asks for a token.
type MintRequest struct {
	Claims    map[string]any `json:"claims"`     // over the defaults
	Omit      []string       `json:"omit"`       // claims to leave out
	Header    map[string]any `json:"header"`     // over alg, typ and kid
	Alg       string         `json:"alg"`        // "" is RS256
	Key       string         `json:"key"`        // current (default), next, previous, rogue, none
	Secret    string         `json:"secret"`     // for HS256/384/512
	ExpiresIn int64          `json:"expires_in"` // seconds; 0 is an hour; may be negative
}

// Mint makes a token in Auth0's shape. A rogue key signs under the kid of the
// good one.
func (i *Issuer) Mint(r MintRequest) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Alg == "" {
		r.Alg = "RS256"
	}
	if r.ExpiresIn == 0 {
		r.ExpiresIn = 3600
	}
	now := time.Now().Unix()
	claims := jwt.MapClaims{
		"iss": i.url, "sub": "auth0|user-1", "aud": DefaultAudience,
		"iat": now, "exp": now + r.ExpiresIn, "azp": "client-1",
	}
	maps.Copy(claims, r.Claims)
	for _, name := range r.Omit {
		delete(claims, name)
	}
	method := jwt.GetSigningMethod(r.Alg)
	if method == nil {
		return "", fmt.Errorf("unknown alg %q", r.Alg)
	}
	key, kid, err := i.signingKey(r)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	maps.Copy(token.Header, r.Header)
	return token.SignedString(key)
}

func (i *Issuer) signingKey(r MintRequest) (key any, kid string, err error) {
	which, known := map[string]int{"": current, "current": current, "next": next, "previous": previous, "rogue": current, "none": current}[r.Key]
	if !known {
		return nil, "", fmt.Errorf("unknown key %q", r.Key)
	}
	switch {
	case r.Alg == "none":
		return jwt.UnsafeAllowNoneSignatureType, i.kid(which), nil
	case strings.HasPrefix(r.Alg, "HS"):
		return []byte(r.Secret), i.kid(which), nil
	case strings.HasPrefix(r.Alg, "RS"), strings.HasPrefix(r.Alg, "PS"):
		if r.Key == "rogue" {
			return i.rogue["RSA"], i.kid(which), nil
		}
		return i.rsa[which], i.kid(which), nil
	case r.Key == "rogue":
		return i.rogue[r.Alg], strings.ToLower(r.Alg), nil
	}
	return i.others[r.Alg], strings.ToLower(r.Alg), nil
}
