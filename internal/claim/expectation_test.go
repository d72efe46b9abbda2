package claim_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
)

func ptr[T any](v T) *T { return &v }

func whole(t *testing.T, pattern string) *regexp.Regexp {
	t.Helper()
	re, err := claim.CompileMatches(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

// missing stands for a claim that is not there.
const missing = ""

func TestHolds(t *testing.T) {
	value := func(text string) any { return parse(t, text) }
	equals := func(text string) claim.Expectation { return claim.Expectation{Equals: ptr(value(text))} }
	contains := func(text string) claim.Expectation { return claim.Expectation{Contains: ptr(value(text))} }
	list := func(text string) []any { return value(text).([]any) }
	all := func(text string) claim.Expectation { return claim.Expectation{ContainsAll: list(text)} }
	anyOf := func(text string) claim.Expectation { return claim.Expectation{ContainsAny: list(text)} }
	oneOf := func(text string) claim.Expectation { return claim.Expectation{OneOf: list(text)} }
	matches := func(pattern string) claim.Expectation { return claim.Expectation{Matches: whole(t, pattern)} }
	there, absent := claim.Expectation{Exists: ptr(true)}, claim.Expectation{Exists: ptr(false)}

	for _, c := range []struct {
		name  string
		want  claim.Expectation
		claim string
		holds bool
	}{
		{"equals: equal", equals(`true`), `true`, true},
		{"equals: another type", equals(`true`), `"true"`, false},
		{"equals: null is null", equals(`null`), `null`, true},
		{"equals: null is not a missing claim", equals(`null`), missing, false},
		{"equals: false is not a missing claim", equals(`false`), missing, false},
		{"equals: empty text is not a missing claim", equals(`""`), missing, false},
		{"equals: missing", equals(`1`), missing, false},

		{"one_of: the second", oneOf(`["a","b"]`), `"b"`, true},
		{"one_of: none", oneOf(`["a","b"]`), `"c"`, false},
		{"one_of: by value", oneOf(`[1]`), `1.0`, true},
		{"one_of: a list is not its element", oneOf(`["a"]`), `["a"]`, false},
		{"one_of: of nothing", oneOf(`[]`), `"a"`, false},
		{"one_of: missing", oneOf(`[null]`), missing, false},

		{"contains: in a list", contains(`"admin"`), `["user","admin"]`, true},
		{"contains: not in a list", contains(`"admin"`), `["user"]`, false},
		{"contains: an element's part is not it", contains(`"admin"`), `["administrator"]`, false},
		{"contains: an element's word is not it", contains(`"admin"`), `["admin user"]`, false},
		{"contains: a number in a list", contains(`1`), `["1",1.0]`, true},
		{"contains: null in a list", contains(`null`), `[null]`, true},
		{"contains: a word", contains(`"read"`), `"write read"`, true},
		{"contains: a word's part is not it", contains(`"read"`), `"read:all"`, false},
		{"contains: two words are no word", contains(`"a b"`), `"a b"`, false},
		{"contains: no word is empty", contains(`""`), `"a  b"`, false},
		{"contains: a tab parts no words", contains(`"a"`), "\"a\\tb\"", false},
		{"contains: a number is no word", contains(`1`), `"1"`, false},
		{"contains: in an object", contains(`"a"`), `{"a":"a"}`, false},
		{"contains: in a number", contains(`1`), `1`, false},
		{"contains: missing", contains(`"a"`), missing, false},

		{"contains_all: all", all(`["a","b"]`), `["b","c","a"]`, true},
		{"contains_all: one lacks", all(`["a","b"]`), `["b"]`, false},
		{"contains_all: words", all(`["a","b"]`), `"b a"`, true},
		{"contains_all: missing", all(`["a"]`), missing, false},
		{"contains_all: of nothing, missing", all(`[]`), missing, false},

		{"contains_any: one", anyOf(`["a","b"]`), `["b"]`, true},
		{"contains_any: none", anyOf(`["a","b"]`), `["c"]`, false},
		{"contains_any: of nothing", anyOf(`[]`), `["c"]`, false},
		{"contains_any: words", anyOf(`["a","b"]`), `"c b"`, true},
		{"contains_any: missing", anyOf(`["a"]`), missing, false},

		{"matches: the whole", matches(`.*@example\.com`), `"ann@example.com"`, true},
		{"matches: not a start", matches(`.*@example\.com`), `"ann@example.com.evil.test"`, false},
		{"matches: not an end", matches(`admin`), `"not-admin"`, false},
		{"matches: no line of several", matches(`admin`), `"x\nadmin\nx"`, false},
		{"matches: no line even with (?m)", matches(`(?m)^admin$`), `"x\nadmin\nx"`, false},
		{"matches: no line feed at the end", matches(`admin`), `"admin\n"`, false},
		{"matches: the first of a|b, whole", matches(`a|b`), `"a"`, true},
		{"matches: the second of a|b, whole", matches(`a|b`), `"b"`, true},
		{"matches: a|b does not match what starts with a", matches(`a|b`), `"ax"`, false},
		{"matches: a|b does not match what ends with b", matches(`a|b`), `"xb"`, false},
		{"matches: a|ab matches the longer whole", matches(`a|ab`), `"ab"`, true},
		{"matches: a number is no string", matches(`.*`), `1`, false},
		{"matches: a list is no string", matches(`.*`), `["a"]`, false},
		{"matches: null is no string", matches(`.*`), `null`, false},
		{"matches: missing, though it matches empty text", matches(`.*`), missing, false},

		{"exists: there", there, `0`, true},
		{"exists: null is there", there, `null`, true},
		{"exists: missing", there, missing, false},
		{"not exists: missing", absent, missing, true},
		{"not exists: there", absent, `"a"`, false},
		{"not exists: null is there", absent, `null`, false},

		{"all must hold: they do", claim.Expectation{Exists: ptr(true), OneOf: list(`["a","b"]`), Matches: whole(t, `[a-c]`)}, `"a"`, true},
		{"all must hold: the last does not", claim.Expectation{Exists: ptr(true), OneOf: list(`["a","b"]`), Matches: whole(t, `[b-c]`)}, `"a"`, false},
		{"all must hold: the first does not", claim.Expectation{Equals: ptr(value(`"b"`)), Matches: whole(t, `a`)}, `"a"`, false},
		{"not exists and equals never hold together: missing", claim.Expectation{Exists: ptr(false), Equals: ptr(value(`1`))}, missing, false},
		{"not exists and equals never hold together: there", claim.Expectation{Exists: ptr(false), Equals: ptr(value(`1`))}, `1`, false},
		{"nothing expected: there", claim.Expectation{}, `1`, true},
		{"nothing expected: missing", claim.Expectation{}, missing, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v any
			if c.claim != missing {
				v = value(c.claim)
			}
			if got := c.want.Holds(v, c.claim != missing); got != c.holds {
				t.Errorf("holds: %v", got)
			}
		})
	}
}

// A pattern that is wrong alone must not become right by what is put around
// it: `a)(b` would then match "a" at the start and "b" at the end.
func TestCompileMatchesRefusesBrokenPatterns(t *testing.T) {
	for _, pattern := range []string{`a)(b`, `a)|(b`, `)`, `(`, `a)|.*(?:`, `[`, `\`, `*`} {
		if _, err := claim.CompileMatches(pattern); err == nil {
			t.Errorf("%s was compiled", pattern)
		}
	}
}

// 20 KiB of pattern took 5 s and 3 GiB.
func TestCompileMatchesRefusesLargePatterns(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("a", 1025):            "at most 1024",
		strings.Repeat(`(?:a{900}b){1}`, 10): "at most 2000 instructions",
	} {
		if _, err := claim.CompileMatches(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s…: %v, want %q", text, err, want)
		}
	}
}

func TestMatchesTakesNoLongStrings(t *testing.T) {
	e := claim.Expectation{Matches: whole(t, "a*")}
	for length, holds := range map[int]bool{0: true, 4096: true, 4097: false} {
		if got := e.Holds(strings.Repeat("a", length), true); got != holds {
			t.Errorf("%d bytes: %v", length, got)
		}
	}
}

// A long pattern takes a microsecond and more for each byte.
func TestALongPatternIsTriedOnShorterStrings(t *testing.T) {
	for size, want := range map[int]int{10: 0, 48: 0, 400: 500, 2000: 100} {
		if got := claim.Longest(size); got != want {
			t.Errorf("a pattern of %d instructions is tried on %d bytes, want %d", size, got, want)
		}
	}
	e := claim.Expectation{Matches: whole(t, "a*"), Longest: 100}
	if !e.Holds(strings.Repeat("a", 100), true) || e.Holds(strings.Repeat("a", 101), true) {
		t.Error("Longest is not the longest")
	}
}

// Lists of many values are compared in another way than short ones.
func TestManyValuesAreContainedAsFewAre(t *testing.T) {
	texts := []string{
		`1`, `1.0`, `10e-1`, `-1`, `0`, `-0`, `0e9`, `1e2`, `100`, `9007199254740993`, `9007199254740992`, `"1"`, `"0"`, `""`, `"a"`, `"a b"`,
		`"true"`, `true`, `false`, `null`, `"<nil>"`, `[]`, `[1]`, `[1.0]`, `["1"]`, `[[1]]`, `{}`, `{"a":1}`, `{"a":1.0,"b":[null]}`, `{"b":[null],"a":1}`, `"{}"`, `"[1,]"`,
	}
	var wants, unlikely []any
	for _, text := range texts {
		wants = append(wants, parse(t, text))
	}
	for i := range 20 {
		unlikely = append(unlikely, "unlikely "+strings.Repeat("x", i))
	}
	values := []any{"a 1 true", "", "a", []any{}}
	for i := range wants {
		values = append(values, []any{wants[i]}, []any{"other", wants[i], wants[(i+1)%len(wants)]})
	}
	for _, value := range values {
		for i, want := range wants {
			few := claim.Expectation{Contains: &want}
			holds := few.Holds(value, true)
			some := claim.Expectation{ContainsAny: append(slices.Clone(unlikely), want)}
			if got := some.Holds(value, true); got != holds {
				t.Errorf("%v contains %s: %t among few, %t among many", value, texts[i], holds, got)
			}
			all := claim.Expectation{ContainsAll: slices.Repeat([]any{want}, 20)}
			if got := all.Holds(value, true); got != holds {
				t.Errorf("%v contains all of %s: %t, and %t twenty times", value, texts[i], holds, got)
			}
		}
	}
}

// Each against each would be a hundred million comparisons.
func TestTwoLongListsAreWalkedOnce(t *testing.T) {
	var held, wants []any
	for i := range 5_000 {
		held = append(held, json.Number("1"+strconv.Itoa(i)))
	}
	for i := range 20_000 {
		wants = append(wants, json.Number("2"+strconv.Itoa(i)+"e1"))
	}
	e := claim.Expectation{ContainsAny: wants}
	if allocs := testing.AllocsPerRun(1, func() { _ = e.Holds(held, true) }); allocs > 25*float64(len(held)+len(wants)) {
		t.Errorf("%.0f allocations", allocs)
	}
	if text, fits := claim.Plain.Write(held); !fits || strings.Count(text, ",") != len(held)-1 {
		t.Errorf("a long list does not fit: %t", fits)
	}
	if allocs := testing.AllocsPerRun(1, func() { _, _ = claim.Plain.Write(held) }); allocs > 100 {
		t.Errorf("writing a list of %d takes %.0f allocations", len(held), allocs)
	}
}

func TestWordsAreSplitAtSpacesOnly(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{}},
		{"  ", []string{}},
		{"read", []string{"read"}},
		{" read  write ", []string{"read", "write"}},
		{"a\tb\nc\u00a0d", []string{"a\tb\nc\u00a0d"}},
		{"a,b", []string{"a,b"}},
	} {
		if diff := cmp.Diff(c.want, claim.Words(c.text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		json string
		want []string
		ok   bool
	}{
		{`"a b"`, []string{"a b"}, true},
		{`["a","b"]`, []string{"a", "b"}, true},
		{`["a",1]`, nil, false},
		{`["a",["b"]]`, nil, false},
		{`[null]`, nil, false},
		{`1`, nil, false},
		{`null`, nil, false},
		{`{"a":"b"}`, nil, false},
	} {
		got, ok := claim.Strings(parse(t, c.json))
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: ok %v (-want +got):\n%s", c.json, ok, diff)
		}
	}
	// Nothing held is not the same as nothing readable.
	if got, ok := claim.Strings([]any{}); len(got) != 0 {
		t.Errorf("an empty list: %v, %v", got, ok)
	}
}
