package jwk_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// The examples of RFC 7638 section 3.1 and RFC 8037 appendix A.3.
func TestThumbprintsOfTheStandards(t *testing.T) {
	n := must(base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))
	ed := ed25519.PublicKey(must(base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")))
	for want, k := range map[string]crypto.PublicKey{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed,
	} {
		if got := jwk.Thumbprint(k); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, k := range []crypto.PublicKey{nil, "no key", rsaKey(), []byte(ed)} {
		if got := jwk.Thumbprint(k); got != "" {
			t.Errorf("a %T has the thumbprint %s", k, got)
		}
	}
}
