// Package claim names claims, compares them with what a route expects and
// writes them as header values. It must not know policies or requests.
//
// A claims set is a strictjson value: map[string]any, []any, string,
// json.Number, bool or nil.
package claim

import "strings"

// Ref names one claim: a literal top-level member name or, where the text
// starts with "/", a JSON Pointer (RFC 6901) into the claims set.
type Ref struct {
	name   string
	tokens []string // of a pointer; nil for a literal name
}

var pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

// ParseRef reads a claim's name. ok is false for an empty name and for a
// pointer with a "~" that is neither "~0" nor "~1".
func ParseRef(s string) (ref Ref, ok bool) {
	if s == "" {
		return Ref{}, false
	}
	if s[0] != '/' {
		return Ref{name: s}, true
	}
	tokens := strings.Split(s[1:], "/")
	for i, t := range tokens {
		for rest := t; ; {
			_, after, found := strings.Cut(rest, "~")
			if !found {
				break
			}
			if after == "" || after[0] != '0' && after[0] != '1' {
				return Ref{}, false
			}
			rest = after
		}
		tokens[i] = pointerUnescaper.Replace(t)
	}
	return Ref{name: s, tokens: tokens}, true
}

// String is the name as it was written.
func (r Ref) String() string { return r.name }

// Equal reports whether two names are the same text.
func (r Ref) Equal(other Ref) bool { return r.name == other.name }

// Lookup finds the claim. A member that is there with the value null is
// found.
func (r Ref) Lookup(claims map[string]any) (value any, found bool) {
	if r.tokens == nil {
		value, found = claims[r.name]
		return value, found
	}
	value = claims
	for _, t := range r.tokens {
		switch node := value.(type) {
		case map[string]any:
			if value, found = node[t]; !found {
				return nil, false
			}
		case []any:
			i, ok := arrayIndex(t, len(node))
			if !ok {
				return nil, false
			}
			value = node[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// arrayIndex reads an RFC 6901 array index: digits without a leading zero.
func arrayIndex(t string, n int) (int, bool) {
	if t == "" || len(t) > 1 && t[0] == '0' || len(t) > 9 {
		return 0, false
	}
	i := 0
	for _, c := range []byte(t) {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int(c-'0')
	}
	return i, i < n
}
