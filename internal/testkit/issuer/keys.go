package issuer

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	previous = iota
	current
	next
)

var generationNames = []string{"previous", "current", "next"}

// rsaFamily signs RS* and PS*; the other families are named after their alg.
const rsaFamily = "RSA"

// families are in the order of the set.
var families = []string{rsaFamily, "ES256", "ES384", "ES512", "EdDSA"}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// generation is the keys that are rotated together, one for each family.
type generation struct {
	name        string // random, and part of every kid of it
	signers     map[string]crypto.Signer
	certificate []byte // DER, of the RSA key: Auth0 publishes one
}

func newGeneration() (*generation, error) {
	g := &generation{name: rand.Text(), signers: map[string]crypto.Signer{}}
	for alg, curve := range curves {
		g.signers[alg] = forge.NewEC(curve)
	}
	g.signers["EdDSA"] = forge.NewEd25519()
	key := forge.NewRSA(2048)
	g.signers[rsaFamily] = key
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "issuer.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
	}
	var err error
	g.certificate, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return g, err
}

func newGenerations(n int) ([]*generation, error) {
	made, errs := make([]*generation, n), make([]error, n)
	var all sync.WaitGroup
	for at := range made {
		all.Go(func() { made[at], errs[at] = newGeneration() })
	}
	all.Wait()
	return made, errors.Join(errs...)
}

// SigningKey is a private key of the issuer.
type SigningKey struct {
	Kid        string
	Alg        string // as published; "" fits RS* and PS* alike
	Generation string // previous, current or next
	Private    crypto.Signer
}

// SigningKeys are the keys of the set in its order, for tests that sign texts
// of their own. An RSA key is published twice: for RS256 as Auth0 does, and
// without alg, so that RS384, RS512 and PS* have a key to verify with.
func (i *Issuer) SigningKeys() []SigningKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	var keys []SigningKey
	i.eachPublished(func(which int, family, alg string) {
		keys = append(keys, SigningKey{
			Kid: i.generations[which].kid(family, alg), Alg: alg,
			Generation: generationNames[which], Private: i.generations[which].signers[family],
		})
	})
	return keys
}

// keySet is the JWKS document (RFC 7517).
func (i *Issuer) keySet() map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	keys := []any{}
	i.eachPublished(func(which int, family, alg string) {
		keys = append(keys, i.generations[which].jwk(family, alg))
	})
	return map[string]any{"keys": keys}
}

// eachPublished visits the set; the lock is held.
func (i *Issuer) eachPublished(visit func(which int, family, alg string)) {
	for which := range i.generations {
		if which == previous && i.revoked {
			continue
		}
		for _, family := range families {
			if family == rsaFamily {
				visit(which, family, "RS256")
				visit(which, family, "")
				continue
			}
			visit(which, family, family)
		}
	}
}

// kid names a key for alg. Names never come again, not even in a new process:
// a verifier that kept the keys of an earlier one must notice that it does not
// know this key, and ask for it.
func (g *generation) kid(family, alg string) string {
	kind := strings.ToLower(family)
	if family == rsaFamily && alg != "RS256" {
		kind = "rsa-any"
	}
	return kind + "-" + g.name
}

func (g *generation) jwk(family, alg string) map[string]any {
	key := forge.JWK(g.signers[family], "kid", g.kid(family, alg), "use", "sig", "alg", alg)
	if family == rsaFamily && alg != "" {
		thumbprint := sha1.Sum(g.certificate) // RFC 7517 section 4.8 names SHA-1
		key["x5t"] = forge.Base64URL(thumbprint[:])
		key["x5c"] = []string{base64.StdEncoding.EncodeToString(g.certificate)}
	}
	return key
}
