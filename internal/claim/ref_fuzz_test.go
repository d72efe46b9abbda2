package claim_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// FuzzRef holds that a name means itself, that a pointer finds every value of
// a claims set under the address it has there, and that neither ever finds
// anything that a plain walk does not.
func FuzzRef(f *testing.F) {
	for _, seed := range [][2]string{
		{"sub", `{"sub":"a"}`},
		{"https://a.example/roles", `{"https://a.example/roles":["x"]}`},
		{"/address/country", `{"address":{"country":"DE"}}`},
		{"/list/01", `{"list":[1,2]}`},
		{"/a~1b/~0/0", `{"a/b":{"~":[null]}}`},
		{"/", `{"":1}`},
		{"/~", `{"~":1}`},
		{"/~01", `{"~1":1,"/":2}`},
		{"/list/99999999999999999999", `{"list":[]}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, document string) {
		value, err := strictjson.Parse([]byte(document), strictjson.Options{})
		if err != nil {
			value = nil
		}
		claims, _ := value.(map[string]any)

		ref, ok := claim.ParseRef(name)
		badEscape := strings.HasPrefix(name, "/") &&
			strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~")
		if ok != (name != "" && !badEscape) {
			t.Fatalf("ParseRef takes it: %v", ok)
		}
		if !ok {
			return
		}
		if ref.String() != name {
			t.Fatalf("String is %q", ref)
		}
		got, found := ref.Lookup(claims)
		want, there := all(claims)[name]
		if !strings.HasPrefix(name, "/") {
			want, there = claims[name]
		}
		if found != there {
			t.Fatalf("found: %v, there: %v", found, there)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-there +found):\n%s", diff)
		}

		for pointer, want := range all(claims) {
			ref, ok := claim.ParseRef(pointer)
			if !ok {
				t.Fatalf("%q is no pointer", pointer)
			}
			if got, found := ref.Lookup(claims); !found || !cmp.Equal(want, got) {
				t.Fatalf("%q does not find its value", pointer)
			}
		}
	})
}

// all is every value within a claims set, by its pointer.
func all(claims map[string]any) map[string]any {
	found := map[string]any{}
	var walk func(path []string, value any)
	walk = func(path []string, value any) {
		if len(path) > 0 {
			found[strictjson.Pointer(path...)] = value
		}
		switch value := value.(type) {
		case map[string]any:
			for name, v := range value {
				walk(append(path[:len(path):len(path)], name), v)
			}
		case []any:
			for i, v := range value {
				walk(append(path[:len(path):len(path)], strconv.Itoa(i)), v)
			}
		}
	}
	walk(nil, claims)
	return found
}
