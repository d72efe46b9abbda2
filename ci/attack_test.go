package ci_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// TestAttacks holds hostile tokens. Wherever that is possible they are signed
// with the good key, so that nothing but the check in question refuses them.
func TestAttacks(t *testing.T) {
	public := must(x509.MarshalPKIXPublicKey(&ownRSA.PublicKey))
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	publicPKCS1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&ownRSA.PublicKey)})
	confused := func(secret []byte) string {
		return jws{header: map[string]any{"alg": "HS256"}, sign: hs256(secret)}.String()
	}
	none := func(alg string) string {
		return jws{header: map[string]any{"alg": alg}, sign: unsigned}.String()
	}
	headed := func(h map[string]any) string { return jws{header: h}.String() }
	rogue := func(h map[string]any) string { return jws{header: h, sign: rs256(rogueRSA)}.String() }
	after := func(text string) func(string) string {
		return func(doc string) string { return doc + text }
	}
	inside := func(member string) func(string) string {
		return func(doc string) string { return doc[:len(doc)-1] + "," + member + "}" }
	}
	part := func(n int, change func(string) string) string {
		parts := strings.Split(goodToken(), ".")
		parts[n] = change(parts[n])
		return strings.Join(parts, ".")
	}
	pad := func(s string) string { return s + strings.Repeat("=", 4-len(s)%4) }
	rogueJWK := publicJWK(rogueRSA, rsaKid)
	attackers := "http://" + under.upstream.node + "/jwks.json"
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)

	tests := []struct{ name, token string }{
		{"alg none", none("none")},
		{"alg None", none("None")},
		{"alg nOnE", none("nOnE")},
		{"an empty alg", none("")},
		{"alg none with the good signature", headed(map[string]any{"alg": "none"})},
		{"alg missing", headed(map[string]any{"alg": nil})},
		{"alg as a list", headed(map[string]any{"alg": []string{"RS256"}})},
		{"alg in small letters", headed(map[string]any{"alg": "rs256"})},
		{"HS256 with the public key's PEM as its secret", confused(publicPEM)},
		{"HS256 with the PEM less its last line end", confused([]byte(strings.TrimSpace(string(publicPEM))))},
		{"HS256 with the PKCS #1 PEM", confused(publicPKCS1)},
		{"HS256 with the public key's DER", confused(public)},
		{"HS256 with the modulus", confused(ownRSA.N.Bytes())},
		{"HS256 with an empty secret", confused(nil)},
		{"a kid that climbs to /dev/null", rogue(map[string]any{"kid": "../../../../../../dev/null"})},
		{"a kid that climbs, HS256 and an empty secret", jws{header: map[string]any{"alg": "HS256", "kid": "../../../dev/null"}, sign: hs256(nil)}.String()},
		{"a kid with SQL in it", rogue(map[string]any{"kid": "x' UNION SELECT 'secret"})},
		{"a kid that is a URL", rogue(map[string]any{"kid": attackers})},
		{"a kid that is a number", headed(map[string]any{"kid": 7})},
		{"an empty kid", rogue(map[string]any{"kid": ""})},
		{"jku to the attacker's keys", rogue(map[string]any{"jku": attackers})},
		{"x5u to the attacker's certificate", rogue(map[string]any{"x5u": attackers})},
		{"the attacker's key in jwk", rogue(map[string]any{"jwk": rogueJWK})},
		{"the attacker's key in jwk, without a kid", rogue(map[string]any{"jwk": rogueJWK, "kid": nil})},
		{"the attacker's certificate in x5c", rogue(map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(public)}})},
		{"crit with a name unknown", headed(map[string]any{"crit": []string{"http://example.com/x"}, "http://example.com/x": true})},
		{"crit with a name known", headed(map[string]any{"crit": []string{"exp"}})},
		{"an empty crit", headed(map[string]any{"crit": []string{}})},
		{"b64 false", headed(map[string]any{"b64": false, "crit": []string{"b64"}})},
		{"b64 false without crit", headed(map[string]any{"b64": false})},
		{"zip", headed(map[string]any{"zip": "DEF"})},
		{"alg twice in the header", jws{rewriteHeader: inside(`"alg":"RS256"`)}.String()},
		{"sub twice", jws{rewriteBody: inside(`"sub":"admin"`)}.String()},
		{"a claim twice by an escape", jws{rewriteBody: inside(`"\u0073ub":"admin"`)}.String()},
		{"a member twice further down", jws{rewriteBody: inside(`"a":[{"b":1,"b":2}]`)}.String()},
		{"a second document after the claims", jws{rewriteBody: after(`{"sub":"admin"}`)}.String()},
		{"a letter after the claims", jws{rewriteBody: after("x")}.String()},
		{"a second document after the header", jws{rewriteHeader: after("{}")}.String()},
		{"a zero byte after the claims", jws{rewriteBody: after("\x00")}.String()},
		{"a byte order mark", jws{rewriteBody: func(s string) string { return "\ufeff" + s }}.String()},
		{"claims that are not UTF-8", jws{rewriteBody: inside("\"n\":\"\xff\xfe\"")}.String()},
		{"claims nested too deep", jws{rewriteBody: inside(`"d":` + deep)}.String()},
		{"claims that are null", jws{rawClaims: "null"}.String()},
		{"claims that are a list", jws{rawClaims: "[]"}.String()},
		{"claims that are a string", jws{rawClaims: `"sub"`}.String()},
		{"no claims", jws{rawClaims: "{}"}.String()},
		{"a header that is null", jws{rawHeader: "null"}.String()},
		{"padding in the header", part(0, pad)},
		{"padding in the claims", part(1, pad)},
		{"padding in the signature", part(2, pad)},
		{"standard base64", part(2, func(s string) string { return "+/" + s[2:] })},
		{"a space inside", part(1, func(s string) string { return s[:8] + " " + s[8:] })},
		{"bits behind the end", part(2, func(s string) string { return s[:len(s)-1] + nextLetter(s[len(s)-1]) })},
		{"no signature", part(2, func(string) string { return "" })},
		{"a signature cut short", part(2, func(s string) string { return s[:len(s)/2] })},
		{"a signature of another token", part(2, func(string) string { return strings.Split(jws{claims: map[string]any{"x": 1}}.String(), ".")[2] })},
		{"other claims under the signature", part(1, func(string) string {
			return forge.Base64URL(overlay(map[string]any{"iss": ownIssuer, "aud": audience, "sub": "admin", "exp": 4102444800}, nil))
		})},
		{"one part", "opaque-opaque-opaque"},
		{"two parts", strings.Join(strings.Split(goodToken(), ".")[:2], ".")},
		{"four parts", goodToken() + ".YQ"},
		{"five parts, as a JWE has", goodToken() + ".YQ.YQ"},
		{"two dots alone", ".."},
		{"a token of dots", strings.Repeat(".", 2000)},
		{"the token twice", goodToken() + "," + goodToken()},
		{"exp as a string", claims(map[string]any{"exp": "4102444800"})},
		{"exp of 1e300", claims(map[string]any{"exp": literal("1e300")})},
		{"exp of 1e400", claims(map[string]any{"exp": literal("1e400")})},
		{"exp beyond year 9999", claims(map[string]any{"exp": literal("253402300800")})},
		{"exp below zero", claims(map[string]any{"exp": -1})},
		{"exp null", claims(map[string]any{"exp": literal("null")})},
		{"exp true", claims(map[string]any{"exp": true})},
		{"exp missing", claims(map[string]any{"exp": nil})},
		{"nbf as a string", claims(map[string]any{"nbf": "0"})},
		{"nbf of 1e300", claims(map[string]any{"nbf": literal("1e300")})},
		{"iat as a string", claims(map[string]any{"iat": "0"})},
		{"aud missing", claims(map[string]any{"aud": nil})},
		{"aud empty", claims(map[string]any{"aud": []string{}})},
		{"aud null", claims(map[string]any{"aud": literal("null")})},
		{"aud a number", claims(map[string]any{"aud": 1})},
		{"aud an object", claims(map[string]any{"aud": map[string]any{audience: true}})},
		{"aud with more behind it", claims(map[string]any{"aud": audience + "/admin"})},
		{"aud in other letters", claims(map[string]any{"aud": strings.ToUpper(audience)})},
	}
	r := newRoute(t, identityOwn)
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T) { r.refuses(t, request{token: tt.token}, badToken, subject) })
	}
	run(t, "the good token still passes", func(t *testing.T) {
		r.passes(t, request{token: goodToken()}).has(t, "X-User-Id", subject)
	})
	run(t, "a token of 7 KiB passes", func(t *testing.T) {
		r.passes(t, request{token: claims(map[string]any{"filler": strings.Repeat("x", 4800)})})
	})
	run(t, "a header line that the gateway refuses goes nowhere", func(t *testing.T) {
		before := under.upstream.requests(t)
		a := r.send(t, request{token: claims(map[string]any{"filler": strings.Repeat("x", 13<<10)})})
		if a.status < http.StatusBadRequest || a.status >= http.StatusInternalServerError {
			t.Errorf("status %d, want a 4xx", a.status)
		}
		if under.upstream.requests(t) != before {
			t.Error("it reached the upstream")
		}
	})
	run(t, "line breaks inside a token", func(t *testing.T) {
		byQuery := newRoute(t, identityOwn.with(policy{"token_from": []any{map[string]any{"query": "t"}}}))
		good := goodToken()
		for _, breaking := range []string{"%0A", "%0D%0A", "%0D"} {
			byQuery.refuses(t, request{query: "t=" + good[:40] + breaking + good[40:]}, badToken, good)
		}
		byQuery.passes(t, request{query: "t=" + good})
	})
}

// nextLetter is a base64url letter whose last bits differ: the 256 bytes of a
// signature leave four of them unused.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(letters, c)
	return string(letters[i|1])
}
