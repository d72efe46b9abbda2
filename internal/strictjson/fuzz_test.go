package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// FuzzParse holds that encoding/json takes whatever this package takes, and
// reads the same value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u00e9\ud83d\ude00"],"b":null}`, `[true,false,{}]`, `{"a":1,"a":2}`, `"\ud800"`, `01`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := strictjson.Parse(document, strictjson.Options{})
		repeats := 0
		_, lenient := strictjson.Parse(document, strictjson.Options{OnDuplicate: func(string) { repeats++ }})
		if (err == nil) != (lenient == nil && repeats == 0) || errors.Is(lenient, strictjson.ErrDuplicate) && repeats == 0 {
			t.Fatalf("strict: %v; with OnDuplicate: %v, %d repeats", err, lenient, repeats)
		}
		if lenient == nil && !json.Valid(document) {
			t.Fatal("encoding/json finds no JSON here")
		}
		if err != nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(document))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-encoding/json +strictjson):\n%s", diff)
		}
	})
}
