package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// Purpose is what something is sealed for. What was sealed for one opens for no
// other.
type Purpose uint8

// The purposes.
const (
	ForSession     Purpose = iota // a session in its cookies
	ForState                      // the parameter state of an authorization request
	ForTransaction                // what the browser keeps of a login under way
	ForRecord                     // a session in Redis
	ForSuccessor                  // what a refresh made of a session, for other processes
	purposes
)

// labels stand in the derivation of keys; a label is never given to another purpose.
var labels = [purposes]string{"session", "state", "transaction", "record", "successor"}

const (
	saltSize = 16
	// overhead is what sealing adds: a salt and the tag of GCM.
	overhead  = saltSize + 16
	maxSealed = 512 << 10
	maxText   = 8 << 10 // nginx takes no longer line of a header
)

// ErrSealed is all that is said of what does not open.
var ErrSealed = errors.New("it does not open")

// encoding takes base64url without padding and without stray bits at its end.
// Line breaks, which it skips, are refused by [decode].
var encoding = base64.RawURLEncoding.Strict()

// decode is the strict inverse of base64url without padding.
func decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	data, err := encoding.DecodeString(text)
	return data, err == nil
}

// KeyID names a [Key] and says nothing of its secret.
type KeyID [16]byte

// Key is what was derived from one secret for one [Binding]: a key for each
// [Purpose]. It is not changed.
type Key struct {
	id     KeyID
	secret []byte
	of     [purposes][]byte
}

// newKey derives by HKDF-SHA256 (RFC 5869). The lengths stand before the parts of
// the binding, so that no two bindings share a key.
func newKey(secret []byte, b Binding) *Key {
	root := must(hkdf.Extract(sha256.New, secret, nil))
	expand := func(label string) []byte {
		info := prefixed([]byte("auth0-jwt v1"), []byte(label), []byte(b.Cookie), []byte(b.ClientID), []byte(b.Issuer), []byte(b.Origin))
		return must(hkdf.Expand(sha256.New, root, info, 32))
	}
	k := &Key{secret: bytes.Clone(secret)}
	copy(k.id[:], expand("name of the key"))
	for p, label := range labels {
		k.of[p] = expand(label)
	}
	return k
}

// ID is the key's name.
func (k *Key) ID() KeyID { return k.id }

// Derive gives that many bytes which nobody has without the secret, always the
// same for a seed.
func (k *Key) Derive(p Purpose, label string, seed []byte, length int) []byte {
	return must(hkdf.Expand(sha256.New, k.of[p], prefixed([]byte("derived"), []byte(label), seed), length))
}

// Seal gives plaintext sealed, as base64url without padding.
func (k *Key) Seal(p Purpose, plaintext []byte, bound ...[]byte) string {
	return encoding.EncodeToString(k.SealBytes(p, plaintext, bound...))
}

// SealBytes seals plaintext so that it opens only where the same bound texts are
// given.
//
// Each message has an AES-256-GCM key of its own, derived from the purpose's key,
// 128 random bits and the bound texts; the nonce can then be zero. With one key
// for all, random nonces of 96 bits are good for 2^32 messages, which whoever
// asks for pages can make us seal in days. Here the chance that two messages
// share a key is 2^-33 after 2^48 messages: 890 years of 10,000 a second.
func (k *Key) SealBytes(p Purpose, plaintext []byte, bound ...[]byte) []byte {
	sealed := make([]byte, saltSize, len(plaintext)+overhead)
	_, _ = rand.Read(sealed) // it never fails
	aead := k.message(p, sealed, bound)
	return aead.Seal(sealed, make([]byte, aead.NonceSize()), plaintext, nil)
}

func (k *Key) open(p Purpose, sealed []byte, bound [][]byte) ([]byte, error) {
	if len(sealed) < overhead || len(sealed) > maxSealed {
		return nil, ErrSealed
	}
	aead := k.message(p, sealed[:saltSize], bound)
	plaintext, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[saltSize:], nil)
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

func (k *Key) message(p Purpose, salt []byte, bound [][]byte) cipher.AEAD {
	info := prefixed(append([][]byte{[]byte("message"), salt}, bound...)...)
	key := must(hkdf.Expand(sha256.New, k.of[p], info, 32))
	return must(cipher.NewGCM(must(aes.NewCipher(key))))
}

// prefixed joins parts, the length before each.
func prefixed(parts ...[]byte) string {
	var b []byte
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return string(b)
}

// must is for what fails only by a mistake of this package.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
