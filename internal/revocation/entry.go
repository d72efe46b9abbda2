// Package revocation knows which tokens and sessions were revoked before their
// time: a copy in memory that is asked without I/O, fed by Redis where gateways
// share one. It must not know how a token is read, nor who may revoke.
package revocation

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind is what an entry compares.
type Kind uint8

// The kinds.
const (
	Subject Kind = iota // sub, for tokens issued and sessions begun at or before a time
	SID                 // sid, whenever
	Client              // azp or client_id, for tokens issued at or before a time
	JTI                 // jti, whenever
	Session             // a session's own ID
	numKinds
)

var kindNames = [numKinds]string{"sub", "sid", "client", "jti", "session"}

// String is the name in the feed, in answers and in logs.
func (k Kind) String() string { return kindNames[k] }

// KindOf is the kind of a name.
func KindOf(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// Timed reports whether entries of the kind go by a time.
func (k Kind) Timed() bool { return k == Subject || k == Client }

// ID names an entry: 128 bits of a hash of issuer, kind and value. Values are
// not kept, since subjects are personal data. The hash has no key, since runners
// and the command line have no secret in common: who holds an ID can still try
// values that he knows.
type ID [16]byte

// IDOf is the ID of an entry.
func IDOf(issuer string, kind Kind, value string) ID {
	buf := make([]byte, 0, 256)
	buf = append(buf, byte(kind))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(issuer)))
	buf = append(append(buf, issuer...), value...)
	sum := sha256.Sum256(buf)
	return ID(sum[:16])
}

// String is base64url, 22 characters.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads what [ID.String] wrote.
func ParseID(text string) (id ID, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return ID{}, errors.New("want the 22 characters of an entry's id")
	}
	return ID(raw), nil
}

// Entry is one revocation as it is kept. Times are whole milliseconds.
type Entry struct {
	ID     ID
	Kind   Kind
	Issuer string    // for lists; "" where it is not known any more
	Before time.Time // what was issued at or before is revoked, for kinds that are Timed
	Added  time.Time
	Until  time.Time // it is kept at least so long
	// TakenBack is set where the entry takes back those of its ID that were added
	// at Added or before.
	TakenBack bool
}

// millis rounds up, so that what came before is before.
func millis(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// The fields of an entry in the feed.
const (
	fieldKind   = "k"
	fieldID     = "h"
	fieldIssuer = "i"
	fieldBefore = "t"
	fieldAdded  = "a"
	fieldUntil  = "u"
	fieldBack   = "x"
)

// fields are an entry in the feed.
func (e Entry) fields() []any {
	f := []any{
		fieldKind, e.Kind.String(), fieldID, e.ID.String(), fieldIssuer, e.Issuer,
		fieldBefore, e.Before.UnixMilli(), fieldAdded, e.Added.UnixMilli(), fieldUntil, e.Until.UnixMilli(),
	}
	if e.TakenBack {
		f = append(f, fieldBack, 1)
	}
	return f
}

// entryOf reads an entry of the feed.
func entryOf(values map[string]any) (e Entry, err error) {
	text := func(name string) string { s, _ := values[name].(string); return s }
	kind, ok := KindOf(text(fieldKind))
	if !ok {
		return Entry{}, fmt.Errorf("an entry of the feed has the unknown kind %.16q", text(fieldKind))
	}
	if e.ID, err = ParseID(text(fieldID)); err != nil {
		return Entry{}, err
	}
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{fieldBefore, &e.Before}, {fieldAdded, &e.Added}, {fieldUntil, &e.Until}} {
		n, err := strconv.ParseInt(text(f.name), 10, 64)
		if err != nil || n < 0 || n >= maxMillis {
			return Entry{}, fmt.Errorf("an entry of the feed has no time in %s", f.name)
		}
		*f.to = time.UnixMilli(n)
	}
	e.Kind, e.Issuer, e.TakenBack = kind, text(fieldIssuer), text(fieldBack) != ""
	return e, nil
}

// maxMillis is 10000-01-01T00:00:00Z.
const maxMillis = 253402300800_000
