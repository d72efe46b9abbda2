package oidc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const goodTokens = `{"access_token":"at","token_type":"Bearer","expires_in":86400,"refresh_token":"rt 2","id_token":"a.b.c"}`

// encodedPair is the client's name and secret by RFC 6749 section 2.3.1.
const encodedPair = "client+one:top-secret+of+the+client%3A+%C3%A4%C3%B6%C3%BC%26%3D%2B%25%2F"

func TestAClientWithASecretSaysWhoItIs(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(encodedPair))
	const code = "code=a+code&code_verifier=" + verifier + "&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback"
	const inBody = "client_id=client+one&client_secret=top-secret+of+the+client%3A+%C3%A4%C3%B6%C3%BC%26%3D%2B%25%2F&"
	for _, tt := range []struct {
		name    string
		methods any // nil: discovery does not say
		change  func(*oidc.Options)
		want    sent
	}{
		{"basic, where discovery does not say", nil, nil, sent{"POST", "/token", basic, code}},
		{"basic, where discovery offers both", []string{"client_secret_post", "client_secret_basic"}, nil, sent{"POST", "/token", basic, code}},
		{"in the body, where discovery offers no basic", []string{"client_secret_post", "private_key_jwt"}, nil, sent{"POST", "/token", "", inBody + code}},
		{"public", []string{"client_secret_post"}, func(o *oidc.Options) { o.ClientSecret = nil }, sent{"POST", "/token", "", "client_id=client+one&" + code}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, says(200, goodTokens))
			if tt.methods != nil {
				s.document["token_endpoint_auth_methods_supported"] = tt.methods
			}
			c := s.client(t, func(o *oidc.Options) {
				if tt.change != nil {
					tt.change(o)
				}
			})
			if _, err := c.Exchange(t.Context(), "a code", verifier); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]sent{tt.want}, s.got()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefreshAndRevocationAuthenticateLikewise(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(encodedPair))
	s := newSite(t, says(200, goodTokens), "revoke")
	c := s.client(t)
	if _, err := c.Refresh(t.Context(), "rt 1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Revoke(t.Context(), "rt 1"); err != nil {
		t.Fatal(err)
	}
	want := []sent{
		{"POST", "/token", basic, "grant_type=refresh_token&refresh_token=rt+1"},
		{"POST", "/revoke", basic, "token=rt+1&token_type_hint=refresh_token"},
	}
	if diff := cmp.Diff(want, s.got()); diff != "" {
		t.Error(diff)
	}
	s = newSite(t, says(200, ""), "revoke")
	s.document["revocation_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	if err := s.client(t).Revoke(t.Context(), "rt"); err != nil {
		t.Fatal(err)
	}
	if got := s.got(); len(got) != 1 || got[0].Authorization != "" || form(t, got[0].Body).Get("client_secret") != clientSecret {
		t.Errorf("%q", got)
	}
}

func TestNothingIsRevokedWhereThereIsNoEndpoint(t *testing.T) {
	s := newSite(t, says(500, ""))
	if err := s.client(t).Revoke(t.Context(), "rt"); err != nil || len(s.got()) != 0 {
		t.Errorf("%v, %d requests", err, len(s.got()))
	}
}

func TestAClientWithAPrivateKeySignsAnAssertion(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		name, pem, alg string
		public         crypto.PublicKey
	}{
		{"RSA in PKCS#8", pkcs8(t, forge.RSA()), "RS256", forge.RSA().Public()},
		{"RSA in PKCS#1", pkcs1(forge.RSA()), "RS256", forge.RSA().Public()},
		{"EC in PKCS#8", pkcs8(t, forge.P256()), "ES256", forge.P256().Public()},
		{"EC in SEC 1", sec1(t, forge.P256()), "ES256", forge.P256().Public()},
		{"Ed25519 in PKCS#8", pkcs8(t, forge.Ed25519()), "EdDSA", forge.Ed25519().Public()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, says(200, goodTokens), "revoke", "par")
			random := bytes.NewReader([]byte("0123456789abcdefFEDCBA9876543210"))
			c := s.client(t, func(o *oidc.Options) {
				o.ClientSecret, o.ClientPrivateKey = nil, text(tt.pem)
				o.Random, o.Now = random, func() time.Time { return now }
			})
			if _, err := c.Exchange(t.Context(), "a code", verifier); err != nil {
				t.Fatal(err)
			}
			if err := c.Revoke(t.Context(), "rt"); err != nil {
				t.Fatal(err)
			}
			for i, id := range []string{"0123456789abcdef", "FEDCBA9876543210"} {
				got := s.got()[i]
				values := form(t, got.Body)
				if got.Authorization != "" || values.Get("client_id") != clientID || values.Has("client_secret") ||
					values.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
					t.Errorf("%q", got)
				}
				assertion, err := jwt.Parse(values.Get("client_assertion"), func(*jwt.Token) (any, error) { return tt.public, nil },
					jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithValidMethods([]string{tt.alg}))
				if err != nil {
					t.Fatal(err)
				}
				want := jwt.MapClaims{
					"iss": clientID, "sub": clientID, "aud": s.issuer(), "jti": forge.Base64URL(id), "iat": 1.8e9, "exp": 1.8e9 + 60,
				}
				if diff := cmp.Diff(want, assertion.Claims); diff != "" || assertion.Header["typ"] != "JWT" {
					t.Errorf("%v %s", assertion.Header, diff)
				}
			}
			// Random bytes are gone: no assertion is made without a fresh jti.
			if _, err := c.Refresh(t.Context(), "rt"); err == nil || len(s.got()) != 2 {
				t.Errorf("%v, %d requests", err, len(s.got()))
			}
		})
	}
}

func TestAPrivateKeyThatIsReplacedIsUsed(t *testing.T) {
	key := pkcs8(t, forge.RSA())
	s := newSite(t, says(200, goodTokens))
	c := s.client(t, func(o *oidc.Options) {
		o.ClientSecret, o.ClientPrivateKey = nil, func(time.Time) []byte { return []byte(key) }
	})
	for _, tt := range []struct{ key, alg string }{{key, "RS256"}, {pkcs8(t, forge.P256()), "ES256"}} {
		key = tt.key
		if _, err := c.Refresh(t.Context(), "rt"); err != nil {
			t.Fatal(err)
		}
		got := s.got()
		assertion, _, err := jwt.NewParser().ParseUnverified(form(t, got[len(got)-1].Body).Get("client_assertion"), jwt.MapClaims{})
		if err != nil || assertion.Header["alg"] != tt.alg {
			t.Errorf("%v: %v, want %s", err, assertion.Header, tt.alg)
		}
	}
	key = "no key any more"
	if _, err := c.Refresh(t.Context(), "rt"); !errors.Is(err, jwk.ErrPrivateKey) || len(s.got()) != 2 {
		t.Errorf("%v, %d requests", err, len(s.got()))
	}
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	s := newSite(t, says(200, goodTokens))
	good := oidc.Options{
		Issuer: s.issuer(), ClientID: clientID, RedirectURI: redirectURI, Algorithms: []string{"RS256"}, Keys: keysOf(t, forge.RSA()), Fetch: s.fetcher(t),
	}
	encrypted := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("top-secret")}))
	for _, tt := range []struct {
		name   string
		change func(*oidc.Options)
	}{
		{"no issuer", func(o *oidc.Options) { o.Issuer = "" }},
		{"no client", func(o *oidc.Options) { o.ClientID = "" }},
		{"no redirect URI", func(o *oidc.Options) { o.RedirectURI = "" }},
		{"no fetcher", func(o *oidc.Options) { o.Fetch = nil }},
		{"no algorithms", func(o *oidc.Options) { o.Algorithms = nil }},
		{"alg none", func(o *oidc.Options) { o.Algorithms = []string{"none"} }},
		{"none among others", func(o *oidc.Options) { o.Algorithms = []string{"RS256", "none"} }},
		{"public keys mixed with secrets", func(o *oidc.Options) {
			o.Algorithms, o.Secrets = []string{"RS256", "HS256"}, []oidc.Secret{text(clientSecret)}
		}},
		{"no keys", func(o *oidc.Options) { o.Keys = nil }},
		{"HS without secrets", func(o *oidc.Options) { o.Algorithms = []string{"HS256"} }},
		{"a secret and a private key", func(o *oidc.Options) {
			o.ClientSecret, o.ClientPrivateKey = text(clientSecret), text(pkcs8(t, forge.RSA()))
		}},
		{"a key that is no PEM", func(o *oidc.Options) { o.ClientPrivateKey = text("top-secret") }},
		{"a key with text after it", func(o *oidc.Options) { o.ClientPrivateKey = text(pkcs8(t, forge.RSA()) + "top-secret") }},
		{"two keys", func(o *oidc.Options) { o.ClientPrivateKey = text(pkcs8(t, forge.RSA()) + pkcs8(t, forge.P256())) }},
		{"an encrypted key", func(o *oidc.Options) { o.ClientPrivateKey = text(encrypted) }},
		{"a public key", func(o *oidc.Options) { o.ClientPrivateKey = text(publicPEM(t)) }},
		{"an RSA key of 1024 bits", func(o *oidc.Options) { o.ClientPrivateKey = text(pkcs8(t, forge.WeakRSA())) }},
		{"a P-384 key", func(o *oidc.Options) { o.ClientPrivateKey = text(pkcs8(t, forge.P384())) }},
		{"a damaged key", func(o *oidc.Options) {
			o.ClientPrivateKey = text(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("top-secret")})))
		}},
	} {
		opt := good
		tt.change(&opt)
		if _, err := oidc.New(opt); err == nil || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := oidc.New(good); err != nil {
		t.Errorf("good ones: %v", err)
	}
}

func TestAClosedClientFetchesNothing(t *testing.T) {
	s := newSite(t, says(200, goodTokens))
	c := s.client(t)
	c.Close()
	if _, _, err := c.Issuer(context.Background()); err == nil {
		t.Error("no error")
	}
}

func pemOf(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf("PRIVATE KEY", der, err)
}

func pkcs1(key *rsa.PrivateKey) string {
	return pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
}

func sec1(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	return pemOf("EC PRIVATE KEY", der, err)
}

func publicPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(forge.RSA().Public())
	return pemOf("PUBLIC KEY", der, err)
}
