package issuer_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// minted asks over HTTP, as a test outside the process does.
func minted(t *testing.T, i *issuer.Issuer, request string) string {
	t.Helper()
	status, body := call(t, i, "mint", "application/json", request)
	token, _ := object(t, body)["access_token"].(string)
	if status != http.StatusOK || token == "" {
		t.Fatalf("%s: %d %s", request, status, body)
	}
	return token
}

// part is the JSON text of a token's header (0) or claims (1).
func part(t *testing.T, token string, n int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryAlgorithmVerifiesWithThePublishedKeys(t *testing.T) {
	i := start(t, issuer.Options{})
	for _, alg := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	} {
		for _, key := range []string{"current", "next", "previous"} {
			token := minted(t, i, `{"alg":"`+alg+`","key":"`+key+`"}`)
			if got, err := verify(t, i, token); err != nil || got.Header["alg"] != alg {
				t.Errorf("%s by the %s key: %v", alg, key, err)
			}
		}
		token := minted(t, i, `{"alg":"`+alg+`","key":"rogue"}`)
		if _, err := verify(t, i, token); err == nil || !strings.Contains(err.Error(), "signature is invalid") {
			t.Errorf("%s by the rogue key must fail by its signature alone: %v", alg, err)
		}
	}
}

// RFC 9864, as other libraries than golang-jwt write it.
func TestATokenCanNameEd25519(t *testing.T) {
	i := start(t, issuer.Options{})
	token := minted(t, i, `{"alg":"Ed25519"}`)
	header := object(t, part(t, token, 0))
	at := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || header["alg"] != "Ed25519" {
		t.Fatalf("%v, %v", header, err)
	}
	for _, key := range i.SigningKeys() {
		if public, ok := key.Private.Public().(ed25519.PublicKey); ok && key.Kid == header["kid"] {
			if !ed25519.Verify(public, []byte(token[:at]), signature) {
				t.Error("the signature is not valid")
			}
			return
		}
	}
	t.Errorf("no Ed25519 key has the kid %v", header["kid"])
}

func TestSymmetricAndUnsignedTokens(t *testing.T) {
	i := start(t, issuer.Options{})
	secret := strings.Repeat("s", 32)
	token := minted(t, i, `{"alg":"HS256","secret":"`+secret+`"}`)
	if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(secret), nil }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(`{"alg":"HS256","typ":"JWT"}`, part(t, token, 0)); diff != "" {
		t.Error(diff)
	}
	for _, request := range []string{`{"alg":"none"}`, `{"key":"none"}`, `{"alg":"none","key":"none"}`} {
		if token := minted(t, i, request); !strings.HasSuffix(token, ".") {
			t.Errorf("%s: there is a signature", request)
		}
	}
}

func TestDefaultsAndOverrides(t *testing.T) {
	i := start(t, issuer.Options{URL: "https://tenant.example/"})
	claims := func(r issuer.MintRequest) map[string]any {
		token, err := i.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		return object(t, part(t, token, 1))
	}
	got := claims(issuer.MintRequest{ExpiresIn: -60})
	if iat, exp := got["iat"].(float64), got["exp"].(float64); exp-iat != -60 {
		t.Errorf("lives %v s", exp-iat)
	}
	delete(got, "iat")
	delete(got, "exp")
	want := map[string]any{"iss": "https://tenant.example/", "sub": "auth0|user-1", "aud": issuer.DefaultAudience, "azp": "client-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = claims(issuer.MintRequest{Claims: map[string]any{"sub": nil, "iss": "x"}, Omit: []string{"exp", "iat", "aud", "azp"}})
	if diff := cmp.Diff(map[string]any{"sub": nil, "iss": "x"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheHeaderIsTheTestsOwn(t *testing.T) {
	i := start(t, issuer.Options{})
	kid := currentKid(i, "RS256")
	for _, tc := range []struct{ request, want string }{
		{`{}`, `{"alg":"RS256","kid":"` + kid + `","typ":"JWT"}`},
		{`{"header":{"typ":"at+jwt"}}`, `{"alg":"RS256","kid":"` + kid + `","typ":"at+jwt"}`},
		{`{"header":{"kid":null,"typ":null}}`, `{"alg":"RS256"}`},
		{`{"header":{"alg":"HS256","crit":["b64"]}}`, `{"alg":"HS256","crit":["b64"],"kid":"` + kid + `","typ":"JWT"}`},
	} {
		if diff := cmp.Diff(tc.want, part(t, minted(t, i, tc.request), 0)); diff != "" {
			t.Errorf("%s: %s", tc.request, diff)
		}
	}
}

// currentKid names the current key that is published for alg.
func currentKid(i *issuer.Issuer, alg string) string {
	for _, key := range i.SigningKeys() {
		if key.Generation == "current" && key.Alg == alg {
			return key.Kid
		}
	}
	return "none"
}

func TestNumbersStayAsTheyAreWritten(t *testing.T) {
	i := start(t, issuer.Options{})
	for _, number := range []string{"9007199254740993", "1e300", "1.50"} {
		if claims := part(t, minted(t, i, `{"claims":{"n":`+number+`}}`), 1); !strings.Contains(claims, `"n":`+number+`,`) {
			t.Errorf("%s: got %s", number, claims)
		}
	}
}

func TestWhatCannotBeMintedIsNamed(t *testing.T) {
	i := start(t, issuer.Options{})
	for _, tc := range []struct{ request, names string }{
		{`{"alg":"RS1"}`, "alg"},
		{`{"key":"mine"}`, "key"},
		{`{"alg":"HS256"}`, "secret"},
		{`{"claim":{}}`, "claim"},
	} {
		status, body := call(t, i, "mint", "application/json", tc.request)
		description, _ := object(t, body)["error_description"].(string)
		if status != http.StatusBadRequest || !strings.Contains(description, tc.names) {
			t.Errorf("%s: got %d %s", tc.request, status, body)
		}
	}
}

func TestTheTokenEndpointGrantsMachinesTheirScopes(t *testing.T) {
	i := start(t, issuer.Options{})
	want := map[string]any{
		"iss": i.URL(), "sub": "m2m@clients", "aud": "https://orders.example", "azp": "m2m", "gty": "client-credentials",
		"scope": "read:orders write:orders", "permissions": []any{"read:orders", "write:orders"},
	}
	for kind, body := range map[string]string{
		"application/json":                  `{"grant_type":"client_credentials","client_id":"m2m","client_secret":"s","audience":"https://orders.example","scope":"read:orders write:orders"}`,
		"application/x-www-form-urlencoded": "grant_type=client_credentials&client_id=m2m&client_secret=s&audience=https%3A%2F%2Forders.example&scope=read:orders+write:orders",
	} {
		status, answer := call(t, i, "oauth/token", kind, body)
		granted := object(t, answer)
		if status != http.StatusOK || granted["token_type"] != "Bearer" || granted["expires_in"] != 86400.0 {
			t.Fatalf("%s: %d", kind, status)
		}
		token, _ := granted["access_token"].(string)
		if _, err := verify(t, i, token); err != nil {
			t.Error(err)
		}
		got := object(t, part(t, token, 1))
		delete(got, "iat")
		delete(got, "exp")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

func TestTheTokenEndpointRefuses(t *testing.T) {
	i := start(t, issuer.Options{})
	for _, tc := range []struct {
		body, code string
		status     int
	}{
		{`{"grant_type":"password","client_id":"c","audience":"a"}`, "unsupported_grant_type", 400},
		{`{"grant_type":"client_credentials","audience":"a"}`, "invalid_client", 401},
		{`{"grant_type":"client_credentials","client_id":"c"}`, "invalid_request", 400},
		{`{`, "invalid_request", 400},
	} {
		status, answer := call(t, i, "oauth/token", "application/json", tc.body)
		if status != tc.status || object(t, answer)["error"] != tc.code {
			t.Errorf("%s: got %d %s", tc.body, status, answer)
		}
	}
}
