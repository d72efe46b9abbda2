package ci_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// The secrets of login, as the environment of a runner or its directory of
// secrets names them.
const (
	sessionSecret = "SESSION_SECRET"        // seals sessions
	secretBefore  = "SESSION_SECRET_BEFORE" // sealed them before a rotation
	clientSecret  = "AUTH0_APP_SECRET"      // of the application at the issuer
	clientKey     = "AUTH0_APP_KEY"         // its private key, as PEM
)

// secrets are what the runner and the suite both know.
type secrets struct {
	reference func(name string) string // how a configuration refers to one
	values    map[string]string
}

// ownSecrets makes secrets and keeps them in files, because a runner that its
// gateway starts gets no variables.
func ownSecrets(dir string) (secrets, error) {
	der, err := x509.MarshalPKCS8PrivateKey(clientKeyPair)
	if err != nil {
		return secrets{}, err
	}
	s := secrets{reference: inDirectory(dir), values: map[string]string{
		sessionSecret: rand.Text() + rand.Text(), secretBefore: rand.Text() + rand.Text(), clientSecret: rand.Text() + rand.Text(),
		clientKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}}
	for name, value := range s.values {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			return secrets{}, err
		}
	}
	return s, nil
}

// clientKeyPair is the application's, where the suite makes one.
var clientKeyPair = forge.P256()

func inDirectory(dir string) func(string) string {
	return func(name string) string { return "$file://" + filepath.Join(dir, name) }
}

// secretsOfGateway are those that whoever started the runner gave to it, and to
// the suite in its environment.
func secretsOfGateway() secrets {
	s := secrets{reference: func(name string) string { return "$env://" + name }, values: map[string]string{}}
	if dir := os.Getenv("SECRETS_DIR"); dir != "" {
		s.reference = inDirectory(dir)
	}
	for _, name := range []string{sessionSecret, secretBefore, clientSecret, clientKey} {
		s.values[name] = os.Getenv(name)
	}
	return s
}

// needSecret skips a case whose secret the runner was not given.
func needSecret(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if under.secrets.values[name] == "" {
			t.Skipf("not run: with GATEWAY, set %s to what the runner has under that name (ci/README.md)", name)
		}
	}
}

// publicKeyOfClient is what the issuer is given of a private key.
func publicKeyOfClient(t *testing.T) string {
	t.Helper()
	block, _ := pem.Decode([]byte(under.secrets.values[clientKey]))
	if block == nil {
		t.Fatalf("%s is no PEM", clientKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		t.Fatalf("%s is no private key", clientKey)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
