package forge_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

func TestTheLittleLanguage(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct{ name, got, want string }{
		{"pairs", forge.Object("a", "1", "b", `"x"`), `{"a":1,"b":"x"}`},
		{"a later pair takes the place of an earlier one", forge.Object("a", "1", "b", "2", "a", "[3]"), `{"a":[3],"b":2}`},
		{"an empty text takes the member out", forge.Object("a", "1", "b", "2", "a", ""), `{"b":2}`},
		{"no members", forge.Object(), `{}`},
		{"good claims", forge.Claims("i", "a", now), `{"iss":"i","aud":"a","sub":"auth0|alice","exp":1800003600,"iat":1799999940}`},
		{"claims with changes", forge.Claims("i", "a", now, "aud", `["b"]`, "exp", "", "n", "1.0"), `{"iss":"i","aud":["b"],"sub":"auth0|alice","iat":1799999940,"n":1.0}`},
		{"a header", forge.Header("RS256", "k", `"typ":"JWT"`), `{"alg":"RS256","kid":"k","typ":"JWT"}`},
		{"a header without alg and kid", forge.Header("", "", `"x":1`, `"x":2`), `{"x":1,"x":2}`},
		{"a member twice", forge.And(forge.Header("RS256", ""), `"alg":"none"`), `{"alg":"RS256","alg":"none"}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestEveryKeyIsWrittenAndSigns(t *testing.T) {
	text := func(name string, jwk map[string]any) string { s, _ := jwk[name].(string); return s }
	for alg, key := range map[string]crypto.Signer{
		"RS256": forge.RSA(), "RS384": forge.OtherRSA(), "RS512": forge.ThirdRSA(), "PS256": forge.AttackerRSA(), "PS384": forge.WeakRSA(),
		"ES256": forge.P256(), "ES384": forge.P384(), "ES512": forge.P521(), "EdDSA": forge.Ed25519(),
	} {
		claims := forge.Claims("i", "a", time.Now())
		token := forge.Sign(alg, key, forge.Header(alg, "k"), claims)
		if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key.Public(), nil }); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		jwk := forge.JWK(key, "kid", alg, "use", "")
		if _, has := jwk["use"]; has || jwk["kid"] != alg {
			t.Errorf("%s: members %v", alg, jwk)
		}
		if diff := cmp.Diff(forge.JWK(key), forge.JWK(key.Public())); diff != "" {
			t.Errorf("%s: a private key is written otherwise than its public half:\n%s", alg, diff)
		}
		for _, private := range []string{"d", "p", "q"} {
			if text(private, jwk) != "" {
				t.Errorf("%s: the private %s is written", alg, private)
			}
		}
	}
	if got := forge.JWK([]byte("secret")); text("kty", got) != "oct" || text("k", got) != "c2VjcmV0" {
		t.Errorf("a secret: %v", got)
	}
}

func TestRawSignaturesOfAnyCurve(t *testing.T) {
	key := forge.P256()
	raw, der := forge.SignECDSA(crypto.SHA256, key, 32, forge.Header("ES256", ""), `{}`)
	ofIt := func(*jwt.Token) (any, error) { return key.Public(), nil }
	if _, err := jwt.Parse(raw, ofIt); err != nil {
		t.Errorf("raw: %v", err)
	}
	if _, err := jwt.Parse(der, ofIt); err == nil {
		t.Error("ASN.1 is taken")
	}
	if raw, _ := forge.SignECDSA(crypto.SHA256, forge.P384(), 48, forge.Header("ES256", ""), `{}`); len(raw[strings.LastIndexByte(raw, '.')+1:]) != 128 {
		t.Errorf("not 96 bytes: %s", raw)
	}
	if token := forge.Sign("none", nil, forge.Header("none", ""), `{}`); token != "eyJhbGciOiJub25lIn0.e30." {
		t.Errorf("none: %s", token)
	}
}

func TestAProofIsSignedAsItStands(t *testing.T) {
	draft := forge.Proof{Key: forge.P256(), Method: "GET", URL: "https://a/", Token: "t", ID: "j", At: time.Unix(1, 0)}.Draft()
	draft.Header["typ"] = "JWT"
	delete(draft.Claims, "jti")
	token, err := jwt.Parse(draft.String(), func(*jwt.Token) (any, error) { return forge.P256().Public(), nil })
	if err != nil {
		t.Fatal(err)
	}
	want := jwt.MapClaims{"htm": "GET", "htu": "https://a/", "iat": 1.0, "ath": forge.TokenHash("t")}
	if diff := cmp.Diff(want, token.Claims); diff != "" || token.Header["typ"] != "JWT" {
		t.Errorf("typ %v, claims (-want +got):\n%s", token.Header["typ"], diff)
	}
}

// The example of RFC 7638 section 3.1.
func TestTheThumbprintOfTheStandard(t *testing.T) {
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	if got := forge.Thumbprint(key); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Error(got)
	}
}

func TestASetHoldsWhatItIsGiven(t *testing.T) {
	var got map[string][]any
	if err := json.Unmarshal(forge.JWKS[any](nil, "x", map[string]any{"kty": "oct"}), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]any{"keys": {nil, "x", map[string]any{"kty": "oct"}}}, got); diff != "" {
		t.Error(diff)
	}
}
