package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

// The shared keys of a test binary, each made when it is first asked for. Those
// of one kind are different keys.
var (
	RSA      = sync.OnceValue(func() *rsa.PrivateKey { return NewRSA(2048) })
	OtherRSA = sync.OnceValue(func() *rsa.PrivateKey { return NewRSA(2048) })
	ThirdRSA = sync.OnceValue(func() *rsa.PrivateKey { return NewRSA(2048) })
	// AttackerRSA stands in no set that anyone trusts.
	AttackerRSA = sync.OnceValue(func() *rsa.PrivateKey { return NewRSA(2048) })
	// WeakRSA has 1024 bits, fewer than the 2048 of RFC 7518 section 3.3.
	WeakRSA = sync.OnceValue(func() *rsa.PrivateKey { return NewRSA(1024) })

	P256      = sync.OnceValue(func() *ecdsa.PrivateKey { return NewEC(elliptic.P256()) })
	OtherP256 = sync.OnceValue(func() *ecdsa.PrivateKey { return NewEC(elliptic.P256()) })
	P384      = sync.OnceValue(func() *ecdsa.PrivateKey { return NewEC(elliptic.P384()) })
	P521      = sync.OnceValue(func() *ecdsa.PrivateKey { return NewEC(elliptic.P521()) })

	Ed25519 = sync.OnceValue(NewEd25519)
)

// NewRSA makes a key that nobody shares.
func NewRSA(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }

// NewEC makes a key that nobody shares.
func NewEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

// NewEd25519 makes a key that nobody shares.
func NewEd25519() ed25519.PrivateKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return must(private, err)
}

// publicOf is the public key of a private one, and any other key as it is.
func publicOf(key any) any {
	if private, ok := key.(crypto.Signer); ok {
		return private.Public()
	}
	return key
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
