package session

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// Binding is whose something sealed is. It opens for no other.
type Binding struct {
	Cookie   string // the session cookie's name, as browsers see it
	ClientID string
	Issuer   string
	Origin   string // the application's
}

// Digest names a binding: no two have the same.
func (b Binding) Digest() [32]byte {
	return sha256.Sum256([]byte(prefixed([]byte(b.Cookie), []byte(b.ClientID), []byte(b.Issuer), []byte(b.Origin))))
}

// CookieName is the name by which browsers know a cookie: on a plain http
// origin they take none whose name promises Secure.
func CookieName(name string, insecure bool) string {
	if insecure {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "__Host-"), "__Secure-")
	}
	return name
}

// Sealer seals and opens for one [Binding]. Its methods may be called by any
// goroutine.
type Sealer struct {
	binding Binding
	slots   []slot
	looked  atomic.Int64 // Unix ns of the last look at all secrets
}

// lookEvery is how long [Sealer.HeldLately] goes without a look at the secrets,
// which may read files.
const lookEvery = 10 * time.Second

// slot is a secret and the key that was derived from its present value.
type slot struct {
	source *secret.Secret
	key    atomic.Pointer[Key]
}

// NewSealer makes a sealer of at least one secret. The first seals, and all of
// them open.
func NewSealer(secrets []*secret.Secret, b Binding) *Sealer {
	s := &Sealer{binding: b, slots: make([]slot, len(secrets))}
	for i, source := range secrets {
		s.slots[i].source = source
	}
	return s
}

// Binding is whose the sealer is.
func (s *Sealer) Binding() Binding { return s.binding }

// First is the key that seals.
func (s *Sealer) First(now time.Time) *Key { return s.at(0, now) }

// at derives a key once for each value of its secret. A file that changed ends
// the key of what it said before.
func (s *Sealer) at(i int, now time.Time) *Key {
	sl := &s.slots[i]
	value := sl.source.Value(now)
	if k := sl.key.Load(); k != nil && bytes.Equal(k.secret, value) {
		return k
	}
	k := newKey(value, s.binding)
	sl.key.Store(k)
	return k
}

// Holds reports whether a key is still one of those that open.
func (s *Sealer) Holds(id KeyID, now time.Time) (held bool) {
	for i := range s.slots {
		held = s.at(i, now).id == id || held
	}
	s.looked.Store(now.UnixNano())
	return held
}

// HeldLately is Holds without I/O, as of the last look at the secrets, by Holds or
// by something that opened. It is false where that is 10 s ago: then Holds has to
// be asked.
func (s *Sealer) HeldLately(id KeyID, now time.Time) bool {
	if now.UnixNano()-s.looked.Load() >= int64(lookEvery) {
		return false
	}
	for i := range s.slots {
		if k := s.slots[i].key.Load(); k != nil && k.id == id {
			return true
		}
	}
	return false
}

// Seal is [Key.Seal] by the first key.
func (s *Sealer) Seal(p Purpose, plaintext []byte, now time.Time) string {
	return s.First(now).Seal(p, plaintext)
}

// Open opens what Seal gave. The error is [ErrSealed].
func (s *Sealer) Open(p Purpose, text string, now time.Time) ([]byte, error) {
	plaintext, _, err := s.OpenBy(p, text, now)
	return plaintext, err
}

// OpenBy is Open, and says by which key.
func (s *Sealer) OpenBy(p Purpose, text string, now time.Time, bound ...[]byte) ([]byte, *Key, error) {
	if len(text) > maxText {
		return nil, nil, ErrSealed
	}
	sealed, ok := decode(text)
	if !ok {
		return nil, nil, ErrSealed
	}
	return s.OpenBytes(p, sealed, now, bound...)
}

// OpenBytes opens what [Key.SealBytes] gave, of at most 512 KiB, and says by
// which key. The error is [ErrSealed].
func (s *Sealer) OpenBytes(p Purpose, sealed []byte, now time.Time, bound ...[]byte) ([]byte, *Key, error) {
	for i := range s.slots {
		k := s.at(i, now)
		if plaintext, err := k.open(p, sealed, bound); err == nil {
			s.Holds(k.id, now) // looks at all secrets, so that HeldLately can tell
			return plaintext, k, nil
		}
	}
	return nil, nil, ErrSealed
}
