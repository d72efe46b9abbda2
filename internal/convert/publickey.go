package convert

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
)

var errPublicKey = errors.New("want a public key in PEM: RSA, EC on P-256, P-384 or P-521, or Ed25519")

// keyOf is a public key in PEM as a JWK (RFC 7517), and the algorithm that it
// is for by default.
func keyOf(text string) (key members, algorithm string, err error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", errPublicKey
	}
	var public any
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = certificate.PublicKey
		}
	}
	if err != nil {
		return nil, "", errPublicKey
	}
	key = members{}
	switch public := public.(type) {
	case *rsa.PublicKey:
		key.set("kty", "RSA")
		key.set("n", base64URL(public.N.Bytes()))
		key.set("e", base64URL(big.NewInt(int64(public.E)).Bytes()))
		return key, "RS256", nil
	case *ecdsa.PublicKey:
		curve := public.Params().Name
		point, err := public.Bytes() // 4, x, y (SEC 1 section 2.3.3)
		algorithm = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[curve]
		if err != nil || algorithm == "" {
			return nil, "", errPublicKey
		}
		half := (len(point) - 1) / 2
		key.set("kty", "EC")
		key.set("crv", curve)
		key.set("x", base64URL(point[1:1+half]))
		key.set("y", base64URL(point[1+half:]))
		return key, algorithm, nil
	case ed25519.PublicKey:
		key.set("kty", "OKP")
		key.set("crv", "Ed25519")
		key.set("x", base64URL(public))
		return key, "EdDSA", nil
	}
	return nil, "", errPublicKey
}

func base64URL(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
