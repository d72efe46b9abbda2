package jwk_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"sync"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// The keys of these tests, each made once.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKeys = sync.OnceValue(func() map[string]*ecdsa.PrivateKey {
		keys := map[string]*ecdsa.PrivateKey{}
		for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
			keys[curve.Params().Name] = must(ecdsa.GenerateKey(curve, rand.Reader))
		}
		return keys
	})
	edKey = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

type members map[string]any

// with is the same key with one member changed.
func (m members) with(name string, value any) members {
	m[name] = value
	return m
}

func (m members) without(name string) members {
	delete(m, name)
	return m
}

// read is the key as strictjson reads it.
func (m members) read() map[string]any {
	object, _ := must(strictjson.Parse(must(json.Marshal(m)), strictjson.Options{})).(map[string]any)
	return object
}

func rsaJWK() members {
	return members{"kty": "RSA", "kid": "k", "n": b64(rsaKey().N.Bytes()), "e": "AQAB"}
}

// modulusOf is an RSA key of that many bits, which nobody has the private key of.
func modulusOf(bits int) members {
	n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	return rsaJWK().with("n", b64(n.Bytes()))
}

func ecJWK(curve string) members {
	point := must(ecKeys()[curve].PublicKey.Bytes())
	half := len(point) / 2
	return members{"kty": "EC", "kid": "k", "crv": curve, "x": b64(point[1 : half+1]), "y": b64(point[half+1:])}
}

func edJWK() members {
	return members{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": b64(edKey().Public().(ed25519.PublicKey))}
}
