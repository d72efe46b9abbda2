package config

import (
	"encoding/json"
	"errors"
	"regexp"
	"regexp/syntax"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

var expectationKeys = []string{
	"equals", "one_of", "contains", "contains_all", "contains_any", "matches", "exists",
}

const expectationForm = "a string, number or boolean to equal, or an object with one or more of equals, one_of, " +
	"contains, contains_all, contains_any, matches, exists"

// claims reads the expectations, sorted by claim.
func (o object) claims() []claim.Expectation {
	v, ok := o.get("claims")
	if !ok {
		return nil
	}
	v.hidden = true
	all, ok := v.object("an object of claim to expectation, with at least one")
	if !ok {
		return nil
	}
	var expectations []claim.Expectation
	for _, name := range all.names() {
		v, _ := all.get(name)
		e := v.expectation()
		if e.Claim, ok = claim.ParseRef(name); !ok {
			o.r.refuse(v.path, "the claim "+quote(name), claimForm)
		}
		expectations = append(expectations, e)
	}
	return expectations
}

const claimForm = `a claim's name, not empty, or a JSON Pointer (RFC 6901) where it starts with "/"`

// claimName reads the name of a claim.
func (v value) claimName() claim.Ref {
	name, ok := v.text(claimForm)
	if !ok {
		return claim.Ref{}
	}
	ref, ok := claim.ParseRef(name)
	if !ok {
		v.refuse(claimForm)
	}
	return ref
}

func (v value) expectation() claim.Expectation {
	var e claim.Expectation
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
	if v, ok := o.get("contains"); ok && v.json == any("") {
		v.refuseHidden("a value that is not empty: a space-separated string holds no empty word")
	}
	e.Matches, e.Longest = o.pattern("matches")
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
	if !o.r.afford(v.path, workOfElement*len(list)) {
		return nil
	}
	return list
}

// pattern reads an RE2 that compiles alone and as the whole of a text.
// longest is the longest string that it is tried on.
func (o object) pattern(key string) (compiled *regexp.Regexp, longest int) {
	v, ok := o.get(key)
	if !ok {
		return nil, 0
	}
	const want = "a regular expression (RE2) that the whole string has to match, not empty"
	s, ok := v.json.(string)
	if !ok || s == "" {
		v.refuseHidden(want)
		return nil, 0
	}
	size, err := pattern.SizeWhole(s)
	if err == nil && o.r.afford(v.path, workOfPattern+workOfStep*size) {
		compiled, err = claim.CompileMatches(s)
	}
	if err != nil {
		given := "a string that does not compile (" + err.Error() + ")"
		if broken, ok := errors.AsType[*syntax.Error](err); ok {
			given = "a string that does not compile (" + broken.Code.String() + ")" // the rest may be a secret
		}
		o.r.refuse(v.path, given, want)
	}
	return compiled, claim.Longest(size)
}
