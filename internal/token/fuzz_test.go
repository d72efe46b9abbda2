package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// FuzzParse holds that there is one way to write what parses, and one way to
// read it: the three parts encode again to the same text, and encoding/json
// finds the same claims.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		compact(header, `{"iss":"i","exp":1,"aud":["a"]}`), compact(header, `{"a":1,"a":2}`),
		"e30.e30.", "..", "a.b.c.d.e", compact(`{"alg":"none"}`, `{}`), compact(header, "{\"a\":\"\xff\"}"),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := token.Parse(raw)
		if err != nil {
			if tok != nil || !errors.Is(err, token.ErrMalformed) {
				t.Fatalf("%v, with a token: %v", err, tok != nil)
			}
			return
		}
		parts := strings.Split(raw, ".")
		if len(parts) != 3 || len(raw) > token.MaxLen {
			t.Fatalf("%d parts, %d bytes", len(parts), len(raw))
		}
		head, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		again := encode(string(head)) + "." + encode(string(tok.Payload))
		if again != tok.SigningInput || again+"."+encode(string(tok.Signature)) != raw || tok.Raw != raw {
			t.Fatal("the parts encode to another text")
		}
		decoder := json.NewDecoder(strings.NewReader(string(tok.Payload)))
		decoder.UseNumber()
		var want map[string]any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if diff := cmp.Diff(want, tok.Claims); diff != "" {
			t.Fatalf("(-encoding/json +token):\n%s", diff)
		}
		var members map[string]any
		if err := json.Unmarshal(head, &members); err != nil || members["alg"] != tok.Alg {
			t.Fatalf("encoding/json reads another alg: %v", err)
		}
		if kid, has := members["kid"]; has != tok.HasKid || has && kid != tok.Kid {
			t.Fatal("encoding/json reads another kid")
		}
		if tok.CheckTimes(time.Unix(now, 0), 0, 0) == nil {
			if _, isNumber := want["exp"].(json.Number); !isNumber {
				t.Fatal("good times without exp")
			}
		}
	})
}
