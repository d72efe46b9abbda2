package claim_test

import (
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// parse reads a claim as a token would bring it.
func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := strictjson.Parse([]byte(text), strictjson.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b string
		want bool
	}{
		{"same text", `"admin"`, `"admin"`, true},
		{"text counts letter case", `"admin"`, `"Admin"`, false},
		{"text is not trimmed", `"admin"`, `"admin "`, false},
		{"escapes are read", `"\u0061dmin"`, `"admin"`, true},
		{"true is not the text true", `true`, `"true"`, false},
		{"a number is not its text", `1`, `"1"`, false},
		{"true is not 1", `true`, `1`, false},
		{"false is not null", `false`, `null`, false},
		{"0 is not null", `0`, `null`, false},
		{"empty text is not null", `""`, `null`, false},
		{"null is null", `null`, `null`, true},
		{"true is true", `true`, `true`, true},
		{"true is not false", `true`, `false`, false},

		{"1 and 1.0", `1`, `1.0`, true},
		{"1 and 10e-1", `1`, `10e-1`, true},
		{"1 and 0.1e1", `1`, `0.1e1`, true},
		{"100 and 1E+2", `100`, `1E+2`, true},
		{"1 and -1", `1`, `-1`, false},
		{"0 and -0", `0`, `-0`, true},
		{"0 and 0.000e9", `0`, `0.000e9`, true},
		{"10 and 1", `10`, `1`, false},
		{"0.1 and 0.01", `0.1`, `0.01`, false},
		{"2^53 and 2^53+1", `9007199254740992`, `9007199254740993`, false},
		{"0.1 and the double next to it", `0.1`, `0.1000000000000000055511151231257827`, false},
		{"1e400 is not 1e401, though doubles hold neither", `1e400`, `1e401`, false},
		{"1e400 and 10e399", `1e400`, `10e399`, true},
		{"1e-400 is not 0, though a double makes it so", `1e-400`, `0`, false},

		{"lists in order", `[1,"a"]`, `[1.0,"a"]`, true},
		{"lists out of order", `[1,2]`, `[2,1]`, false},
		{"a list and its start", `[1,2]`, `[1]`, false},
		{"a list is not its only element", `["a"]`, `"a"`, false},
		{"empty lists", `[]`, `[]`, true},
		{"an empty list is not null", `[]`, `null`, false},
		{"objects in any order", `{"a":1,"b":[2]}`, `{"b":[2.0],"a":1}`, true},
		{"an object and more", `{"a":1}`, `{"a":1,"b":2}`, false},
		{"objects of other names", `{"a":null}`, `{"b":null}`, false},
		{"an object is not a list", `{}`, `[]`, false},
		{"objects differ deep inside", `{"a":{"b":[1]}}`, `{"a":{"b":["1"]}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, c.a), parse(t, c.b)
			if got := claim.Equal(a, b); got != c.want {
				t.Errorf("Equal(%s, %s) = %v", c.a, c.b, got)
			}
			if got := claim.Equal(b, a); got != c.want {
				t.Errorf("Equal(%s, %s) = %v", c.b, c.a, got)
			}
		})
	}
}

// A comparison that wrote the numbers out would not end in this lifetime.
func TestEqualIsCheapForHugeExponents(t *testing.T) {
	huge := strings.Repeat("9", 4000)
	for _, c := range []struct {
		name string
		a, b string
		want bool
	}{
		{"beyond 64 bits, equal", `1e99999999999999999999`, `10e99999999999999999998`, true},
		{"beyond 64 bits, not equal", `1e99999999999999999999`, `1e99999999999999999998`, false},
		{"negative", `1e-99999999999999999999`, `0.1e-99999999999999999998`, true},
		{"zero has no exponent", `0e99999999999999999999`, `0`, true},
		{"thousands of digits of exponent", `1e` + huge, `1e-` + huge, false},
		{"thousands of digits of exponent, equal", `1e` + huge, `1.0e` + huge, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := claim.Equal(parse(t, c.a), parse(t, c.b)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
