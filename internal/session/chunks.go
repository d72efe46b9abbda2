package session

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// Chunks are a sealed session in one or two cookies: their values, in order. ""
// is no cookie.
type Chunks struct{ First, Second string }

// layout is what a session is bound to in its cookies: how many there are and
// where the first one ends. All chunks are one sealed text, so that chunks that
// were changed, cut, reordered, repeated or taken of two sessions do not open.
func layout(total, first int) []byte {
	b := []byte{1}
	if first < total {
		b[0] = 2
	}
	return binary.BigEndian.AppendUint32(b, uint32(first))
}

// SealChunks seals a session by k into a chunk of at most that many bytes and, if
// it is longer, a second one with the rest.
func (s *Session) SealChunks(k *Key, most int) Chunks {
	plaintext := s.Encode()
	total := encoding.EncodedLen(len(plaintext) + overhead)
	first := min(total, most)
	text := k.Seal(ForSession, plaintext, layout(total, first))
	return Chunks{text[:first], text[first:]}
}

// OpenChunks opens what [Session.SealChunks] gave, and says by which key. It says
// nothing of the session's end.
func (s *Sealer) OpenChunks(c Chunks, now time.Time) (*Session, *Key, error) {
	total := len(c.First) + len(c.Second)
	if total > maxText {
		return nil, nil, ErrSealed
	}
	plaintext, k, err := s.OpenBy(ForSession, c.First+c.Second, now, layout(total, len(c.First)))
	if err != nil {
		return nil, nil, err
	}
	opened, err := Decode(plaintext)
	if err != nil {
		return nil, nil, err
	}
	return opened, k, nil
}

// SecondName is the name of the cookie that holds the second chunk.
func SecondName(name string) string { return name + "_1" }

// Errors of [FindChunks].
var (
	ErrNoCookie = errors.New("no cookie of the session")
	// ErrCookies means that there are cookies of the session which are of no use:
	// one of them twice, or the second without the first.
	ErrCookies = errors.New("the session's cookies do not fit together")
)

// FindChunks finds the session's cookies in the Cookie header lines of a request
// (RFC 6265 section 4.2.1); names are case-sensitive. second is [SecondName].
func FindChunks(lines []string, name, second string) (Chunks, error) {
	first, firsts := find(lines, name)
	rest, seconds := find(lines, second)
	switch {
	case firsts+seconds == 0:
		return Chunks{}, ErrNoCookie
	case firsts != 1 || seconds > 1 || first == "" || seconds == 1 && rest == "":
		return Chunks{}, ErrCookies
	}
	return Chunks{first, rest}, nil
}

// HasCookie reports whether a request has a cookie of that name.
func HasCookie(lines []string, name string) bool {
	_, n := find(lines, name)
	return n > 0
}

// find gives the last value of a cookie and how often it is there.
func find(lines []string, name string) (value string, times int) {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, text, ok := strings.Cut(pair, "=")
			if ok && strings.Trim(key, " \t") == name {
				value = strings.Trim(text, " \t")
				times++
			}
		}
	}
	return value, times
}
