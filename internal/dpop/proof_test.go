package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var (
	clock   = time.Unix(1_800_000_000, 0)
	key     = forge.P256()
	another = forge.OtherP256()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return forge.Base64URL(b) }

type object = map[string]any

func ecJWK(k *ecdsa.PrivateKey) object { return forge.JWK(k) }

// draft is a proof that is good until something in it is changed.
type draft struct {
	header, claims object
	alg            string
	key            crypto.PrivateKey
}

func newDraft() *draft {
	d := forge.Proof{Key: key, Method: "POST", URL: "https://api.example.com/orders", Token: "the-token", ID: "id", At: clock}.Draft()
	return &draft{header: d.Header, claims: d.Claims, alg: d.Alg, key: d.Key}
}

func (d *draft) String() string {
	return forge.Sign(d.alg, d.key, forge.JSON(d.header), forge.JSON(d.claims))
}

func expected(thumbprint string) dpop.Expected {
	return dpop.Expected{
		Method: "POST", URL: must(dpop.Request{Scheme: "https", Authority: "api.example.com", Target: "/orders?page=2"}.URL()),
		Token: "the-token", Thumbprint: thumbprint, Now: clock, Leeway: 30 * time.Second, MaxLeeway: 5 * time.Minute,
	}
}

// TestAProofIsRememberedUntilNoRouteTakesIt: however little leeway the route
// that took it has.
func TestAProofIsRememberedUntilNoRouteTakesIt(t *testing.T) {
	for _, leeway := range []time.Duration{0, 30 * time.Second, 5 * time.Minute} {
		want := expected(jwk.Thumbprint(key.Public()))
		want.Leeway = leeway
		proof, err := dpop.Verify(newDraft().String(), want)
		if err != nil {
			t.Fatal(err)
		}
		widest := want
		widest.Leeway, widest.Now = want.MaxLeeway, proof.Expires
		if _, err := dpop.Verify(newDraft().String(), widest); !errors.Is(err, dpop.ErrTime) {
			t.Errorf("leeway %v: forgotten at %v, when a route with the greatest leeway takes it: %v", leeway, proof.Expires, err)
		}
	}
}

// TestEveryCheckOfSection43 is RFC 9449 section 4.3, check by check; the first
// (one header) and the replay of section 11.1 are held by the policy's tests.
func TestEveryCheckOfSection43(t *testing.T) {
	own := jwk.Thumbprint(key.Public())
	header := func(name string, v any) func(*draft) { return func(d *draft) { d.header[name] = v } }
	claim := func(name string, v any) func(*draft) { return func(d *draft) { d.claims[name] = v } }
	without := func(name string) func(*draft) { return func(d *draft) { delete(d.claims, name) } }
	for _, tt := range []struct {
		check, name string
		change      func(*draft)
		want        error
	}{
		{"", "a good proof", func(*draft) {}, nil},
		{"3", "without jti", without("jti"), dpop.ErrID},
		{"3", "an empty jti", claim("jti", ""), dpop.ErrID},
		{"3", "a number for jti", claim("jti", 7), dpop.ErrID},
		{"3", "without htm", without("htm"), dpop.ErrMethod},
		{"3", "without htu", without("htu"), dpop.ErrURL},
		{"3", "without iat", without("iat"), dpop.ErrTime},
		{"3", "without ath (section 7)", without("ath"), dpop.ErrToken},
		{"3", "ath padded", claim("ath", newDraft().claims["ath"].(string)+"="), dpop.ErrToken},
		{"3", "htm a list", claim("htm", []string{"POST"}), dpop.ErrMethod},
		{"3", "htu a list", claim("htu", []string{"https://api.example.com/orders"}), dpop.ErrURL},
		{"3", "an infinite iat", claim("iat", json.RawMessage("1e999")), dpop.ErrTime},
		{"4", "typ JWT", header("typ", "JWT"), dpop.ErrType},
		{"4", "typ at+jwt", header("typ", "at+jwt"), dpop.ErrType},
		{"4", "typ as a media type", header("typ", "application/dpop+jwt"), dpop.ErrType},
		{"4", "typ in capitals (RFC 7515 section 4.1.9)", header("typ", "DPoP+JWT"), nil},
		{"4", "without typ", func(d *draft) { delete(d.header, "typ") }, dpop.ErrType},
		{"5", "alg none", header("alg", "none"), dpop.ErrAlgorithm},
		{"5", "a symmetric alg", func(d *draft) {
			d.header["alg"], d.alg, d.key = "HS256", "HS256", must(key.PublicKey.Bytes())
		}, dpop.ErrAlgorithm},
		{"5", "an alg of another type of key", header("alg", "RS256"), dpop.ErrKey},
		{"5", "an alg of another curve", header("alg", "ES384"), dpop.ErrKey},
		{"6", "signed with another key", func(d *draft) { d.key = another }, dpop.ErrSignature},
		{"6", "another key in it and signed with that", func(d *draft) {
			d.key, d.header["jwk"] = another, ecJWK(another)
		}, dpop.ErrThumbprint},
		{"6", "without jwk", func(d *draft) { delete(d.header, "jwk") }, dpop.ErrKey},
		{"6", "jwk no object", header("jwk", "x"), dpop.ErrKey},
		{"6", "an empty jwk", header("jwk", object{}), dpop.ErrKey},
		{"6", "kid alone", func(d *draft) { delete(d.header, "jwk"); d.header["kid"] = "k" }, dpop.ErrKey},
		{"7", "a private jwk", func(d *draft) {
			jwk := maps.Clone(ecJWK(key))
			jwk["d"] = b64(must(key.Bytes()))
			d.header["jwk"] = jwk
		}, dpop.ErrKey},
		{"8", "another method", claim("htm", "GET"), dpop.ErrMethod},
		{"8", "the method in small letters", claim("htm", "post"), dpop.ErrMethod},
		{"9", "another path", claim("htu", "https://api.example.com/order"), dpop.ErrURL},
		{"9", "another host", claim("htu", "https://evil.example/orders"), dpop.ErrURL},
		{"9", "a host in the user", claim("htu", "https://api.example.com@evil.example/orders"), dpop.ErrURL},
		{"9", "another scheme", claim("htu", "http://api.example.com/orders"), dpop.ErrURL},
		{"9", "another port", claim("htu", "https://api.example.com:8443/orders"), dpop.ErrURL},
		{"9", "a path alone", claim("htu", "/orders"), dpop.ErrURL},
		{"9", "a query does not count", claim("htu", "https://api.example.com/orders?a=b#c"), nil},
		{"9", "normal form does not count", claim("htu", "HTTPS://API.example.com:443/x/../%6frders"), nil},
		{"10", "a nonce, where the server gave none", claim("nonce", "x"), nil},
		{"11", "as old as may be", claim("iat", clock.Add(-89*time.Second).Unix()), nil},
		{"11", "too old", claim("iat", clock.Add(-90*time.Second).Unix()), dpop.ErrTime},
		{"11", "as new as may be", claim("iat", clock.Add(30*time.Second).Unix()), nil},
		{"11", "from the future", claim("iat", clock.Add(31*time.Second).Unix()), dpop.ErrTime},
		{"11", "a fraction of a second", claim("iat", float64(clock.Unix())-0.5), nil},
		{"11", "an exp within the leeway", claim("exp", clock.Add(-29*time.Second).Unix()), nil},
		{"11", "an exp that is past", claim("exp", clock.Add(-30*time.Second).Unix()), dpop.ErrTime},
		{"11", "an exp that is no number", claim("exp", "never"), dpop.ErrTime},
		{"11", "an nbf within the leeway", claim("nbf", clock.Add(30*time.Second).Unix()), nil},
		{"11", "an nbf ahead", claim("nbf", clock.Add(31*time.Second).Unix()), dpop.ErrTime},
		{"11", "an nbf that is no number", claim("nbf", nil), dpop.ErrTime},
		{"11", "a time as text", claim("iat", "1800000000"), dpop.ErrTime},
		{"12", "the token itself for its hash", claim("ath", "the-token"), dpop.ErrToken},
		{"12", "for another token", claim("ath", b64(make([]byte, 32))), dpop.ErrToken},
	} {
		d := newDraft()
		tt.change(d)
		proof, err := dpop.Verify(d.String(), expected(own))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("check %s, %s: %v, want %v", tt.check, tt.name, err, tt.want)
		}
		if err == nil && (proof.ID == dpop.ID{} || !proof.Expires.After(clock)) {
			t.Errorf("%s: %+v", tt.name, proof)
		}
	}
	want := expected(own)
	want.Token = "another-token"
	if _, err := dpop.Verify(newDraft().String(), want); !errors.Is(err, dpop.ErrToken) {
		t.Errorf("check 12, presented with another token: %v", err)
	}
	for _, raw := range []string{"", "a.b.c", newDraft().String() + ".x", newDraft().String() + "," + newDraft().String(), strings.Repeat("a", 20_000)} {
		if _, err := dpop.Verify(raw, expected(own)); !errors.Is(err, dpop.ErrMalformed) {
			t.Errorf("check 2, %.20q…: %v", raw, err)
		}
	}
	if _, err := dpop.Verify(newDraft().String(), expected("")); !errors.Is(err, dpop.ErrThumbprint) {
		t.Errorf("an empty thumbprint: %v", err)
	}
}

func TestEveryTypeOfKey(t *testing.T) {
	rsaKey, edKey := forge.RSA(), forge.Ed25519()
	for alg, k := range map[string]struct {
		private crypto.PrivateKey
		public  crypto.PublicKey
		jwk     object
	}{
		"ES256": {key, key.Public(), ecJWK(key)},
		"RS256": {rsaKey, rsaKey.Public(), forge.JWK(rsaKey)},
		"PS512": {rsaKey, rsaKey.Public(), forge.JWK(rsaKey)},
		"EdDSA": {edKey, edKey.Public(), forge.JWK(edKey)},
		// RFC 9864, as openid-client and oauth4webapi write it.
		"Ed25519": {edKey, edKey.Public(), forge.JWK(edKey, "alg", "Ed25519")},
	} {
		d := newDraft()
		d.header["alg"], d.header["jwk"], d.alg, d.key = alg, k.jwk, alg, k.private
		if _, err := dpop.Verify(d.String(), expected(jwk.Thumbprint(k.public))); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// A client chooses the key of its proof, and so what the proof costs.
func TestAProofsKeyIsBounded(t *testing.T) {
	long := new(big.Int).SetBit(big.NewInt(1), 4096, 1) // 4097 bits
	n := must(rsa.GenerateKey(rand.Reader, 2048)).N
	for name, k := range map[string]*rsa.PublicKey{
		"an RSA key over 4096 bits":         {N: long, E: 65537},
		"an RSA key with another exponent":  {N: n, E: 65539},
		"an RSA key with a small exponent":  {N: n, E: 3},
		"an RSA key with the greatest one":  {N: n, E: 1<<31 - 1},
		"an RSA key that is much too short": {N: new(big.Int).SetBit(big.NewInt(1), 511, 1), E: 65537},
	} {
		d := newDraft()
		d.header["alg"] = "RS256"
		d.header["jwk"] = object{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
		if _, err := dpop.Verify(d.String(), expected(jwk.Thumbprint(k))); !errors.Is(err, dpop.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// RFC 7518 section 3.5.
func TestAProofsSaltIsAsLongAsTheHash(t *testing.T) {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	for salt, want := range map[int]error{
		rsa.PSSSaltLengthEqualsHash: nil, rsa.PSSSaltLengthAuto: dpop.ErrSignature, 31: dpop.ErrSignature,
	} {
		d := newDraft()
		d.header["alg"], d.alg, d.key = "PS256", "PS256", k
		d.header["jwk"] = object{"kty": "RSA", "n": b64(k.N.Bytes()), "e": "AQAB"}
		signed := d.String()
		input := signed[:strings.LastIndexByte(signed, '.')]
		digest := sha256.Sum256([]byte(input))
		raw := input + "." + b64(must(rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})))
		if _, err := dpop.Verify(raw, expected(jwk.Thumbprint(k.Public()))); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("a salt of %d: %v, want %v", salt, err, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	own := jwk.Thumbprint(key.Public())
	f.Add(newDraft().String())
	f.Add("a.b.c")
	f.Add(b64([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}`)) + ".e30.")
	good := newDraft().String()
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := dpop.Verify(raw, expected(own)); err == nil && !strings.HasPrefix(raw, signed) {
			// Only who holds the key can make another one.
			if i := strings.LastIndexByte(raw, '.'); raw[:i] != signed {
				t.Errorf("taken: %q", raw)
			}
		}
	})
}
