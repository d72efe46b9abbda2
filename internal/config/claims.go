package config

import (
	"encoding/json"
	"errors"
	"regexp/syntax"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

var expectationKeys = []string{
	"equals", "one_of", "contains", "contains_all", "contains_any", "matches", "exists",
}

const expectationForm = "a string, number or boolean to equal, or an object with one or more of equals, one_of, " +
	"contains, contains_all, contains_any, matches, exists"

// claims reads the expectations, sorted by claim.
func (o object) claims() []ClaimExpectation {
	v, ok := o.get("claims")
	if !ok {
		return nil
	}
	v.hidden = true
	all, ok := v.object("an object of claim to expectation, with at least one")
	if !ok {
		return nil
	}
	var expectations []ClaimExpectation
	for _, name := range all.names() {
		e, _ := all.get(name)
		if !isClaimName(name) {
			o.r.refuse(e.path, "the claim "+quote(name), claimForm)
		}
		expectations = append(expectations, e.expectation(name))
	}
	return expectations
}

const claimForm = `a claim's name, not empty, or a JSON Pointer (RFC 6901) where it starts with "/"`

// isClaimName takes any name, and a pointer where it starts with a slash: its
// tildes then are ~0 or ~1.
func isClaimName(s string) bool {
	if !strings.HasPrefix(s, "/") {
		return s != ""
	}
	return !strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(s), "~")
}

func (v value) expectation(claim string) ClaimExpectation {
	e := ClaimExpectation{Claim: claim}
	switch v.json.(type) {
	case string, bool, json.Number:
		e.Equals = &v.json
		return e
	case map[string]any:
	default:
		v.refuseHidden(expectationForm)
		return e
	}
	o, ok := v.object(expectationForm)
	if !ok {
		return e
	}
	o.allow(expectationKeys...)
	e.Equals, e.Contains = o.any("equals"), o.any("contains")
	e.OneOf, e.ContainsAll, e.ContainsAny = o.anyOf("one_of"), o.anyOf("contains_all"), o.anyOf("contains_any")
	e.Matches = o.pattern("matches")
	if _, ok := o.get("exists"); ok {
		exists := o.flag("exists", true)
		e.Exists = &exists
		if !exists && len(o.given(expectationKeys...)) > 1 {
			o.r.refuse(o.path, `"exists": false beside other expectations`, "exists: false alone: a missing claim fails all others")
		}
	}
	return e
}

func (o object) any(key string) *any {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	return &v.json
}

func (o object) anyOf(key string) []any {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	list, ok := v.json.([]any)
	if !ok || len(list) == 0 {
		v.refuseHidden("a list with at least one value")
	}
	return list
}

// pattern reads an RE2 that compiles alone and as the whole of a text.
func (o object) pattern(key string) string {
	v, ok := o.get(key)
	if !ok {
		return ""
	}
	const want = "a regular expression (RE2) that the whole string has to match, not empty"
	s, ok := v.json.(string)
	if !ok || s == "" {
		v.refuseHidden(want)
		return ""
	}
	size, err := pattern.SizeWhole(s)
	if err != nil {
		given := "a string that does not compile (" + err.Error() + ")"
		if broken, ok := errors.AsType[*syntax.Error](err); ok {
			given = "a string that does not compile (" + broken.Code.String() + ")" // the rest may be a secret
		}
		o.r.refuse(v.path, given, want)
	}
	o.r.afford(v.path, workOfPattern+workOfStep*size)
	return s
}
