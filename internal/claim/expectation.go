package claim

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

// Expectation is what one claim has to be. Every field that is set must hold;
// a missing claim fails all but Exists == false.
type Expectation struct {
	Claim       Ref
	Equals      *any
	OneOf       []any
	Contains    *any
	ContainsAll []any
	ContainsAny []any
	Matches     *regexp.Regexp // of CompileMatches
	// Longest is the longest string that Matches is tried on, in bytes, as
	// [Longest] gives it: a longer one does not match. 0 is 4 KiB.
	Longest int
	Exists  *bool
}

// CompileMatches compiles pattern (RE2) once, so that it has to match a whole
// string. An error is a [*regexp/syntax.Error] or says which bound of package pattern
// the pattern exceeds.
func CompileMatches(text string) (*regexp.Regexp, error) { return pattern.CompileWhole(text) }

// The time that a match takes is the product of the string's length and the
// pattern's: at most some 50 ns for each instruction and byte.
const (
	maxMatched = 4 << 10 // bytes
	maxSteps   = 200_000 // instructions times bytes, which take 10 ms
)

// Longest is the longest string that a pattern of that size, as package pattern
// counts it, is tried on; 0 where that is the usual 4 KiB.
func Longest(size int) int {
	if size*maxMatched <= maxSteps {
		return 0
	}
	return maxSteps / size
}

// Met reports whether the claim is as expected in a claims set.
func (e *Expectation) Met(claims map[string]any) bool {
	value, found := e.Claim.Lookup(claims)
	return e.Holds(value, found)
}

// Holds reports whether value, which was found or not, is as expected.
func (e *Expectation) Holds(value any, found bool) bool {
	if e.Exists != nil && *e.Exists != found {
		return false
	}
	if !found {
		return e.Exists != nil && !*e.Exists && !e.asksValue()
	}
	if e.Equals != nil && !Equal(value, *e.Equals) {
		return false
	}
	if e.OneOf != nil && !slices.ContainsFunc(e.OneOf, func(v any) bool { return Equal(value, v) }) {
		return false
	}
	if e.Contains != nil && !contains(value, *e.Contains) {
		return false
	}
	if e.ContainsAll != nil && slices.ContainsFunc(e.ContainsAll, not(holder(value, len(e.ContainsAll)))) {
		return false
	}
	if e.ContainsAny != nil && !slices.ContainsFunc(e.ContainsAny, holder(value, len(e.ContainsAny))) {
		return false
	}
	if e.Matches != nil {
		s, ok := value.(string)
		if !ok || len(s) > cmp.Or(e.Longest, maxMatched) || !e.Matches.MatchString(s) {
			return false
		}
	}
	return true
}

func (e *Expectation) asksValue() bool {
	return e.Equals != nil || e.OneOf != nil || e.Contains != nil ||
		e.ContainsAll != nil || e.ContainsAny != nil || e.Matches != nil
}

// contains reports whether want is an element of a list, or a word of a
// space-separated string.
func contains(value, want any) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, func(v any) bool { return Equal(v, want) })
	case string:
		word, ok := want.(string)
		return ok && word != "" && slices.Contains(Words(value), word)
	}
	return false
}

// fewWants are so few questions that a walk of the list for each is cheaper than
// a set.
const fewWants = 8

// holder answers contains for many values: one walk of the list or the text, and
// not one for each. Both lists may be long, and their product too much.
func holder(value any, wants int) func(want any) bool {
	if wants <= fewWants {
		return func(want any) bool { return contains(value, want) }
	}
	held := map[string]bool{}
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			held[key(v)] = true
		}
	case string:
		for _, word := range Words(value) {
			held[key(word)] = true
		}
	}
	return func(want any) bool { return held[key(want)] }
}

func not(f func(any) bool) func(any) bool { return func(v any) bool { return !f(v) } }

// Words splits a space-separated string as RFC 6749 section 3.3 does for
// scopes: at spaces only.
func Words(s string) []string {
	return slices.DeleteFunc(strings.Split(s, " "), func(w string) bool { return w == "" })
}

// Strings reads a list of strings, or a single string as a list of one. ok is
// false for anything else.
func Strings(value any) (list []string, ok bool) {
	switch value := value.(type) {
	case string:
		return []string{value}, true
	case []any:
		list = make([]string, len(value))
		for i, v := range value {
			if list[i], ok = v.(string); !ok {
				return nil, false
			}
		}
		return list, true
	}
	return nil, false
}
