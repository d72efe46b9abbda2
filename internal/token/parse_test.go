package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

var encode = forge.Base64URL[string]

// compact is a token of two JSON texts, with a signature that is none.
func compact(header, claims string) string {
	return forge.Compact(header, claims, []byte("signature"))
}

const header = `{"alg":"RS256","kid":"a","typ":"JWT"}`

func TestParseReadsHeaderAndClaims(t *testing.T) {
	raw := compact(header, ` {"iss":"i","n":1.0,"list":[null]} `)
	got, err := token.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := &token.Untrusted{
		Raw: raw, SigningInput: raw[:strings.LastIndexByte(raw, '.')], Signature: []byte("signature"),
		Alg: "RS256", Typ: "JWT", Kid: "a", HasKid: true, Header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "a"},
		Claims:  got.Claims,
		Payload: []byte(` {"iss":"i","n":1.0,"list":[null]} `),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.String("iss") != "i" || got.String("n") != "" || got.String("x") != "" {
		t.Errorf("String: %q %q %q", got.String("iss"), got.String("n"), got.String("x"))
	}
}

func TestParseTellsAnEmptyKidFromNone(t *testing.T) {
	for header, want := range map[string]bool{`{"alg":"RS256","kid":""}`: true, `{"alg":"RS256"}`: false} {
		got, err := token.Parse(compact(header, `{}`))
		if err != nil || got.HasKid != want || got.Kid != "" {
			t.Errorf("%s: HasKid %v, %v", header, got.HasKid, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := compact(header, `{}`)
	for name, c := range map[string]struct{ raw, why string }{
		"nothing":                 {"", "an opaque token, not a JWT"},
		"no dots":                 {"abc", "an opaque token, not a JWT"},
		"two parts":               {"e30.e30", "not three parts"},
		"four parts":              {good + ".", "not three parts"},
		"five parts":              {good + "..", "an encrypted token (JWE)"},
		"six parts":               {good + "...", "not three parts"},
		"17 KiB":                  {strings.Repeat("a", 17<<10), "longer than 16 KiB"},
		"empty parts":             {"..", "the header: not valid JSON"},
		"padding in the header":   {"e30=.e30.", "the header is not base64url without padding"},
		"line break in a header":  {"e3\n0.e30.", "the header is not base64url without padding"},
		"trailing bits":           {"e31.e30.", "the header is not base64url without padding"},
		"a header that is a list": {compact(`[]`, `{}`), "the header is not a JSON object"},
		"no alg":                  {compact(`{}`, `{}`), "alg is not a string"},
		"a repeated name":         {compact(`{"alg":"a","alg":"b"}`, `{}`), "the header: repeated member name"},
		"crit":                    {compact(`{"alg":"a","crit":null}`, `{}`), "crit in the header"},
		"zip":                     {compact(`{"alg":"a","zip":""}`, `{}`), "zip in the header"},
		"b64":                     {compact(`{"alg":"a","b64":true}`, `{}`), "b64 in the header"},
		"typ is empty":            {compact(`{"alg":"a","typ":""}`, `{}`), "typ is not a string"},
		"kid is a number":         {compact(`{"alg":"a","kid":7}`, `{}`), "kid is not a string"},
		"claims that are null":    {compact(header, `null`), "the claims set is not a JSON object"},
		"text after the claims":   {compact(header, `{}{}`), "the claims set: text after the JSON document"},
		"claims nested too deep":  {compact(header, `{"a":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+`}`), "the claims set: nested too deep"},
		"claims no UTF-8":         {compact(header, "{\"a\":\"\xff\"}"), "the claims set: not valid UTF-8"},
		"carriage return at end":  {good + "\r", "the signature is not base64url without padding"},
		"standard base64":         {encode(header) + ".e30.+/+/", "the signature is not base64url without padding"},
	} {
		got, err := token.Parse(c.raw)
		if got != nil || !errors.Is(err, token.ErrMalformed) || err.Error() != "malformed token: "+c.why {
			t.Errorf("%s: %v, want %s", name, err, c.why)
		}
	}
}

func TestParseTakesExactly16KiB(t *testing.T) {
	start := encode(header) + ".e30."
	rest := token.MaxLen - len(start)
	if rest%4 == 1 { // no base64url has this length
		start = encode(header+" ") + ".e30."
		rest = token.MaxLen - len(start)
	}
	raw := start + strings.Repeat("A", rest)
	if _, err := token.Parse(raw); err != nil {
		t.Errorf("%d bytes: %v", len(raw), err)
	}
	_, err := token.Parse(raw + "A")
	if err == nil || !strings.HasSuffix(err.Error(), "longer than 16 KiB") {
		t.Errorf("one byte more: %v", err)
	}
}
