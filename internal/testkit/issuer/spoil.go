package issuer

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
)

// spoiling is a token that a fault may change before, or after, it is signed.
type spoiling struct {
	request MintRequest
	client  *Client
	access  string // the access token beside an ID token
	// instead takes the token's place; nil is the token.
	instead *string
}

// tokenFaults are what the fault of a token may be.
//
//	claims            Fault.Claims are laid over its own, a null takes one out
//	wrong_iss, wrong_aud, wrong_azp, wrong_nonce, wrong_at_hash, wrong_sub
//	                  a good looking claim of somebody else's
//	foreign_aud       the right audience and another, and azp the other
//	no_nonce, no_exp, no_iat, no_sid, no_at_hash
//	expired, future   by an hour
//	alg_none          alg none, without a signature
//	no_signature      the right header, without a signature
//	hs_secret         HS256 by the client's secret
//	hs_public_key     HS256 by the PEM text of the issuer's RSA key
//	rogue_key         signed by a key that is not in the set
//	large             with 12 KB more of claims
//	garbage           no JWT
//	missing           not there
//	access_token      of an ID token: the access token in its place
//	logout_token      of an ID token: a logout token in its place
var tokenFaults = map[string]func(*Issuer, *spoiling, Fault){
	"claims": func(_ *Issuer, s *spoiling, f Fault) {
		overlay(s.request.Claims, f.Claims)
		for name, value := range f.Claims {
			if value == nil {
				s.request.Omit = append(s.request.Omit, name)
			} else {
				s.request.Omit = slices.DeleteFunc(s.request.Omit, func(omitted string) bool { return omitted == name })
			}
		}
	},
	"wrong_iss":     claim("iss", "https://elsewhere.example/"),
	"wrong_aud":     claim("aud", "another-client"),
	"wrong_azp":     claim("azp", "another-client"),
	"wrong_nonce":   claim("nonce", "another-nonce"),
	"wrong_at_hash": claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
	"wrong_sub":     claim("sub", "auth0|mallory"),
	"foreign_aud": func(i *Issuer, s *spoiling, f Fault) {
		claim("azp", "another-client")(i, s, f)
		s.request.Claims["aud"] = []string{s.client.ID, "another-client"}
	},
	"no_nonce":   omitted("nonce"),
	"no_exp":     omitted("exp"),
	"no_iat":     omitted("iat"),
	"no_sid":     omitted("sid"),
	"no_at_hash": omitted("at_hash"),
	"expired": func(i *Issuer, s *spoiling, _ Fault) {
		s.request.Claims["iat"], s.request.ExpiresIn = i.now().Unix()-7200, -3600
	},
	"future": func(i *Issuer, s *spoiling, _ Fault) {
		s.request.Claims["iat"], s.request.ExpiresIn = i.now().Unix()+3600, 7200
	},
	"alg_none":     func(_ *Issuer, s *spoiling, _ Fault) { s.request.Alg, s.request.Key = "none", "none" },
	"no_signature": func(_ *Issuer, s *spoiling, _ Fault) { s.request.Key = "none" },
	"hs_secret":    func(_ *Issuer, s *spoiling, _ Fault) { s.request.Alg, s.request.Secret = "HS256", s.client.Secret },
	"hs_public_key": func(i *Issuer, s *spoiling, _ Fault) {
		s.request.Alg, s.request.Secret = "HS256", i.publicKeyPEM()
	},
	"rogue_key": func(_ *Issuer, s *spoiling, _ Fault) { s.request.Key = "rogue" },
	"large":     claim("https://example.com/large", strings.Repeat("x", 12<<10)),
	"garbage":   func(_ *Issuer, s *spoiling, _ Fault) { s.instead = new("not.a.token") },
	"missing":   func(_ *Issuer, s *spoiling, _ Fault) { s.instead = new("") },
	"access_token": func(_ *Issuer, s *spoiling, _ Fault) {
		s.instead = &s.access
	},
	"logout_token": func(_ *Issuer, s *spoiling, _ Fault) {
		sid, _ := s.request.Claims["sid"].(string)
		sub, _ := s.request.Claims["sub"].(string)
		s.request = logoutToken(s.client.ID, sub, sid)
	},
}

func claim(name string, value any) func(*Issuer, *spoiling, Fault) {
	return func(_ *Issuer, s *spoiling, _ Fault) {
		s.request.Claims[name] = value
		s.request.Omit = slices.DeleteFunc(s.request.Omit, func(omitted string) bool { return omitted == name })
	}
}

func omitted(name string) func(*Issuer, *spoiling, Fault) {
	return func(_ *Issuer, s *spoiling, _ Fault) { s.request.Omit = append(s.request.Omit, name) }
}

// spoilt mints a token with the fault that was set for its kind.
func (i *Issuer) spoilt(kind string, s spoiling) (string, error) {
	s.request.Claims = maps.Clone(s.request.Claims)
	f, _ := i.fault(kind)
	if spoil := tokenFaults[f.Fault]; spoil != nil {
		spoil(i, &s, f)
	}
	if s.instead != nil {
		return *s.instead, nil
	}
	return i.Mint(s.request)
}

// publicKeyPEM is the current RSA key as whoever confuses the two kinds of
// algorithms reads it.
func (i *Issuer) publicKeyPEM() string {
	i.mu.Lock()
	key := i.generations[current].signers[rsaFamily]
	i.mu.Unlock()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err) // the key is of the issuer's own making
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
