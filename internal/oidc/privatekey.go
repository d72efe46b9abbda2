package oidc

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// assertor has the client's private key, parsed.
type assertor struct {
	pem  Secret
	last atomic.Pointer[signingKey]
}

// signingKey is a private key and how it signs.
type signingKey struct {
	jwk.Private
	text   []byte // the PEM that it was parsed from
	method jwt.SigningMethod
}

// key is the key at a time. Its file may be replaced; one that cannot be used is
// an error, and not the last good one: the secret's own room keeps what can be
// read.
func (a *assertor) key(now time.Time) (*signingKey, error) {
	text := a.pem(now)
	if last := a.last.Load(); last != nil && bytes.Equal(last.text, text) {
		return last, nil
	}
	private, err := jwk.ParsePrivate(text)
	if err != nil {
		return nil, err
	}
	key := &signingKey{private, bytes.Clone(text), jwt.GetSigningMethod(private.Algorithm)}
	a.last.Store(key)
	return key, nil
}
