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
)

// Source is a place a token may be in.
type Source struct {
	Kind   SourceKind
	Name   string // header names in lower case
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

// ErrMultiple means that a request holds a token in more than one place, or a
// place of a token twice: whoever reads it after us might take the other.
var ErrMultiple = errors.New("more than one token")

// Extract finds the one token of a request. A header with another scheme, and
// an empty value, count as none.
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

// read costs no memory for a token in a header: most requests end with it.
func (s Source) read(req Places) (string, error) {
	value, count := "", 0
	switch s.Kind {
	case Header:
		for i := range req.NumHeader() {
			if fold.Equal(req.HeaderName(i), s.Name) {
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
	}
	switch {
	case count > 1:
		return "", ErrMultiple
	case count == 0 || s.Scheme == "":
		return value, nil
	}
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, s.Scheme) {
		return "", nil
	}
	return strings.TrimLeft(rest, " "), nil
}

// cookie reads one pair as browsers and most servers do: white space around
// the name and the value does not count (RFC 6265 section 5.2), so that no
// "session =…" is another cookie here and the same one upstream.
func cookie(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	return strings.TrimSpace(name), strings.TrimSpace(value)
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

// WithoutCookie is the Cookie header value lines less every cookie of that
// name; "" when nothing is left.
func WithoutCookie(lines []string, name string) string {
	var kept []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			if n, _ := cookie(pair); pair != "" && n != name {
				kept = append(kept, pair)
			}
		}
	}
	return strings.Join(kept, "; ")
}
