package policy_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	tenant      = "https://tenant.example/"
	otherTenant = "https://other.example/"
	api         = "https://api.example/"
)

// clock is the time of every test here.
var clock = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func at(offset time.Duration) string { return forge.Seconds(clock.Add(offset)) }

// keyring holds the private keys of two tenants and of an attacker.
type keyring struct {
	rsa, encryption, weak *rsa.PrivateKey
	p256, p384            *ecdsa.PrivateKey
	ed25519               ed25519.PrivateKey

	otherTenant *rsa.PrivateKey // under the tenant's own kid "rsa"
	attacker    *rsa.PrivateKey // in no set
}

var keys = sync.OnceValue(func() keyring {
	return keyring{
		rsa: forge.RSA(), encryption: forge.ThirdRSA(), weak: forge.WeakRSA(),
		p256: forge.P256(), p384: forge.P384(), ed25519: forge.Ed25519(),
		otherTenant: forge.OtherRSA(), attacker: forge.AttackerRSA(),
	}
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// tenantSet is the tenant's JWK Set, with two keys that must not be used.
var tenantSet = sync.OnceValue(func() []byte {
	k := keys()
	return set(
		rsaJWK("rsa", "RS256", "sig", &k.rsa.PublicKey),
		rsaJWK("encryption", "", "enc", &k.encryption.PublicKey),
		rsaJWK("weak", "", "sig", &k.weak.PublicKey),
		ecJWK("p256", &k.p256.PublicKey),
		ecJWK("p384", &k.p384.PublicKey),
		forge.JWK(k.ed25519, "kid", "ed25519"),
	)
})

var otherTenantSet = sync.OnceValue(func() []byte {
	return set(rsaJWK("rsa", "RS256", "sig", &keys().otherTenant.PublicKey))
})

// The names of this package for what forge makes; package forge describes the
// language of header and claims.
var (
	set     = forge.JWKS[map[string]any]
	header  = forge.Header
	and     = forge.And
	signRaw = forge.SignECDSA
)

func rsaJWK(kid, alg, use string, key *rsa.PublicKey) map[string]any {
	return forge.JWK(key, "kid", kid, "use", use, "alg", alg)
}

func ecJWK(kid string, key *ecdsa.PublicKey) map[string]any { return forge.JWK(key, "kid", kid) }

func base64url[T ~string | ~[]byte](v T) string { return forge.Base64URL(v) }

// claims are those of a good access token for api, with changes.
func claims(changes ...string) string { return forge.Claims(tenant, api, clock, changes...) }

func sign(_ testing.TB, alg string, key any, header, claims string) string {
	return forge.Sign(alg, key, header, claims)
}

func signParts(_ testing.TB, alg string, key any, header, claims string) string {
	return forge.SignParts(alg, key, header, claims)
}

// good is a token with these claims that nothing is wrong with.
func good(t testing.TB, changes ...string) string {
	t.Helper()
	return sign(t, "RS256", keys().rsa, header("RS256", "rsa"), claims(changes...))
}

// ref names a claim as a configuration does.
func ref(name string) claim.Ref {
	r, ok := claim.ParseRef(name)
	if !ok {
		panic(name)
	}
	return r
}
