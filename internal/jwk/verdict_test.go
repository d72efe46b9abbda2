package jwk_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

// verdict is a key and what has to be said of it, wherever it comes from.
type verdict struct {
	name string
	key  any
	alg  string // it is asked for this one
	want error  // nil: it verifies alg
	// proof is what a proof's key is refused for, where that differs.
	proof error
}

// errAnother is no reason of the package's: the key is good, for another alg.
var errAnother = errors.New("a key for another algorithm")

func verdicts() []verdict {
	p256 := func() members { return ecJWK("P-256") }
	odd := new(big.Int).SetBit(big.NewInt(1), 2047, 1)
	return []verdict{
		{name: "RSA", key: rsaJWK(), alg: "RS256"},
		{name: "RSA for PS512", key: rsaJWK(), alg: "PS512"},
		{name: "RSA of its own alg", key: rsaJWK().with("alg", "RS384"), alg: "RS384"},
		{name: "RSA of another alg", key: rsaJWK().with("alg", "RS384"), alg: "RS256", want: errAnother},
		{name: "RSA for ES256", key: rsaJWK(), alg: "ES256", want: errAnother},
		{name: "P-256", key: p256(), alg: "ES256"},
		{name: "P-256 for ES384", key: p256(), alg: "ES384", want: errAnother},
		{name: "P-384", key: ecJWK("P-384"), alg: "ES384"},
		{name: "P-521", key: ecJWK("P-521"), alg: "ES512"},
		{name: "Ed25519 for EdDSA", key: edJWK(), alg: "EdDSA"},
		{name: "Ed25519 for Ed25519", key: edJWK(), alg: "Ed25519"},
		{name: "Ed25519 of alg EdDSA for Ed25519", key: edJWK().with("alg", "EdDSA"), alg: "Ed25519"},
		{name: "Ed25519 of alg Ed25519 for EdDSA", key: edJWK().with("alg", "Ed25519"), alg: "EdDSA"},
		{name: "Ed25519 of alg ed25519", key: edJWK().with("alg", "ed25519"), alg: "Ed25519", want: jwk.ErrAlgorithm},

		{name: "use sig", key: p256().with("use", "sig"), alg: "ES256"},
		{name: "use enc", key: p256().with("use", "enc"), alg: "ES256", want: jwk.ErrUse},
		{name: "use in capitals", key: p256().with("use", "SIG"), alg: "ES256", want: jwk.ErrUse},
		{name: "an empty use", key: p256().with("use", ""), alg: "ES256", want: jwk.ErrUse},
		{name: "a null use", key: p256().with("use", nil), alg: "ES256", want: jwk.ErrUse},
		{name: "a list of uses", key: p256().with("use", []string{"sig"}), alg: "ES256", want: jwk.ErrUse},
		{name: "key_ops verify", key: p256().with("key_ops", []string{"verify"}), alg: "ES256"},
		{name: "key_ops sign and verify", key: p256().with("key_ops", []string{"sign", "verify"}), alg: "ES256"},
		{name: "key_ops sign", key: p256().with("key_ops", []string{"sign"}), alg: "ES256", want: jwk.ErrKeyOps},
		{name: "key_ops encrypt", key: rsaJWK().with("key_ops", []string{"encrypt"}), alg: "RS256", want: jwk.ErrKeyOps},
		{name: "key_ops of its own invention", key: p256().with("key_ops", []any{1, "verify", "x"}), alg: "ES256"},
		{name: "no key_ops at all", key: p256().with("key_ops", []string{}), alg: "ES256", want: jwk.ErrKeyOps},
		{name: "key_ops no list", key: p256().with("key_ops", "verify"), alg: "ES256", want: jwk.ErrKeyOps},
		{name: "alg for encryption", key: rsaJWK().with("alg", "RSA-OAEP"), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "alg HS256", key: rsaJWK().with("alg", "HS256"), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "alg none", key: rsaJWK().with("alg", "none"), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "an empty alg", key: rsaJWK().with("alg", ""), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "a null alg", key: rsaJWK().with("alg", nil), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "alg of another type", key: p256().with("alg", "RS256"), alg: "RS256", want: jwk.ErrAlgorithm},
		{name: "alg of another curve", key: p256().with("alg", "ES384"), alg: "ES384", want: jwk.ErrAlgorithm},

		{name: "x5u", key: rsaJWK().with("x5u", "http://evil.example/"), alg: "RS256"},
		{name: "an odd x5c", key: rsaJWK().with("x5c", []any{"!", 1, nil}), alg: "RS256"},
		{name: "an odd x5t", key: rsaJWK().with("x5t", "abc").with("x5t#S256", []any{}), alg: "RS256"},
		{name: "unknown members", key: rsaJWK().with("exp", 1).with("nested", members{"d": "x"}), alg: "RS256"},
		{name: "other members in capitals", key: rsaJWK().with("USE", "enc").with("ALG", "ES256").with("Key_Ops", "x"), alg: "RS256"},
		{name: "members twice, once in capitals", key: rsaJWK().with("N", "!").with("KTY", "EC"), alg: "RS256"},
		{name: "kty in capitals", key: rsaJWK().without("kty").with("KTY", "RSA"), alg: "RS256", want: jwk.ErrType},
		{name: "n in capitals", key: rsaJWK().without("n").with("N", b64(rsaKey().N.Bytes())), alg: "RS256", want: jwk.ErrMalformed},
		{name: "a type in small letters", key: rsaJWK().with("kty", "rsa"), alg: "RS256", want: jwk.ErrType},
		{name: "a type that nobody knows", key: rsaJWK().with("kty", "AKP"), alg: "RS256", want: jwk.ErrType},
		{name: "a number for a type", key: rsaJWK().with("kty", 1), alg: "RS256", want: jwk.ErrType},
		{name: "no type", key: rsaJWK().without("kty"), alg: "RS256", want: jwk.ErrType},
		{name: "no n", key: rsaJWK().without("n"), alg: "RS256", want: jwk.ErrMalformed},
		{name: "a number for n", key: rsaJWK().with("n", 5), alg: "RS256", want: jwk.ErrMalformed},
		{name: "n no base64", key: rsaJWK().with("n", "!"), alg: "RS256", want: jwk.ErrMalformed},
		{name: "n as base64 and not base64url", key: rsaJWK().with("n", strings.Repeat("+/", 171)), alg: "RS256", want: jwk.ErrMalformed},
		{name: "an even modulus", key: rsaJWK().with("n", b64(new(big.Int).Sub(odd, big.NewInt(1)).Bytes())), alg: "RS256", want: jwk.ErrMalformed},
		{name: "1024 bits", key: modulusOf(1024), alg: "RS256", want: jwk.ErrSize},
		{name: "2047 bits", key: modulusOf(2047), alg: "RS256", want: jwk.ErrSize},
		{name: "2048 bits", key: modulusOf(2048), alg: "RS256"},
		{name: "4096 bits", key: modulusOf(4096), alg: "RS256"},
		{name: "8192 bits", key: modulusOf(8192), alg: "RS256", proof: jwk.ErrSize},
		{name: "16385 bits", key: modulusOf(16385), alg: "RS256", want: jwk.ErrSize},
		{name: "exponent 1", key: rsaJWK().with("e", "AQ"), alg: "RS256", want: jwk.ErrExponent},
		{name: "exponent 3", key: rsaJWK().with("e", "Aw"), alg: "RS256", proof: jwk.ErrExponent},
		{name: "an even exponent", key: rsaJWK().with("e", "AQAA"), alg: "RS256", want: jwk.ErrExponent},
		{name: "an exponent of 32 bits", key: rsaJWK().with("e", "gAAAAQ"), alg: "RS256", want: jwk.ErrExponent},
		{name: "an exponent that is no text", key: rsaJWK().with("e", 65537), alg: "RS256", want: jwk.ErrMalformed},
		{name: "a point off the curve", key: p256().with("y", b64(make([]byte, 32))), alg: "ES256", want: jwk.ErrMalformed},
		{name: "half a point", key: p256().without("y"), alg: "ES256", want: jwk.ErrMalformed},
		{name: "no curve", key: p256().without("crv"), alg: "ES256", want: jwk.ErrMalformed},
		{name: "secp256k1", key: p256().with("crv", "secp256k1"), alg: "ES256", want: jwk.ErrCurve},
		{name: "another curve's name", key: p256().with("crv", "P-384"), alg: "ES384", want: jwk.ErrMalformed},
		{name: "X25519", key: edJWK().with("crv", "X25519"), alg: "EdDSA", want: jwk.ErrCurve},
		{name: "Ed448", key: edJWK().with("crv", "Ed448"), alg: "EdDSA", want: jwk.ErrCurve},
		{name: "a short Ed25519 key", key: edJWK().with("x", b64(make([]byte, 31))), alg: "EdDSA", want: jwk.ErrMalformed},
		{name: "Ed25519 as an EC key", key: edJWK().with("kty", "EC"), alg: "EdDSA", want: jwk.ErrMalformed},
		{name: "a number for a kid", key: p256().with("kid", 1), alg: "ES256", want: jwk.ErrMalformed},
		{name: "a null kid", key: p256().with("kid", nil), alg: "ES256", want: jwk.ErrMalformed},

		{name: "symmetric", key: members{"kty": "oct", "kid": "k", "k": b64(make([]byte, 64))}, alg: "ES256", want: jwk.ErrSymmetric},
		{name: "symmetric with nothing in it", key: members{"kty": "oct"}, alg: "ES256", want: jwk.ErrSymmetric},
		{name: "private", key: p256().with("d", b64(make([]byte, 32))), alg: "ES256", want: jwk.ErrPrivate},
		{name: "a private prime", key: rsaJWK().with("p", "AQAB"), alg: "RS256", want: jwk.ErrPrivate},
		{name: "a null private member", key: rsaJWK().with("oth", nil), alg: "RS256", want: jwk.ErrPrivate},
		{name: "private and for encryption", key: rsaJWK().with("d", "AQAB").with("use", "enc"), alg: "RS256", want: jwk.ErrPrivate},
		{name: "private and of no type", key: members{"d": "AQAB"}, alg: "RS256", want: jwk.ErrPrivate},

		{name: "no members", key: members{}, alg: "ES256", want: jwk.ErrType},
		{name: "a null", key: nil, alg: "ES256", want: jwk.ErrType},
		{name: "a list", key: []any{}, alg: "ES256", want: jwk.ErrType},
		{name: "a text", key: "k", alg: "ES256", want: jwk.ErrType},
	}
}

// neighbour is a good key beside the one that is judged.
func neighbour() members { return ecJWK("P-384").with("kid", "neighbour") }

func setOf(keys ...any) string {
	return string(must(json.Marshal(map[string]any{"keys": keys})))
}

// A key must not be good in a configuration and useless at run time, nor the
// other way round: whoever brings it, there is one judgement.
func TestAKeyIsJudgedAlikeWhereverItComesFrom(t *testing.T) {
	for _, v := range verdicts() {
		t.Run(v.name, func(t *testing.T) {
			parsed(t, v)
			inline(t, v)
			fetched(t, v)
			ofAProof(t, v)
		})
	}
}

func parsed(t *testing.T, v verdict) {
	m, _ := v.key.(members)
	key, err := jwk.Parse(m.read())
	if want := v.want; want != nil && want != errAnother {
		if !errors.Is(err, want) {
			t.Errorf("Parse: %v, want %v", err, want)
		}
		return
	}
	if err != nil || key.Fits(v.alg) != (v.want == nil) {
		t.Errorf("Parse: %v; fits %s: %t", err, v.alg, key.Fits(v.alg))
	}
}

// inline asks the configuration, and what is then made of it at run time.
func inline(t *testing.T, v verdict) {
	conf := func(set string) (*config.Config, error) {
		return config.Parse([]byte(`{"issuer":"https://i.example/","audience":"a","algorithms":["`+v.alg+`"],"jwks":`+set+`}`), config.Options{})
	}
	secret := v.want == jwk.ErrPrivate || v.want == jwk.ErrSymmetric
	usable := v.want == nil || v.want == errAnother
	if _, err := conf(setOf(v.key)); (err == nil) != usable {
		t.Errorf("alone in a configuration: %v", err)
	} else if err != nil && !secret && !strings.Contains(err.Error(), "$.jwks.keys[0]: ") {
		t.Errorf("the error does not name the key: %v", err)
	} else if err != nil && !secret && !strings.Contains(err.Error(), v.want.Error()) {
		t.Errorf("the error does not say why: %v", err)
	}
	c, err := conf(setOf(neighbour(), v.key))
	if (err == nil) == secret {
		t.Errorf("beside a usable key in a configuration: %v", err)
	}
	if err != nil {
		return
	}
	warned := strings.Contains(strings.Join(c.Warnings, "\n"), "$.jwks.keys[1]: not used: ")
	if warned != !usable || warned && !strings.Contains(strings.Join(c.Warnings, "\n"), v.want.Error()) {
		t.Errorf("warnings: %q", c.Warnings)
	}
	p, err := jwks.Static(c.Issuers[0].JWKS)
	if err != nil {
		t.Fatal(err)
	}
	finds(t, "inline", p, v)
}

func finds(t *testing.T, where string, p *jwks.Provider, v verdict) {
	kid, hasKid := "k", true
	if m, _ := v.key.(members); m["kid"] != any("k") {
		kid, hasKid = "", false
	}
	_, err := p.Key(t.Context(), kid, hasKid, v.alg)
	// The neighbour must not stand in for a key without a name.
	if got := err == nil && (hasKid || v.alg != "ES384"); got != (v.want == nil) {
		t.Errorf("%s: found for %s: %v", where, v.alg, err)
	}
	usable := v.want == nil || v.want == errAnother
	if skipped := p.Status().Skipped; (skipped == 0) != usable {
		t.Errorf("%s: %d skipped", where, skipped)
	}
}

type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

func fetched(t *testing.T, v verdict) {
	r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: answer(setOf(neighbour(), v.key))}), Logger: slog.New(slog.DiscardHandler)})
	defer r.Close()
	p := r.Provider(jwks.Source{Issuer: "https://i.example/", JWKSURI: "https://i.example/keys", SSLVerify: true})
	if _, err := p.Key(t.Context(), "neighbour", true, "ES384"); err != nil {
		t.Fatal(err)
	}
	finds(t, "fetched", p, v)
}

// ofAProof holds that a proof's key is refused for itself, or only afterwards
// for not being that of the token.
func ofAProof(t *testing.T, v verdict) {
	header := string(must(json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": v.alg, "jwk": v.key})))
	want := dpop.ErrThumbprint
	if v.want != nil || v.proof != nil {
		want = dpop.ErrKey
	}
	if _, err := dpop.Verify(b64([]byte(header))+".e30.AAAA", dpop.Expected{Now: time.Unix(0, 0)}); !errors.Is(err, want) {
		t.Errorf("in a proof: %v, want %v", err, want)
	}
	if m, _ := v.key.(members); v.proof != nil {
		if _, err := jwk.ParseUntrusted(m.read()); !errors.Is(err, v.proof) {
			t.Errorf("in a proof: %v, want %v", err, v.proof)
		}
	}
}
