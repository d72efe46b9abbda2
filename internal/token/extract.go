package token

import (
	"errors"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
)

// SourceKind is the kind of place a token is read from.
type SourceKind uint8

// The kinds of [Source].
const (
	Header SourceKind = iota
	Cookie
	Query
	// Session is a browser's session. [Extract] never looks for one.
	Session
)

// Source is a place a token may be in.
type Source struct {
	Kind   SourceKind
	Name   string // of a header as [fold.Name] writes it, a cookie or an argument; "" of a session
	Scheme string // of a header; "" for a bare token
}

// Places is what [Extract] looks at.
type Places interface {
	NumHeader() int
	HeaderName(i int) []byte // in any letter case; not changed
	HeaderValue(i int) string
	Args(name string) []string
}

// Found is a token and where it was.
type Found struct {
	Raw    string // "" when there is none
	Source Source
}

// The errors of [Extract].
var (
	// ErrMultiple means that a request holds a token in more than one place,
	// or a place of a token twice: whoever reads it after us might take the
	// other.
	ErrMultiple = errors.New("more than one token")
	// ErrUnclear means that a header names a scheme that the route reads, and
	// is not just that scheme, one space and a token: whoever reads it after
	// us might find a token where we do not.
	ErrUnclear = errors.New("a header that is not just a scheme, one space and a token")
)

// Extract finds the one token of a request. A header with another scheme, and
// an empty value, count as none. A header's name counts with "_" for "-" too.
// The error is [ErrMultiple] or [ErrUnclear].
func Extract(sources []Source, req Places) (Found, error) {
	var found Found
	for _, s := range sources {
		raw, err := s.read(req)
		if err != nil {
			return Found{}, err
		}
		if raw == "" {
			continue
		}
		if found.Raw != "" {
			return Found{}, ErrMultiple
		}
		found = Found{Raw: raw, Source: s}
	}
	return found, nil
}

// read allocates nothing for a token in a header: most requests end with it.
func (s Source) read(req Places) (string, error) {
	value, count := "", 0
	switch s.Kind {
	case Header:
		for i := range req.NumHeader() {
			if fold.Alike(req.HeaderName(i), s.Name) {
				value = req.HeaderValue(i)
				count++
			}
		}
	case Cookie:
		for _, line := range headerValues(req, "cookie") {
			for pair := range strings.SplitSeq(line, ";") {
				if name, v := cookie(pair); name == s.Name {
					value = strings.Trim(v, `"`)
					count++
				}
			}
		}
	case Query:
		values := req.Args(s.Name)
		if count = len(values); count > 0 {
			value = values[0]
		}
	case Session:
	}
	switch {
	case count > 1:
		return "", ErrMultiple
	case count == 0 || s.Scheme == "":
		return value, nil
	}
	return credentials(value, s.Scheme)
}

// credentials reads the token of one scheme from a header's value (RFC 9110
// section 11.4). Other schemes have none. A value that names the scheme as a
// word in any other way than at its start with one space behind it is unclear,
// and so is one with another credential: nginx passes a leading tab on and
// upstreams trim it, and some split at commas or any white space, or look for
// the scheme within the text.
func credentials(value, scheme string) (string, error) {
	name, rest, spaced := strings.Cut(value, " ")
	ours := spaced && strings.EqualFold(name, scheme)
	switch {
	case ours && isOne(rest), isWord(name) && !ours && isOne(rest):
		if !ours {
			rest = ""
		}
		return rest, nil
	case ours && strings.Trim(rest, " ") == "":
		return "", nil // the scheme alone
	case ours && (rest[0] == ' ' || hasCredential(rest) || hasWord(rest, scheme)), !ours && hasWord(value, scheme):
		return "", ErrUnclear
	case !ours:
		return "", nil
	}
	return rest, nil // no token has a space in it; that is for Parse to say
}

// isOne reports whether nothing in s separates it into several texts.
func isOne(s string) bool {
	// IndexByte is many times as fast as ContainsAny for a token's length.
	return strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, '\t') < 0 && strings.IndexByte(s, ',') < 0
}

// hasWord reports whether a text has a scheme's name in it, whatever is before
// and behind it.
func hasWord(s, scheme string) bool {
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r >= 0x80 || !isWordByte(byte(r)) }) {
		if strings.EqualFold(word, scheme) {
			return true
		}
	}
	return false
}

// hasCredential reports whether a comma in s is followed by what looks like a
// scheme and its parameters.
func hasCredential(s string) bool {
	for i, part := range strings.Split(s, ",") {
		name, _, spaced := strings.Cut(strings.Trim(part, " \t"), " ")
		if i > 0 && spaced && isWord(name) {
			return true
		}
	}
	return false
}

// isWord reports whether s is a token of RFC 9110 section 5.6.2, as the names
// of schemes are.
func isWord(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// cookie reads one pair as browsers and most servers do: white space around
// the name and the value does not count (RFC 6265 section 5.2), so that no
// "session =…" is another cookie here and the same one upstream.
func cookie(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

// CookieName is the name of one pair of a Cookie header, as [Extract] reads it.
func CookieName(pair string) string {
	name, _ := cookie(pair)
	return name
}

func headerValues(req Places, name string) []string {
	var values []string
	for i := range req.NumHeader() {
		if fold.Equal(req.HeaderName(i), name) {
			values = append(values, req.HeaderValue(i))
		}
	}
	return values
}
