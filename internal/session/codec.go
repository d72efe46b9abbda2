package session

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// The form of an encoded session: the version; ID; four times in Unix
// milliseconds and the refreshes, big-endian; six texts. A text is the number of its
// segments and each segment's length (uvarint) and bytes. Segments are what the
// base64url between a text's dots decodes to, so that a JWT takes three quarters
// of its length; a text that would not come out the same is one segment as it is,
// and the number is 0.
//
// Nothing is compressed. Signatures and random tokens do not shrink, a user may
// choose some of his claims and could learn of the others by the length, and
// inflating would need bounds of its own.
const (
	version     = 2
	maxSegments = 5 // of a JWE
	maxEncoded  = 256 << 10
)

var errEncoding = errors.New("no encoded session")

func (s *Session) times() [4]*time.Time {
	return [4]*time.Time{&s.Begun, &s.Ends, &s.Written, &s.Expires}
}

func (s *Session) texts() [6]*string {
	return [6]*string{&s.AccessToken, &s.IDToken, &s.RefreshToken, &s.SID, &s.Subject, &s.SteppedUp}
}

// Encode gives a session as bytes. Its times lose what is below a millisecond.
func (s *Session) Encode() []byte {
	b := append([]byte{version}, s.ID[:]...)
	for _, t := range s.times() {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
	}
	b = binary.BigEndian.AppendUint32(b, s.Refreshes)
	for _, text := range s.texts() {
		b = appendText(b, *text)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	segments := segmentsOf(text)
	if segments == nil {
		b = binary.AppendUvarint(append(b, 0), uint64(len(text)))
		return append(b, text...)
	}
	b = append(b, byte(len(segments)))
	for _, segment := range segments {
		b = binary.AppendUvarint(b, uint64(len(segment)))
		b = append(b, segment...)
	}
	return b
}

// segmentsOf is nil for a text that its segments would not bring back.
func segmentsOf(text string) [][]byte {
	if strings.Count(text, ".") >= maxSegments {
		return nil
	}
	var segments [][]byte
	for part := range strings.SplitSeq(text, ".") {
		segment, ok := decode(part)
		if !ok {
			return nil
		}
		segments = append(segments, segment)
	}
	return segments
}

// Decode is the inverse of [Session.Encode]. It takes nothing after the session
// and none of another version.
func Decode(data []byte) (*Session, error) {
	s := &Session{}
	r := reader{data: data}
	if len(data) > maxEncoded || r.byte() != version {
		return nil, errEncoding
	}
	copy(s.ID[:], r.take(len(s.ID)))
	for _, t := range s.times() {
		if b := r.take(8); b != nil {
			*t = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
		}
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return nil, errEncoding
		}
	}
	if b := r.take(4); b != nil {
		s.Refreshes = binary.BigEndian.Uint32(b)
	}
	for _, text := range s.texts() {
		*text = r.text()
	}
	if r.failed || len(r.data) > 0 {
		return nil, errEncoding
	}
	return s, nil
}

// reader takes from the front of data, and nothing more once it failed.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.data) {
		r.failed = true
		return nil
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) segment() []byte {
	length, n := binary.Uvarint(r.data)
	if n <= 0 || length > maxEncoded {
		r.failed = true
		return nil
	}
	r.take(n)
	return r.take(int(length))
}

func (r *reader) text() string {
	count := r.byte()
	switch {
	case count > maxSegments:
		r.failed = true
		return ""
	case count == 0:
		return string(r.segment())
	}
	var b []byte
	for i := range count {
		if i > 0 {
			b = append(b, '.')
		}
		b = encoding.AppendEncode(b, r.segment())
	}
	return string(b)
}
