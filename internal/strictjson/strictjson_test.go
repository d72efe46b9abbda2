package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

func TestParseTakes(t *testing.T) {
	tests := []struct {
		name, document string
		want           any
	}{
		{"null", `null`, nil},
		{"booleans", ` [true,false] `, []any{true, false}},
		{"numbers with their digits", `[0,-0,1.50,1e400,-2E-3]`, []any{json.Number("0"), json.Number("-0"), json.Number("1.50"), json.Number("1e400"), json.Number("-2E-3")}},
		{"text and escapes", `"a\"\\\/\b\f\n\r\tüé\u00e9"`, "a\"\\/\b\f\n\r\tüéé"},
		{"a surrogate pair", `"\ud83d\uDE00"`, "😀"},
		{"an escaped NUL", `"\u0000"`, "\x00"},
		{"empty object and list", `{"a":{},"b":[]}`, map[string]any{"a": map[string]any{}, "b": []any{}}},
		{"space everywhere", "\t{ \"a\" :\r\n1 , \"\" : [ 2 , 3 ] } ", map[string]any{"a": json.Number("1"), "": []any{json.Number("2"), json.Number("3")}}},
		{"the same name at other places", `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, map[string]any{"a": map[string]any{"a": json.Number("1")}, "b": []any{map[string]any{"a": json.Number("1")}, map[string]any{"a": json.Number("2")}}}},
		{"the deepest nesting", strings.Repeat("[", 64) + strings.Repeat("]", 64), nested(64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := strictjson.Parse([]byte(tt.document), strictjson.Options{})
			if err != nil {
				t.Fatal(err)
			}
			// cmp.Diff doubles its work with every level of nesting.
			if !reflect.DeepEqual(tt.want, got) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func nested(depth int) any {
	v := []any{}
	for range depth - 1 {
		v = []any{v}
	}
	return v
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, document string
		kind           error
		offset         int
	}{
		{"nothing", ``, strictjson.ErrSyntax, 0},
		{"a byte order mark", "\ufeff{}", strictjson.ErrSyntax, 0},
		{"text after", `{} x`, strictjson.ErrTrailing, 3},
		{"a second document", `1 2`, strictjson.ErrTrailing, 2},
		{"a NUL after", "1\x00", strictjson.ErrTrailing, 1},
		{"a leading zero", `01`, strictjson.ErrTrailing, 1},
		{"a plus", `+1`, strictjson.ErrSyntax, 0},
		{"a bare point", `1.`, strictjson.ErrSyntax, 2},
		{"an empty exponent", `1e+`, strictjson.ErrSyntax, 3},
		{"a minus alone", `-`, strictjson.ErrSyntax, 1},
		{"NaN", `NaN`, strictjson.ErrSyntax, 0},
		{"a cut literal", `tru`, strictjson.ErrSyntax, 0},
		{"a trailing comma in a list", `[1,]`, strictjson.ErrSyntax, 3},
		{"a trailing comma in an object", `{"a":1,}`, strictjson.ErrSyntax, 7},
		{"a missing colon", `{"a" 1}`, strictjson.ErrSyntax, 5},
		{"an unquoted name", `{a:1}`, strictjson.ErrSyntax, 1},
		{"an open list", `[1`, strictjson.ErrSyntax, 2},
		{"an open text", `"a`, strictjson.ErrSyntax, 2},
		{"a raw control character", "\"a\nb\"", strictjson.ErrSyntax, 2},
		{"a raw control character after an escape", "\"\\n\nb\"", strictjson.ErrSyntax, 3},
		{"an unknown escape", `"\x41"`, strictjson.ErrSyntax, 2},
		{"a cut escape", `"\u12`, strictjson.ErrSyntax, 2},
		{"a comment", `/**/1`, strictjson.ErrSyntax, 0},
		{"a byte that is no UTF-8", "\"a\xff\"", strictjson.ErrUTF8, 2},
		{"an overlong form", "\"\xc0\xaf\"", strictjson.ErrUTF8, 1},
		{"a surrogate in UTF-8", "\"\xed\xa0\x80\"", strictjson.ErrUTF8, 1},
		{"no UTF-8 after an escape", "\"\\n\xff\"", strictjson.ErrUTF8, 3},
		{"a lone high surrogate", `"\ud800"`, strictjson.ErrUTF8, 7},
		{"a high surrogate and a letter", `"\ud800\u0041"`, strictjson.ErrUTF8, 13},
		{"a lone low surrogate", `"\udc00\ud800"`, strictjson.ErrUTF8, 13},
		{"a repeated name", `{"a":1,"a":2}`, strictjson.ErrDuplicate, 7},
		{"a name repeated in another spelling", `{"a":1,"\u0061":2}`, strictjson.ErrDuplicate, 7},
		{"a repeated name deep inside", `[{"x":{"a":1,"a":2}}]`, strictjson.ErrDuplicate, 13},
		{"one level too deep", strings.Repeat("[", 65), strictjson.ErrDepth, 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := strictjson.Parse([]byte(tt.document), strictjson.Options{})
			syntax, ok := errors.AsType[*strictjson.SyntaxError](err)
			if !ok || !errors.Is(err, tt.kind) || syntax.Offset != tt.offset {
				t.Errorf("Parse: %v; want %v at byte %d", err, tt.kind, tt.offset)
			}
		})
	}
}

func TestParseReportsEveryRepeatedNameAndKeepsTheFirstValue(t *testing.T) {
	var repeated []string
	got, err := strictjson.Parse([]byte(`{"a":1,"a":{"b":1,"b":2},"l":[0,{"x/~":1,"x/~":2}],"a":3}`), strictjson.Options{
		OnDuplicate: func(pointer string) { repeated = append(repeated, pointer) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/a", "/a/b", "/l/1/x~1~0", "/a"}, repeated); diff != "" {
		t.Errorf("repeated (-want +got):\n%s", diff)
	}
	want := map[string]any{"a": json.Number("1"), "l": []any{json.Number("0"), map[string]any{"x/~": json.Number("1")}}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}

// Pointers to repeated names below a long name took 11 s of a configuration.
func TestParseReportsABoundedAmountOfRepeatedNames(t *testing.T) {
	repeated := func(name string, n int) string {
		return `{"` + name + `":{"a":0` + strings.Repeat(`,"a":0`, n) + `}}`
	}
	for name, tt := range map[string]struct {
		document string
		told     int
		err      error
	}{
		"as many as are told":  {repeated("x", 100), 100, nil},
		"one more":             {repeated("x", 101), 100, strictjson.ErrDuplicate},
		"a long name above":    {repeated(strings.Repeat("x", 30<<10), 3), 3, nil},
		"one more with it":     {repeated(strings.Repeat("x", 30<<10), 4), 3, strictjson.ErrDuplicate},
		"half of the document": {repeated(strings.Repeat("x", 500<<10), 80<<10), 1, strictjson.ErrDuplicate},
	} {
		told := 0
		_, err := strictjson.Parse([]byte(tt.document), strictjson.Options{OnDuplicate: func(string) { told++ }})
		if told != tt.told || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d told, %v; want %d, %v", name, told, err, tt.told, tt.err)
		}
	}
}

func TestParseNestsNoDeeperThanAsked(t *testing.T) {
	for document, fits := range map[string]bool{`[{}]`: true, `[[],[]]`: true, `[[[]]]`: false, `{"a":{"b":[]}}`: false} {
		if _, err := strictjson.Parse([]byte(document), strictjson.Options{MaxDepth: 2}); (err == nil) != fits {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestParseReadsNoMoreValuesThanAsked(t *testing.T) {
	for document, fits := range map[string]bool{`[1,2]`: true, `{"a":{"b":[]}}`: true, `[1,2,3]`: false, `[[[[]]]]`: false, `{"a":1,"b":[0]}`: false} {
		_, err := strictjson.Parse([]byte(document), strictjson.Options{MaxValues: 3})
		if (err == nil) != fits || err != nil && !errors.Is(err, strictjson.ErrValues) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestFinite(t *testing.T) {
	for number, finite := range map[json.Number]bool{"1": true, "-0": true, "1e308": true, "1e309": false, "-1e400": false, "1e-400": true, "": false} {
		if _, ok := strictjson.Finite(number); ok != finite {
			t.Errorf("Finite(%q) = %v", number, ok)
		}
	}
}
