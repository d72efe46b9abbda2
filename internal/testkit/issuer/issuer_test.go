package issuer_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

func start(t *testing.T, opt issuer.Options) *issuer.Issuer {
	t.Helper()
	i, err := issuer.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// call sends a request below the issuer's URL; a body makes it a POST.
func call(t *testing.T, i *issuer.Issuer, path, kind, body string) (int, string) {
	t.Helper()
	method := http.MethodGet
	if kind != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, i.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return m
}

func get(t *testing.T, i *issuer.Issuer, path string) map[string]any {
	t.Helper()
	status, body := call(t, i, path, "", "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	return object(t, body)
}

// verify checks a token with the keys that are published now.
func verify(t *testing.T, i *issuer.Issuer, token string) (*jwt.Token, error) {
	t.Helper()
	_, set := call(t, i, ".well-known/jwks.json", "", "")
	keys, err := keyfunc.NewJWKSetJSON(json.RawMessage(set))
	if err != nil {
		t.Fatal(err)
	}
	return jwt.Parse(token, keys.Keyfunc)
}

func TestDocumentsNameThePublicURL(t *testing.T) {
	i := start(t, issuer.Options{})
	document := get(t, i, ".well-known/openid-configuration")
	for name, want := range map[string]string{
		"issuer": i.URL(), "jwks_uri": i.URL() + ".well-known/jwks.json", "token_endpoint": i.URL() + "oauth/token",
	} {
		if document[name] != want {
			t.Errorf("%s: got %v, want %s", name, document[name], want)
		}
	}
	want := map[string]any{"kind": "issuer", "url": i.URL()}
	if diff := cmp.Diff(want, get(t, i, "healthz")); diff != "" {
		t.Error(diff)
	}
	if other := start(t, issuer.Options{URL: "https://tenant.example/"}); other.URL() != "https://tenant.example/" {
		t.Errorf("got %s", other.URL())
	}
}

func TestAURLWithoutASlashAtTheEndIsRefused(t *testing.T) {
	if i, err := issuer.Start(issuer.Options{URL: "https://tenant.example"}); err == nil {
		t.Error("started", i.Close())
	}
}

func TestKeysAreInAuth0sShape(t *testing.T) {
	i := start(t, issuer.Options{})
	keys, _ := get(t, i, ".well-known/jwks.json")["keys"].([]any)
	signing := i.SigningKeys()
	if len(keys) != len(signing) || len(keys) == 0 {
		t.Fatalf("%d keys in the set, %d signing keys", len(keys), len(signing))
	}
	first, _ := keys[0].(map[string]any)
	for _, name := range []string{"kid", "n", "e", "x5t", "x5c"} {
		if first[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if first["kty"] != "RSA" || first["use"] != "sig" || first["alg"] != "RS256" {
		t.Errorf("got %v", first)
	}
	for at, key := range keys {
		m, _ := key.(map[string]any)
		if m["kid"] != signing[at].Kid || m["d"] != nil {
			t.Errorf("key %d is not the public half of %s", at, signing[at].Kid)
		}
	}
}

func TestRotationAndRevocation(t *testing.T) {
	i := start(t, issuer.Options{})
	mint := func(r issuer.MintRequest) string {
		t.Helper()
		token, err := i.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, alg := range []string{"RS256", "PS256", "ES256"} {
		old, soon := mint(issuer.MintRequest{Alg: alg}), mint(issuer.MintRequest{Alg: alg, Key: "next"})
		post(t, i, "control/rotate", "")
		for name, token := range map[string]string{"old": old, "announced": soon, "new": mint(issuer.MintRequest{Alg: alg})} {
			if _, err := verify(t, i, token); err != nil {
				t.Errorf("%s: %s token after rotation: %v", alg, name, err)
			}
		}
		post(t, i, "control/revoke", "")
		if _, err := verify(t, i, old); err == nil {
			t.Errorf("%s: a revoked key verifies", alg)
		}
		if _, err := verify(t, i, soon); err != nil {
			t.Errorf("%s: revocation took the current key: %v", alg, err)
		}
	}
}

func post(t *testing.T, i *issuer.Issuer, path, body string) {
	t.Helper()
	if status, answer := call(t, i, path, "application/json", body); status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, answer)
	}
}

func TestCountersCountEveryRequest(t *testing.T) {
	i := start(t, issuer.Options{})
	for name, count := range get(t, i, "control/counters") {
		if count != 0.0 {
			t.Errorf("%s is %v before the first request", name, count)
		}
	}
	get(t, i, ".well-known/openid-configuration")
	get(t, i, ".well-known/jwks.json")
	post(t, i, "control/fault", `{"path":"jwks","fault":"empty"}`)
	get(t, i, ".well-known/jwks.json")
	post(t, i, "mint", "{}")
	call(t, i, "oauth/token", "application/json", "{}")
	if diff := cmp.Diff(issuer.Counters{Discovery: 1, JWKS: 2, Token: 1, Mint: 1}, i.Counters()); diff != "" {
		t.Error(diff)
	}
}
