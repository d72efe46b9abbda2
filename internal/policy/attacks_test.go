package policy_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// attack is one forged or malformed token.
type attack struct {
	rfc   string // the section of RFC 8725 it belongs to, or the RFC it breaks
	name  string
	want  refusal.Kind
	token string
	// route changes the route's configuration; nil changes nothing.
	route func(*config.Config)
}

// TestEveryAttackIsRefused runs the attacks of RFC 8725 and its neighbours.
// It also logs which of them a plain golang-jwt with keyfunc would have let
// in: what this package is for.
func TestEveryAttackIsRefused(t *testing.T) {
	attacks := slices.Concat(
		algorithmAttacks(t), signatureAttacks(t), keyAttacks(t), typeAttacks(t),
		timeAttacks(t), audienceAttacks(t), jsonAttacks(t), encodingAttacks(t),
	)
	if len(attacks) < 60 {
		t.Fatalf("only %d attacks", len(attacks))
	}
	plain := plainGolangJWT(t)
	var letIn []string
	seen := map[string]bool{}
	for _, a := range attacks {
		if seen[a.name] {
			t.Errorf("%q is there twice", a.name)
		}
		seen[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			conf := route()
			if a.route != nil {
				a.route(conf)
			}
			got := outcome(compile(t, conf).Decide(bearing(a.token)))
			if got != reason(a.want) {
				t.Errorf("RFC 8725 %s: %s, want %s", a.rfc, got, reason(a.want))
			}
		})
		if plain(a.token) {
			letIn = append(letIn, a.name)
		}
	}
	slices.Sort(letIn)
	t.Logf("%d attacks refused; plain golang-jwt with keyfunc lets in %d of them:\n\t%s",
		len(attacks), len(letIn), strings.Join(letIn, "\n\t"))
}

// plainGolangJWT reports whether golang-jwt with nothing but its defaults (and
// this test's clock) takes a token.
func plainGolangJWT(t *testing.T) func(token string) bool {
	keys, err := keyfunc.NewJWKSetJSON(json.RawMessage(tenantSet()))
	if err != nil {
		t.Fatal(err)
	}
	now := jwt.WithTimeFunc(func() time.Time { return clock })
	takes := func(token string) bool {
		parsed, err := jwt.ParseWithClaims(token, jwt.MapClaims{}, keys.Keyfunc, now)
		return err == nil && parsed.Valid
	}
	if !takes(good(t)) {
		t.Fatal("golang-jwt does not take a good token")
	}
	return takes
}

// TestGoodTokensGoOn keeps the attacks honest: the same route takes a token of
// every kind of key.
func TestGoodTokensGoOn(t *testing.T) {
	k := keys()
	p := compile(t, route())
	for name, token := range map[string]string{
		"RS256":             good(t),
		"ES256":             sign(t, "ES256", k.p256, header("ES256", "p256"), claims()),
		"ES384":             sign(t, "ES384", k.p384, header("ES384", "p384"), claims()),
		"EdDSA":             sign(t, "EdDSA", k.ed25519, header("EdDSA", "ed25519"), claims()),
		"no kid":            sign(t, "RS256", k.rsa, header("RS256", ""), claims()),
		"typ JWT":           sign(t, "RS256", k.rsa, header("RS256", "rsa", `"typ":"JWT"`), claims()),
		"typ AT+JWT":        sign(t, "RS256", k.rsa, header("RS256", "rsa", `"typ":"AT+JWT"`), claims()),
		"space around JSON": sign(t, "RS256", k.rsa, " "+header("RS256", "rsa")+"\n", "\t"+claims()+" "),
	} {
		if got := outcome(p.Decide(bearing(token))); got != forwarded {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func algorithmAttacks(t *testing.T) []attack {
	k := keys()
	attacks := []attack{
		{"3.1", "no alg", refusal.MalformedToken, sign(t, "RS256", k.rsa, header("", "rsa"), claims()), nil},
		{"3.1", "alg is a number", refusal.MalformedToken, sign(t, "RS256", k.rsa, header("", "rsa", `"alg":256`), claims()), nil},
		{"3.1", "alg is a list", refusal.MalformedToken, sign(t, "RS256", k.rsa, header("", "rsa", `"alg":["RS256","none"]`), claims()), nil},
		{"3.1", "alg is empty", refusal.AlgNotAllowed, sign(t, "RS256", k.rsa, header("", "rsa", `"alg":""`), claims()), nil},
		{"3.1", "alg in small letters", refusal.AlgNotAllowed, sign(t, "RS256", k.rsa, header("rs256", "rsa"), claims()), nil},
		{"3.1", "alg ES256K", refusal.AlgNotAllowed, sign(t, "ES256", k.p256, header("ES256K", "p256"), claims()), nil},
		{"3.1", "alg RSA1_5 of JWE", refusal.AlgNotAllowed, sign(t, "RS256", k.rsa, header("RSA1_5", "rsa"), claims()), nil},
		{"3.1", "alg the route does not list", refusal.AlgNotAllowed, sign(t, "ES256", k.p256, header("ES256", "p256"), claims()), onlyRS256},
		{"3.2", "PS256 with a key for RS256", refusal.UnknownKey, sign(t, "PS256", k.rsa, header("PS256", "rsa"), claims()), nil},
		{"3.2", "RS512 with a key for RS256", refusal.UnknownKey, sign(t, "RS512", k.rsa, header("RS512", "rsa"), claims()), nil},
		{"3.2", "ES384 with a P-256 key", refusal.UnknownKey, rawOf(signRaw(crypto.SHA384, k.p256, 48, header("ES384", "p256"), claims())), nil},
		{"3.2", "ES256 with a P-384 key", refusal.UnknownKey, rawOf(signRaw(crypto.SHA256, k.p384, 48, header("ES256", "p384"), claims())), nil},
		{"3.2", "EdDSA with an RSA key", refusal.UnknownKey, sign(t, "EdDSA", k.ed25519, header("EdDSA", "rsa"), claims()), nil},
		{"2.2", "HS256 with a guessable secret", refusal.AlgNotAllowed, sign(t, "HS256", []byte("secret"), header("HS256", "rsa"), claims()), nil},
		{"2.2", "HS256 with an empty secret", refusal.AlgNotAllowed, sign(t, "HS256", []byte(""), header("HS256", "rsa"), claims()), nil},
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", "n\u043ene"} {
		unsigned := base64url(header(alg, "rsa")) + "." + base64url(claims()) + "."
		signed := sign(t, "RS256", k.rsa, header(alg, "rsa"), claims())
		attacks = append(attacks,
			attack{"2.1", "alg " + alg + "| without a signature", refusal.AlgNotAllowed, unsigned, nil},
			attack{"2.1", "alg " + alg + "| with a signature", refusal.AlgNotAllowed, signed, nil},
		)
	}
	// The public key, as anyone can have it, taken for a shared secret.
	pkix := must(x509.MarshalPKIXPublicKey(&k.rsa.PublicKey))
	public := map[string][]byte{
		"PKIX PEM":   pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		"PKIX DER":   pkix,
		"PKCS#1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)}),
		"PKCS#1 DER": x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey),
		"JWK":        must(json.Marshal(rsaJWK("rsa", "RS256", "sig", &k.rsa.PublicKey))),
		"JWK Set":    tenantSet(),
		"modulus":    k.rsa.N.Bytes(),
		"n of JWK":   []byte(base64url(k.rsa.N.Bytes())),
	}
	for form, secret := range public {
		attacks = append(attacks, attack{
			"2.1", "HS256 with the RSA public key, " + form, refusal.AlgNotAllowed,
			sign(t, "HS256", secret, header("HS256", "rsa"), claims()), nil,
		})
	}
	return attacks
}

func signatureAttacks(t *testing.T) []attack {
	k := keys()
	es256, der := signRaw(crypto.SHA256, k.p256, 32, header("ES256", "p256"), claims())
	es256Input := es256[:strings.LastIndexByte(es256, '.')+1]
	rs256 := good(t)
	parts := strings.Split(rs256, ".")
	zeros := base64url(make([]byte, 64))
	order := k.p256.Params().N.Bytes()
	swapped := sign(t, "PS256", k.rsa, header("RS256", "rsa"), claims())
	return []attack{
		{"2.1", "no signature", refusal.BadSignature, parts[0] + "." + parts[1] + ".", nil},
		{"2.1", "signature cut short", refusal.BadSignature, rs256[:len(rs256)-2], nil},
		{"2.1", "signature made longer", refusal.BadSignature, rs256 + "AAAA", nil},
		{"2.1", "signature of zeros", refusal.BadSignature, parts[0] + "." + parts[1] + "." + base64url(make([]byte, 256)), nil},
		{"2.1", "claims changed after signing", refusal.BadSignature, parts[0] + "." + base64url(claims("sub", `"admin"`)) + "." + parts[2], nil},
		{"2.1", "header changed after signing", refusal.BadSignature, base64url(header("RS256", "rsa", `"x":1`)) + "." + parts[1] + "." + parts[2], nil},
		{"3.2", "RS256 over a PS256 signature", refusal.BadSignature, swapped, nil},
		{"2.5", "ES256 with r = s = 0", refusal.BadSignature, es256Input + zeros, nil},
		{"2.5", "ES256 with r = s = n", refusal.BadSignature, es256Input + base64url(slices.Concat(order, order)), nil},
		{"2.5", "ES256 with an ASN.1 signature", refusal.BadSignature, der, nil},
		{"2.5", "ES256 cut within r", refusal.BadSignature, es256[:len(es256)-46], nil},
		{"2.5", "ES256 without signature", refusal.BadSignature, es256Input, nil},
		{"2.5", "EdDSA of zeros", refusal.BadSignature, sign(t, "EdDSA", k.ed25519, header("EdDSA", "ed25519"), claims())[:len(base64url(header("EdDSA", "ed25519")))+1+len(base64url(claims()))+1] + zeros, nil},
	}
}

func keyAttacks(t *testing.T) []attack {
	k := keys()
	jwk := string(must(json.Marshal(rsaJWK("rsa", "RS256", "sig", &k.attacker.PublicKey))))
	der := base64.StdEncoding.EncodeToString(must(x509.MarshalPKIXPublicKey(&k.attacker.PublicKey)))
	own := func(kid string, members ...string) string {
		return sign(t, "RS256", k.attacker, header("RS256", kid, members...), claims())
	}
	rsa := func(header, claims string) string { return sign(t, "RS256", k.rsa, header, claims) }
	return []attack{
		{"3.8", "the attacker's key", refusal.BadSignature, own("rsa"), nil},
		{"3.8", "the attacker's key without kid", refusal.BadSignature, own(""), nil},
		{"3.10", "a kid that is not there", refusal.UnknownKey, own("mine"), nil},
		{"3.10", "an empty kid", refusal.UnknownKey, rsa(header("RS256", "", `"kid":""`), claims()), nil},
		{"3.10", "kid in other letters", refusal.UnknownKey, rsa(header("RS256", "RSA"), claims()), nil},
		{"3.10", "kid is a path", refusal.UnknownKey, own("../../../../../../dev/null"), nil},
		{"3.10", "kid is SQL", refusal.UnknownKey, own("x' UNION SELECT 'secret' -- "), nil},
		{"3.10", "kid is a command", refusal.UnknownKey, own("rsa|id"), nil},
		{"3.10", "kid is a URL", refusal.UnknownKey, own("https://attacker.example/key"), nil},
		{"3.10", "kid ends in a zero byte", refusal.UnknownKey, rsa(header("RS256", "", `"kid":"rsa\u0000"`), claims()), nil},
		{"3.10", "kid is a number", refusal.MalformedToken, rsa(header("RS256", "", `"kid":1`), claims()), nil},
		{"3.10", "kid is null", refusal.MalformedToken, rsa(header("RS256", "", `"kid":null`), claims()), nil},
		{"3.10", "kid is a list", refusal.MalformedToken, rsa(header("RS256", "", `"kid":["rsa"]`), claims()), nil},
		{"3.10", "jwk of the attacker", refusal.BadSignature, own("rsa", `"jwk":`+jwk), nil},
		{"3.10", "jwk of the attacker, kid too", refusal.UnknownKey, own("mine", `"jwk":`+jwk), nil},
		{"3.10", "jku of the attacker", refusal.BadSignature, own("rsa", `"jku":"https://attacker.example/jwks.json"`), nil},
		{"3.10", "x5u of the attacker", refusal.BadSignature, own("rsa", `"x5u":"https://attacker.example/cert.pem"`), nil},
		{"3.10", "x5c of the attacker", refusal.BadSignature, own("rsa", `"x5c":["`+der+`"]`), nil},
		{"3.5", "RSA of 1024 bits", refusal.UnknownKey, sign(t, "RS256", k.weak, header("RS256", "weak"), claims()), nil},
		{"3.2", "a key for encryption", refusal.UnknownKey, sign(t, "RS256", k.encryption, header("RS256", "encryption"), claims()), nil},
		{"3.8", "another tenant's key", refusal.BadSignature, sign(t, "RS256", k.otherTenant, header("RS256", "rsa"), claims()), nil},
		{"3.8", "another tenant's token", refusal.UnknownIssuer, sign(t, "RS256", k.otherTenant, header("RS256", "rsa"), claims("iss", `"`+otherTenant+`"`)), nil},
		{"3.8", "another tenant's iss, our key", refusal.UnknownIssuer, good(t, "iss", `"`+otherTenant+`"`), nil},
		{"3.8", "another trusted tenant's key with our iss", refusal.BadSignature, sign(t, "RS256", k.otherTenant, header("RS256", "rsa"), claims()), bothTenants},
		{"3.8", "our key with another trusted tenant's iss", refusal.BadSignature, good(t, "iss", `"`+otherTenant+`"`), bothTenants},
		{"3.8", "iss without its slash", refusal.UnknownIssuer, good(t, "iss", `"https://tenant.example"`), nil},
		{"3.8", "iss in capitals", refusal.UnknownIssuer, good(t, "iss", `"https://TENANT.example/"`), nil},
		{"3.8", "iss missing", refusal.UnknownIssuer, good(t, "iss", ""), nil},
		{"3.8", "iss empty", refusal.UnknownIssuer, good(t, "iss", `""`), nil},
		{"3.8", "iss is a list", refusal.UnknownIssuer, good(t, "iss", `["`+tenant+`"]`), nil},
		{"3.8", "iss is an object", refusal.UnknownIssuer, good(t, "iss", `{"`+tenant+`":1}`), nil},
	}
}

func rawOf(raw, _ string) string { return raw }

func onlyRS256(c *config.Config) { c.Issuers[0].Algorithms = []string{"RS256"} }

func bothTenants(c *config.Config) {
	c.Issuers = append(c.Issuers, config.Issuer{
		Issuer: otherTenant, JWKS: otherTenantSet(), Audience: []string{api}, Algorithms: []string{"RS256"}, SSLVerify: true,
	})
}
