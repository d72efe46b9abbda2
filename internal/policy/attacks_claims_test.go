package policy_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

func rfc9068(c *config.Config) { c.Issuers[0].TokenProfile = config.ProfileRFC9068 }

func typeAttacks(t *testing.T) []attack {
	typed := func(members ...string) string {
		return sign(t, "RS256", keys().rsa, header("RS256", "rsa", members...), claims())
	}
	return []attack{
		{"3.11", "a logout token", refusal.TypNotAllowed, typed(`"typ":"logout+jwt"`), nil},
		{"3.11", "a DPoP proof", refusal.TypNotAllowed, typed(`"typ":"dpop+jwt"`), nil},
		{"3.11", "a security event", refusal.TypNotAllowed, typed(`"typ":"secevent+jwt"`), nil},
		{"3.11", "typ with a space", refusal.TypNotAllowed, typed(`"typ":"at+jwt "`), nil},
		{"3.11", "typ missing where RFC 9068 asks", refusal.TypNotAllowed, typed(), rfc9068},
		{"3.11", "typ JWT where RFC 9068 asks", refusal.TypNotAllowed, typed(`"typ":"JWT"`), rfc9068},
		{"3.11", "typ is a number", refusal.MalformedToken, typed(`"typ":1`), nil},
		{"3.11", "typ is null", refusal.MalformedToken, typed(`"typ":null`), nil},
		{"3.11", "typ is a list", refusal.MalformedToken, typed(`"typ":["at+jwt"]`), nil},
		{"RFC 7515 4.1.11", "crit with an extension", refusal.MalformedToken, typed(`"crit":["x"]`, `"x":1`), nil},
		{"RFC 7515 4.1.11", "crit that is empty", refusal.MalformedToken, typed(`"crit":[]`), nil},
		{"RFC 7797", "b64 false", refusal.MalformedToken, typed(`"b64":false`), nil},
		{"RFC 7797", "b64 false and crit", refusal.MalformedToken, typed(`"b64":false`, `"crit":["b64"]`), nil},
		{"2.4", "zip", refusal.MalformedToken, typed(`"zip":"DEF"`), nil},
		{"2.8", "an ID token", refusal.BadAudience, good(t, "aud", `"client"`, "nonce", `"n"`), nil},
		{"2.8", "a token bound to a DPoP key, as bearer", refusal.DPoPFailed, good(t, "cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`), nil},
		{"2.8", "a token bound to a null DPoP key", refusal.DPoPFailed, good(t, "cnf", `{"jkt":null}`), nil},
		{"2.8", "a token bound to a certificate, as bearer", refusal.MTLSFailed, good(t, "cnf", `{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`), nil},
		{"2.8", "cnf is a string", refusal.MalformedToken, good(t, "cnf", `"jkt"`), nil},
		{"2.8", "cnf is null", refusal.MalformedToken, good(t, "cnf", `null`), nil},
	}
}

func timeAttacks(t *testing.T) []attack {
	attacks := []attack{
		{"3.8", "expired", refusal.Expired, good(t, "exp", at(-time.Hour)), nil},
		{"3.8", "exp 0", refusal.Expired, good(t, "exp", `0`), nil},
		{"3.8", "exp -0", refusal.Expired, good(t, "exp", `-0`), nil},
		{"3.8", "exp 1e-999", refusal.Expired, good(t, "exp", `1e-999`), nil},
		{"3.8", "exp missing", refusal.MalformedToken, good(t, "exp", ""), nil},
		{"3.8", "exp NaN", refusal.MalformedToken, good(t, "exp", `NaN`), nil},
		{"3.8", "exp in milliseconds", refusal.MalformedToken, good(t, "exp", at(time.Hour)+"000"), nil},
		{"3.8", "nbf ahead", refusal.NotYetValid, good(t, "nbf", at(time.Hour)), nil},
		{"3.8", "iat ahead", refusal.NotYetValid, good(t, "iat", at(time.Hour)), nil},
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		for what, value := range map[string]string{
			"a string": `"` + at(time.Hour) + `"`, "1e300": `1e300`, "1e999": `1e999`, "negative": `-1`,
			"the year 10000": `253402300800`, "null": `null`, "a list": `[` + at(time.Hour) + `]`, "true": `true`,
			"the text NaN": `"NaN"`, "the text Infinity": `"Infinity"`,
		} {
			attacks = append(attacks, attack{"3.8", name + " is " + what, refusal.MalformedToken, good(t, name, value), nil})
		}
	}
	return attacks
}

func audienceAttacks(t *testing.T) []attack {
	bad := func(name, value string) attack {
		return attack{"3.9", "aud " + name, refusal.BadAudience, good(t, "aud", value), nil}
	}
	return []attack{
		bad("missing", ""),
		bad("null", `null`),
		bad("an empty string", `""`),
		bad("an empty list", `[]`),
		bad("of another API", `"https://other-api.example/"`),
		bad("with our API inside", `"`+api+`admin"`),
		bad("in capitals", `"`+strings.ToUpper(api)+`"`),
		bad("a star", `"*"`),
		bad("a number", `1`),
		bad("a nested list", `[["`+api+`"]]`),
		bad("an object", `{"`+api+`":true}`),
		bad("a list with a number", `["`+api+`",1]`),
		bad("of two words", `"x `+api+`"`),
	}
}

func jsonAttacks(t *testing.T) []attack {
	k := keys()
	of := func(name, payload string) attack {
		return attack{"2.6", name, refusal.MalformedToken, sign(t, "RS256", k.rsa, header("RS256", "rsa"), payload), nil}
	}
	headed := func(name, header string) attack {
		return attack{"2.6", name, refusal.MalformedToken, sign(t, "RS256", k.rsa, header, claims()), nil}
	}
	rs256 := header("RS256", "rsa")
	return []attack{
		headed("header: alg twice", and(rs256, `"alg":"none"`)),
		headed("header: alg twice, once escaped", and(rs256, `"\u0061lg":"RS256"`)),
		headed("header: kid twice", and(rs256, `"kid":"p256"`)),
		headed("header: a member twice, nested", and(rs256, `"x":[{"y":{"z":1,"z":2}}]`)),
		headed("header: text after", rs256+"{}"),
		headed("header: null", `null`),
		headed("header: a list", `[`+rs256+`]`),
		headed("header: empty", ``),
		headed("header: invalid UTF-8", and(rs256, "\"x\":\"\xff\"")),
		headed("header: lone surrogate", and(rs256, `"x":"\ud800"`)),
		headed("header: nested 65 deep", and(rs256, `"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64))),
		of("claims: sub twice", and(claims(), `"sub":"admin"`)),
		of("claims: sub twice, once escaped", and(claims(), `"s\u0075b":"admin"`)),
		of("claims: exp twice", and(claims(), `"exp":1`)),
		of("claims: a member twice, nested", and(claims(), `"x":{"roles":{"a":1,"a":2}}`)),
		of("claims: a member twice in a list", and(claims(), `"x":[{"a":1,"a":1}]`)),
		of("claims: text after", claims()+"x"),
		of("claims: two documents", claims()+claims("sub", `"admin"`)),
		of("claims: zero byte after", claims()+"\x00"),
		of("claims: null", `null`),
		of("claims: a list", `[`+claims()+`]`),
		of("claims: a string", `"claims"`),
		of("claims: a number", `1`),
		of("claims: empty", ``),
		of("claims: cut short", strings.TrimSuffix(claims(), "}")),
		of("claims: a comma too many", and(claims(), ``)),
		of("claims: a comment", claims()+"/* */"),
		of("claims: a byte order mark", "\ufeff"+claims()),
		of("claims: UTF-16", utf16(claims())),
		of("claims: invalid UTF-8", claims("name", "\"\xc3\x28\"")),
		of("claims: overlong UTF-8", claims("name", "\"\xc0\xaf\"")),
		of("claims: UTF-8 of a surrogate", claims("name", "\"\xed\xa0\x80\"")),
		of("claims: lone surrogate", claims("name", `"\udc00"`)),
		of("claims: surrogates the wrong way", claims("name", `"\udc00\ud800"`)),
		of("claims: a name with a lone surrogate", claims("x", `{"\ud800":1}`)),
		of("claims: a raw line break in a string", claims("name", "\"a\nb\"")),
		of("claims: nested 65 deep", claims("x", strings.Repeat(`[`, 64)+strings.Repeat(`]`, 64))),
		of("claims: nested 5000 deep", claims("x", strings.Repeat(`[`, 2500)+strings.Repeat(`]`, 2500))),
		of("claims: a nested JWS", good(t)),
	}
}

func encodingAttacks(t *testing.T) []attack {
	k := keys()
	whole := good(t)
	parts := strings.Split(whole, ".")
	with := func(i int, part string) string {
		changed := append([]string(nil), parts...)
		changed[i] = part
		return strings.Join(changed, ".")
	}
	bad := func(rfc, name, token string) attack {
		return attack{rfc, name, refusal.MalformedToken, token, nil}
	}
	// "~" and "?" in places whose base64 has "+" and "/" for base64url's "-" and "_".
	std := base64.RawStdEncoding.EncodeToString([]byte(claims("name", `"~~~???>>>"`)))
	attacks := []attack{
		bad("2.3", "a JWE of five parts", whole+".AAAA.AAAA"),
		bad("2.3", "two parts", parts[0]+"."+parts[1]),
		bad("2.3", "four parts", whole+"."),
		bad("2.3", "an opaque token", "dGhpcyBpcyBvcGFxdWU"),
		bad("2.3", "JSON serialisation", `{"protected":"`+parts[0]+`","payload":"`+parts[1]+`","signature":"`+parts[2]+`"}`),
		bad("2.3", "nothing but dots", ".."),
		bad("2.3", "an empty header part", with(0, "")),
		bad("2.3", "an empty claims part", with(1, "")),
		bad("2.3", "standard base64 alphabet, signed so", signParts(t, "RS256", k.rsa, base64url(header("RS256", "rsa")), std)),
		bad("2.3", "longer than 16 KiB", good(t, "x", `"`+strings.Repeat("x", 12<<10)+`"`)),
		bad("2.3", "two tokens in one value", whole+" "+whole),
		bad("2.3", "two tokens, with a comma", whole+","+whole),
	}
	for i, part := range []string{"header", "claims", "signature"} {
		last := []byte(parts[i])
		half := len(last) / 2
		signed := func(changed string) string {
			switch i {
			case 0:
				return signParts(t, "RS256", k.rsa, changed, parts[1])
			case 1:
				return signParts(t, "RS256", k.rsa, parts[0], changed)
			}
			return with(i, changed)
		}
		attacks = append(attacks,
			bad("2.3", "padding on the "+part, signed(padded(parts[i]))),
			bad("2.3", "a line feed within the "+part, signed(parts[i][:half]+"\n"+parts[i][half:])),
			bad("2.3", "a carriage return after the "+part, signed(parts[i]+"\r")),
			bad("2.3", "a space within the "+part, signed(parts[i][:half]+" "+parts[i][half:])),
			bad("2.3", "a percent sign in the "+part, signed(parts[i]+"%3D")),
		)
	}
	// A last character that stands for the same bytes, and says more.
	head := header("RS256", "rsa")
	for len(head)%3 != 1 {
		head += " "
	}
	body := claims()
	for len(body)%3 != 1 {
		body += " "
	}
	trailing := func(s string) string { s = base64url(s); return s[:len(s)-1] + string(s[len(s)-1]+1) }
	return append(attacks,
		bad("2.3", "trailing bits in the header", signParts(t, "RS256", k.rsa, trailing(head), base64url(body))),
		bad("2.3", "trailing bits in the claims", signParts(t, "RS256", k.rsa, base64url(head), trailing(body))),
		bad("2.3", "trailing bits in the signature", whole[:len(whole)-1]+string(whole[len(whole)-1]+1)),
	)
}

// padded adds "=" as RFC 4648 would, and at least one.
func padded(part string) string {
	part += "="
	for len(part)%4 != 0 {
		part += "="
	}
	return part
}

func utf16(ascii string) string {
	var b strings.Builder
	for _, c := range []byte(ascii) {
		b.WriteByte(0)
		b.WriteByte(c)
	}
	return b.String()
}
