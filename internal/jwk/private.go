package jwk

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
)

// ErrPrivateKey is the error of [ParsePrivate]. It holds nothing of the key.
var ErrPrivateKey = errors.New("the private key is not one PEM block with an RSA key of at least 2048 bits, a P-256 or an Ed25519 key, not encrypted")

const minPrivateRSABits = 2048 // RFC 7518 section 3.3

// Private is a private key, and the one algorithm that its kind signs with.
type Private struct {
	Signer    crypto.Signer
	Algorithm string // RS256, ES256 or EdDSA
}

// ParsePrivate reads the one private key of a PEM text (RFC 7468): PKCS#8, PKCS#1
// or SEC 1. Every error is [ErrPrivateKey], since those of x509 might quote the key.
func ParsePrivate(text []byte) (Private, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return Private{}, ErrPrivateKey
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
		return Private{}, ErrPrivateKey
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() >= minPrivateRSABits {
			return Private{k, "RS256"}, nil
		}
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return Private{k, "ES256"}, nil
		}
	case ed25519.PrivateKey:
		return Private{k, "EdDSA"}, nil
	}
	return Private{}, ErrPrivateKey
}
