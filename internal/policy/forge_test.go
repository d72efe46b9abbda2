package policy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	tenant      = "https://tenant.example/"
	otherTenant = "https://other.example/"
	api         = "https://api.example/"
)

// clock is the time of every test here.
var clock = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func at(offset time.Duration) string {
	return strconv.FormatInt(clock.Add(offset).Unix(), 10)
}

// keyring holds the private keys of two tenants and of an attacker.
type keyring struct {
	rsa, encryption, weak *rsa.PrivateKey
	p256, p384            *ecdsa.PrivateKey
	ed25519               ed25519.PrivateKey

	otherTenant *rsa.PrivateKey // under the tenant's own kid "rsa"
	attacker    *rsa.PrivateKey // in no set
}

var keys = sync.OnceValue(func() keyring {
	newRSA := func(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return keyring{
		rsa: newRSA(2048), encryption: newRSA(2048), weak: newRSA(1024),
		p256:        must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		p384:        must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		ed25519:     must(private, err),
		otherTenant: newRSA(2048),
		attacker:    newRSA(2048),
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
		map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "ed25519", "x": base64url(k.ed25519.Public().(ed25519.PublicKey))},
	)
})

var otherTenantSet = sync.OnceValue(func() []byte {
	return set(rsaJWK("rsa", "RS256", "sig", &keys().otherTenant.PublicKey))
})

func set(jwks ...map[string]string) []byte {
	return must(json.Marshal(map[string]any{"keys": jwks}))
}

func rsaJWK(kid, alg, use string, key *rsa.PublicKey) map[string]string {
	jwk := map[string]string{
		"kty": "RSA", "kid": kid, "use": use,
		"n": base64url(key.N.Bytes()), "e": base64url(big.NewInt(int64(key.E)).Bytes()),
	}
	if alg != "" {
		jwk["alg"] = alg
	}
	return jwk
}

func ecJWK(kid string, key *ecdsa.PublicKey) map[string]string {
	point := must(key.Bytes())[1:]
	return map[string]string{
		"kty": "EC", "kid": kid, "crv": key.Params().Name,
		"x": base64url(point[:len(point)/2]), "y": base64url(point[len(point)/2:]),
	}
}

func base64url[T string | []byte | ed25519.PublicKey](v T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(v))
}

// header is a JOSE header: alg and kid, which "" leaves out, then members as
// JSON text.
func header(alg, kid string, members ...string) string {
	if kid != "" {
		members = slices.Insert(members, 0, `"kid":`+strconv.Quote(kid))
	}
	if alg != "" {
		members = slices.Insert(members, 0, `"alg":`+strconv.Quote(alg))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// claims are those of a good access token with changes, in pairs of a name and
// a JSON text; "" takes the claim out.
func claims(changes ...string) string {
	names := []string{"iss", "aud", "sub", "exp", "iat"}
	values := map[string]string{
		"iss": strconv.Quote(tenant), "aud": strconv.Quote(api), "sub": `"auth0|alice"`,
		"exp": at(time.Hour), "iat": at(-time.Minute),
	}
	for change := range slices.Chunk(changes, 2) {
		if !slices.Contains(names, change[0]) {
			names = append(names, change[0])
		}
		values[change[0]] = change[1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, strconv.Quote(name)+":"+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// and adds a member to a JSON object's text, even if it is there already.
func and(object, member string) string {
	return strings.TrimSuffix(object, "}") + "," + member + "}"
}

// sign makes a JWS of two JSON texts. The header may lie about alg.
func sign(t testing.TB, alg string, key any, header, claims string) string {
	t.Helper()
	return signParts(t, alg, key, base64url(header), base64url(claims))
}

// signParts is sign for parts that are already written in some base64.
func signParts(t testing.TB, alg string, key any, header, claims string) string {
	t.Helper()
	input := header + "." + claims
	signature, err := jwt.GetSigningMethod(alg).Sign(input, key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64url(signature)
}

// good is a token with these claims that nothing is wrong with.
func good(t testing.TB, changes ...string) string {
	t.Helper()
	return sign(t, "RS256", keys().rsa, header("RS256", "rsa"), claims(changes...))
}

// signRaw signs with ECDSA whatever the curve, as r and s of size bytes each,
// or as ASN.1.
func signRaw(hash crypto.Hash, key *ecdsa.PrivateKey, size int, header, claims string) (raw, der string) {
	input := base64url(header) + "." + base64url(claims)
	digest := hash.New()
	digest.Write([]byte(input))
	sum := digest.Sum(nil)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		panic(err)
	}
	signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	asn1 := must(ecdsa.SignASN1(rand.Reader, key, sum))
	return input + "." + base64url(signature), input + "." + base64url(asn1)
}
