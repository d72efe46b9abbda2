package jwks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

// text is a key as JSON text with some more of it at the end.
func text(k jwk, more string) string {
	return strings.TrimSuffix(string(must(json.Marshal(k))), "}") + more + "}"
}

func TestWhatIsWrongWithinAKeyIsNoReasonToDropItsNeighbours(t *testing.T) {
	nameless := rsaJWK("", rsaKey())
	delete(nameless, "kid")
	for name, bad := range map[string]string{
		"a lone surrogate for a kid":          text(nameless, `,"kid":"\ud800"`),
		"a low surrogate before a high one":   text(nameless, `,"kid":"\udc00\ud800"`),
		"a kid that is not UTF-8":             text(nameless, `,"kid":"`+"\xff"+`"`),
		"a kid with an overlong form":         text(nameless, `,"kid":"`+"\xc0\xaf"+`"`),
		"a lone surrogate where nobody looks": text(nameless, `,"x":{"y":["\udfff"]}`),
		"a member's name that is no Unicode":  text(nameless, `,"\ud800":1`),
		"a kid given twice":                   text(nameless, `,"kid":"a","kid":"b"`),
		"a kid given twice, once escaped":     text(nameless, `,"kid":"a","k\u0069d":"b"`),
		"a member given twice further down":   text(nameless, `,"x5c":{"a":1,"a":2}`),
		"a key nested too deep":               text(nameless, `,"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)),
		"a list nested too deep for a key":    strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"a number":                            "1e999",
	} {
		good := string(must(json.Marshal(rsaJWK("good", rsaKey()))))
		for order, list := range []string{bad + "," + good, good + "," + bad, bad + " ,\n" + good + "\t, " + bad} {
			p, err := jwks.Static([]byte(`{"keys": [` + list + `]}`))
			if err != nil {
				t.Errorf("%s, %d: %v", name, order, err)
				continue
			}
			if diff := cmp.Diff([]string{"good"}, p.Status().KeyIDs); diff != "" || p.Status().Skipped == 0 {
				t.Errorf("%s, %d: %+v", name, order, p.Status())
			}
		}
	}
}

func TestWhatIsWrongAroundTheKeysIsWrongWithTheSet(t *testing.T) {
	good := string(must(json.Marshal(rsaJWK("good", rsaKey()))))
	for name, document := range map[string]string{
		"no document":                  "",
		"a list":                       `[` + good + `]`,
		"a key alone":                  good,
		"no keys":                      `{"key":[` + good + `]}`,
		"keys in capitals":             `{"KEYS":[` + good + `]}`,
		"keys no list":                 `{"keys":` + good + `}`,
		"keys null":                    `{"keys":null}`,
		"keys given twice":             `{"keys":[` + good + `],"keys":[]}`,
		"keys given twice, escaped":    `{"keys":[` + good + `],"\u006beys":[` + good + `]}`,
		"another member twice":         `{"a":1,"a":1,"keys":[` + good + `]}`,
		"another member no Unicode":    `{"keys":[` + good + `],"a":"\ud800"}`,
		"another member before it":     `{"a":"\ud800","keys":[` + good + `]}`,
		"another member is too deep":   `{"keys":[` + good + `],"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"text behind it":               `{"keys":[` + good + `]} x`,
		"cut short":                    `{"keys":[` + good,
		"cut short behind the list":    `{"keys":[` + good + `]`,
		"a wrong bracket":              `{"keys":[` + good + `}}`,
		"a comma too many":             `{"keys":[` + good + `,]}`,
		"a comma before it":            `{"keys":[,` + good + `]}`,
		"no comma":                     `{"keys":[` + good + good + `]}`,
		"a key that is no JSON":        `{"keys":[` + good + `,{"kty":RSA}]}`,
		"a key with a bad escape":      `{"keys":[` + good + `,{"kid":"\x"}]}`,
		"a key with a control in it":   `{"keys":[` + good + ",{\"kid\":\"a\nb\"}]}",
		"a member without a value":     `{"keys":[` + good + `],"a"}`,
		"a member's name is no string": `{"keys":[` + good + `],1:2}`,
	} {
		if p, err := jwks.Static([]byte(document)); err == nil {
			t.Errorf("%s: %+v", name, p.Status())
		}
	}
}

func TestASetMayHaveOtherMembers(t *testing.T) {
	good := string(must(json.Marshal(rsaJWK("good", rsaKey()))))
	p, err := jwks.Static([]byte(" {\"a\":[{\"keys\":1}] , \"\\u006beys\" :\n[ " + good + " ] ,\"b\":\"]}\"} "))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"good"}, p.Status().KeyIDs); diff != "" {
		t.Error(diff)
	}
}

func TestASetHasAThousandKeysAtMost(t *testing.T) {
	key := string(must(json.Marshal(edJWK("k"))))
	for n, taken := range map[int]bool{1000: true, 1001: false} {
		_, err := jwks.Static([]byte(`{"keys":[` + strings.Repeat(key+",", n-1) + key + `]}`))
		if (err == nil) != taken {
			t.Errorf("%d keys: %v", n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "too large") {
			t.Errorf("%d keys: the error does not say why: %v", n, err)
		}
	}
}
