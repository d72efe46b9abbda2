package jwk_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string { return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

func TestAPrivateKeySignsWithTheAlgorithmOfItsKind(t *testing.T) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, algorithm string
		key             interface{ Equal(crypto.PrivateKey) bool }
	}{
		"RSA in PKCS#8":                {pkcs8(rsaKey), "RS256", rsaKey},
		"RSA in PKCS#1":                {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "RS256", rsaKey},
		"P-256 in PKCS#8":              {pkcs8(p256), "ES256", p256},
		"P-256 in SEC 1":               {pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p256))), "ES256", p256},
		"Ed25519":                      {pkcs8(ed), "EdDSA", ed},
		"with text before and a blank": {"the key:\n" + pkcs8(ed) + "\n", "EdDSA", ed},
	} {
		got, err := jwk.ParsePrivate([]byte(c.text))
		if err != nil || got.Algorithm != c.algorithm || !c.key.Equal(got.Signer) {
			t.Errorf("%s: %s, %v", name, got.Algorithm, err)
		}
	}
}

func TestWhatIsNoPrivateKeyIsRefusedWithoutQuotingIt(t *testing.T) {
	good := pkcs8(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
	for name, text := range map[string]string{
		"nothing":                  "",
		"no PEM":                   "top-secret",
		"text after it":            good + "top-secret",
		"two keys":                 good + good,
		"a public key":             pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(forge.RSA().Public()))),
		"an RSA key of 1024 bits":  pkcs8(forge.WeakRSA()),
		"a P-384 key":              pkcs8(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		"a block that is no key":   pemOf("PRIVATE KEY", []byte("top-secret")),
		"a key under another name": pemOf("RSA PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(forge.RSA()))),
		"an unknown block":         pemOf("SECRET", []byte("top-secret")),
	} {
		_, err := jwk.ParsePrivate([]byte(text))
		if !errors.Is(err, jwk.ErrPrivateKey) || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
