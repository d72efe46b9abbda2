package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// keyEC is the one key of jwksEC.
var keyEC = strings.TrimSuffix(strings.TrimPrefix(jwksEC, `{"keys":[`), `]}`)

// ownKeys is a document with these keys.
func ownKeys(keys ...string) []byte {
	return []byte(`{"domain":"t.example.com","audience":"a","algorithms":["ES256"],"jwks":{"keys":[` + strings.Join(keys, ",") + `]}}`)
}

// How each key is judged is held by the tests of the package jwk.
func TestKeysOfNoUseAreWarnedOfBesideOneThatIs(t *testing.T) {
	encryption := strings.Replace(keyEC, `"kty"`, `"use":"enc","kty"`, 1)
	c, err := config.Parse(ownKeys(encryption, keyEC, `"hunter2"`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		`$.jwks.keys[0]: not used: the key's "use" is not "sig"`,
		`$.jwks.keys[2]: not used: the key's "kty" is not "RSA", "EC" or "OKP"`,
	}, c.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestTheListOfUnusedKeysStaysShort(t *testing.T) {
	keys := []string{keyEC}
	for range 100 {
		keys = append(keys, "{}")
	}
	c, err := config.Parse(ownKeys(keys...), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Warnings); n != 11 || c.Warnings[10] != "$.jwks.keys: 90 more keys are not used" {
		t.Errorf("%d warnings, the last: %s", n, c.Warnings[n-1])
	}
}

// The two names of Ed25519 are one algorithm (RFC 9864).
func TestAKeyThatNamesEd25519FitsEdDSAToo(t *testing.T) {
	for _, names := range [][2]string{{"Ed25519", "EdDSA"}, {"EdDSA", "Ed25519"}} {
		document := `{"domain":"t.example.com","audience":"a","algorithms":["` + names[0] + `"],"jwks":{"keys":[
			{"kty":"OKP","crv":"Ed25519","alg":"` + names[1] + `","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`
		c, err := config.Parse([]byte(document), config.Options{})
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s with a key that names %s: %v, %v", names[0], names[1], c, err)
		}
		if !takes(compiledSchema(t), document) {
			t.Errorf("the JSON Schema refuses %s", names[0])
		}
	}
}

// Otherwise 1 MiB of keys would take longer to read than a configuration may.
func TestTheKeysOfAConfigurationAreBounded(t *testing.T) {
	many := func(n int) string { return `{"keys":[` + strings.Repeat(keyEC+",", n-1) + keyEC + `]}` }
	issuer := func(name, set string) string { return `{"domain":"` + name + `.example.com","jwks":` + set + `}` }
	for name, tt := range map[string]struct {
		issuers string
		want    string // of the error
	}{
		"500 keys":                 {issuer("a", many(500)), ""},
		"500 keys of two issuers":  {issuer("a", many(499)) + "," + issuer("b", many(1)), ""},
		"501 keys":                 {issuer("a", many(501)), "$.issuers[0].jwks.keys: given a list; allowed: at most 500 keys"},
		"501 keys of two issuers":  {issuer("a", many(500)) + "," + issuer("b", many(1)), "$.issuers[1].jwks.keys: given a list; allowed: at most 500 keys"},
		"6,000 keys of no use":     {issuer("a", `{"keys":[`+strings.Repeat("{},", 6000)+keyEC+`]}`), "at most 500 keys"},
		"501 keys and a later one": {issuer("a", many(501)) + "," + issuer("b", many(1)), "at most 500 keys"},
	} {
		_, err := config.Parse([]byte(`{"audience":"a","algorithms":["ES256"],"issuers":[`+tt.issuers+`]}`), config.Options{})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
