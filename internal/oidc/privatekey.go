package oidc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrPrivateKey means that a client's private key cannot be used.
var ErrPrivateKey = errors.New("the client's private key is not one PEM block with an RSA key of at least 2048 bits, a P-256 or an Ed25519 key, not encrypted")

const minRSABits = 2048 // RFC 7518 section 3.3

// assertor has the client's private key, parsed.
type assertor struct {
	pem  Secret
	last atomic.Pointer[signingKey]
}

// signingKey is a private key and the algorithm that its kind signs with.
type signingKey struct {
	text    []byte // the PEM that it was parsed from
	private crypto.Signer
	method  jwt.SigningMethod
}

// key is the key at a time. Its file may be replaced; one that cannot be used is
// an error, and not the last good one: the secret's own room keeps what can be
// read.
func (a *assertor) key(now time.Time) (*signingKey, error) {
	text := a.pem(now)
	if last := a.last.Load(); last != nil && bytes.Equal(last.text, text) {
		return last, nil
	}
	key, err := parsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	a.last.Store(key)
	return key, nil
}

// parsePrivateKey reads PKCS#8, PKCS#1 or SEC 1 in PEM (RFC 7468).
func parsePrivateKey(text []byte) (*signingKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, ErrPrivateKey
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, ErrPrivateKey // x509's own error might quote the key
	}
	signing := &signingKey{text: bytes.Clone(text)}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSABits {
			return nil, ErrPrivateKey
		}
		signing.private, signing.method = k, jwt.SigningMethodRS256
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, ErrPrivateKey
		}
		signing.private, signing.method = k, jwt.SigningMethodES256
	case ed25519.PrivateKey:
		signing.private, signing.method = k, jwt.SigningMethodEdDSA
	default:
		return nil, ErrPrivateKey
	}
	return signing, nil
}
