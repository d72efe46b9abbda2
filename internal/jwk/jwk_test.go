package jwk_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

var (
	rsaAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	edAlgorithms  = []string{"EdDSA", "Ed25519"}
)

func TestAKeyVerifiesTheAlgorithmsOfItsTypeOrItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		key  members
		want []string
	}{
		"RSA":                         {rsaJWK(), rsaAlgorithms},
		"RSA that names PS256":        {rsaJWK().with("alg", "PS256"), []string{"PS256"}},
		"P-256":                       {ecJWK("P-256"), []string{"ES256"}},
		"P-384":                       {ecJWK("P-384"), []string{"ES384"}},
		"P-521 that names its own":    {ecJWK("P-521").with("alg", "ES512"), []string{"ES512"}},
		"Ed25519":                     {edJWK(), edAlgorithms},
		"Ed25519 that names EdDSA":    {edJWK().with("alg", "EdDSA"), edAlgorithms},
		"Ed25519 that names Ed25519":  {edJWK().with("alg", "Ed25519"), edAlgorithms},
		"RSA with no kid":             {rsaJWK().without("kid"), rsaAlgorithms},
		"RSA for signatures":          {rsaJWK().with("use", "sig").with("key_ops", []string{"verify", "sign"}), rsaAlgorithms},
		"RSA with certificates":       {rsaJWK().with("x5c", []string{"!"}).with("x5t", 1).with("x5u", "http://"), rsaAlgorithms},
		"RSA with members of its own": {rsaJWK().with("issuer", "x").with("D", "x").with("USE", "enc"), rsaAlgorithms},
	} {
		key, err := jwk.Parse(tt.key.read())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, key.Algorithms()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		for _, alg := range append(jwk.Algorithms(), "HS256", "none", "", "rs256") {
			if key.Fits(alg) != slices.Contains(tt.want, alg) {
				t.Errorf("%s for %q: %t", name, alg, key.Fits(alg))
			}
		}
		if id, _ := tt.key["kid"].(string); key.ID() != id || jwk.Thumbprint(key.Public()) == "" {
			t.Errorf("%s: kid %q", name, key.ID())
		}
	}
	if (jwk.Key{}).Fits("RS256") || (jwk.Key{}).Fits("") {
		t.Error("no key at all verifies")
	}
}

func TestTheSecretsOfAKeyAreNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		key  members
		want []string
	}{
		"public":          {ecJWK("P-256"), nil},
		"private":         {ecJWK("P-256").with("d", "AQAB"), []string{"d"}},
		"private RSA":     {rsaJWK().with("oth", []any{}).with("dp", nil).with("d", ""), []string{"d", "dp", "oth"}},
		"symmetric":       {members{"kty": "oct", "k": "AQAB"}, []string{"k"}},
		"in capitals":     {ecJWK("P-256").with("D", "AQAB"), nil},
		"nothing in it":   {members{}, nil},
		"a disguised one": {ecJWK("P-256").with("k", "AQAB"), []string{"k"}},
	} {
		if diff := cmp.Diff(tt.want, jwk.Secrets(tt.key)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The reasons stand in messages and in the log.
func TestAReasonHoldsNothingOfTheKey(t *testing.T) {
	const secret = "hunter2"
	for _, name := range []string{"kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "d"} {
		for _, value := range []any{secret, []any{secret}, map[string]any{secret: secret}} {
			if _, err := jwk.Parse(ecJWK("P-256").with(name, value)); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAClientsKeyIsBoundedMoreTightly(t *testing.T) {
	for name, tt := range map[string]struct {
		key                members
		trusted, untrusted error
	}{
		"2047 bits":        {modulusOf(2047), jwk.ErrSize, jwk.ErrSize},
		"2048 bits":        {modulusOf(2048), nil, nil},
		"4096 bits":        {modulusOf(4096), nil, nil},
		"4097 bits":        {modulusOf(4097), nil, jwk.ErrSize},
		"16384 bits":       {modulusOf(16384), nil, jwk.ErrSize},
		"16385 bits":       {modulusOf(16385), jwk.ErrSize, jwk.ErrSize},
		"a million bits":   {modulusOf(1_000_000), jwk.ErrSize, jwk.ErrSize},
		"exponent 0":       {rsaJWK().with("e", "AA"), jwk.ErrExponent, jwk.ErrExponent},
		"exponent 1":       {rsaJWK().with("e", "AQ"), jwk.ErrExponent, jwk.ErrExponent},
		"exponent 2":       {rsaJWK().with("e", "Ag"), jwk.ErrExponent, jwk.ErrExponent},
		"exponent 3":       {rsaJWK().with("e", "Aw"), nil, jwk.ErrExponent},
		"exponent 65536":   {rsaJWK().with("e", "AQAA"), jwk.ErrExponent, jwk.ErrExponent},
		"exponent 65539":   {rsaJWK().with("e", "AQAD"), nil, jwk.ErrExponent},
		"exponent 2^31-1":  {rsaJWK().with("e", "f____w"), nil, jwk.ErrExponent},
		"exponent 2^31+1":  {rsaJWK().with("e", "gAAAAQ"), jwk.ErrExponent, jwk.ErrExponent},
		"2^64 + 65537":     {rsaJWK().with("e", b64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})), jwk.ErrMalformed, jwk.ErrMalformed},
		"an even modulus":  {rsaJWK().with("n", b64(append([]byte{0x80}, make([]byte, 255)...))), jwk.ErrMalformed, jwk.ErrMalformed},
		"leading zeros":    {rsaJWK().with("e", b64([]byte{0, 0, 1, 0, 1})), nil, nil},
		"base64 with =":    {rsaJWK().with("e", "AQAB").with("n", b64(rsaKey().N.Bytes())+"=="), nil, nil},
		"an elliptic one":  {ecJWK("P-521"), nil, nil},
		"an Edwards curve": {edJWK(), nil, nil},
	} {
		if _, err := jwk.Parse(tt.key.read()); !errors.Is(err, tt.trusted) || (err == nil) != (tt.trusted == nil) {
			t.Errorf("%s, of an issuer: %v, want %v", name, err, tt.trusted)
		}
		if _, err := jwk.ParseUntrusted(tt.key.read()); !errors.Is(err, tt.untrusted) || (err == nil) != (tt.untrusted == nil) {
			t.Errorf("%s, of a client: %v, want %v", name, err, tt.untrusted)
		}
	}
}
