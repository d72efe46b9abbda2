package ci_test

import (
	"testing"
	"time"
)

// TestAccepted holds tokens that must pass: a gateway that refuses everything
// would do well in all the other tables.
func TestAccepted(t *testing.T) {
	now := time.Now().Unix()
	allKeys := policy{"jwks": ownKeys, "algorithms": []string{"RS256", "PS256", "ES256", "EdDSA"}}
	tests := []struct {
		name   string
		policy policy // on top of identityOwn
		token  string
	}{
		{"RS256", allKeys, goodToken()},
		{"PS256", allKeys, jws{header: map[string]any{"alg": "PS256"}, sign: ps256(ownRSA)}.String()},
		{"ES256", allKeys, jws{header: map[string]any{"alg": "ES256", "kid": ecKid}, sign: es256(ownEC)}.String()},
		{"EdDSA", allKeys, jws{header: map[string]any{"alg": "EdDSA", "kid": edKid}, sign: edDSA(ownEd)}.String()},
		{
			"Ed25519 (RFC 9864)",
			policy{"jwks": ownKeys, "algorithms": []string{"Ed25519"}},
			jws{header: map[string]any{"alg": "Ed25519", "kid": edKid}, sign: edDSA(ownEd)}.String(),
		},
		{"no kid and one key", nil, jws{header: map[string]any{"kid": nil}}.String()},
		{"no typ", nil, jws{header: map[string]any{"typ": nil}}.String()},
		{"typ at+jwt", nil, jws{header: map[string]any{"typ": "at+jwt"}}.String()},
		{"typ application/at+jwt", nil, jws{header: map[string]any{"typ": "application/at+jwt"}}.String()},
		{
			"rfc9068",
			policy{"token_profile": "rfc9068"},
			jws{header: map[string]any{"typ": "at+jwt"}, claims: map[string]any{"client_id": "c", "jti": "1"}}.String(),
		},
		{"any typ where the route says so", policy{"token_profile": "any"}, jws{header: map[string]any{"typ": "other"}}.String()},
		{"expired within the leeway", policy{"leeway": "1m"}, claims(map[string]any{"exp": now - 20})},
		{"one audience of several", nil, claims(map[string]any{"aud": []string{"https://other.example", audience}})},
		{
			"all audiences",
			policy{"audience": []string{audience, "https://b.example"}, "audience_match": "all"},
			claims(map[string]any{"aud": []string{"https://b.example", audience}}),
		},
		{"any audience", policy{"audience": []string{"*"}}, claims(map[string]any{"aud": nil})},
		{"an organization by its id", policy{"organizations": []string{"org_ours"}}, claims(map[string]any{"org_id": "org_ours"})},
		{"an organization by its name", policy{"organizations": []string{"ours"}}, claims(map[string]any{"org_id": "org_1", "org_name": "ours"})},
		{"a client by client_id", policy{"allowed_clients": []string{"c"}}, claims(map[string]any{"azp": nil, "client_id": "c"})},
		{"scopes as a string", policy{"required_scopes": []string{"a", "b"}}, claims(map[string]any{"scope": "b c a"})},
		{"scopes as a list", policy{"required_scopes": []string{"a"}}, claims(map[string]any{"scope": []string{"b", "a"}})},
		{"scopes in scp", policy{"required_scopes": []string{"a"}}, claims(map[string]any{"scp": []string{"a"}})},
		{"one scope of two", policy{"required_scopes": []string{"a", "b"}, "scopes_match": "any"}, claims(map[string]any{"scope": "b"})},
		{"permissions", policy{"required_permissions": []string{"p"}}, claims(map[string]any{"permissions": []string{"q", "p"}})},
		{
			"claims of all kinds",
			policy{"claims": map[string]any{
				"email_verified": true, "/address/country": map[string]any{"one_of": []string{"NL", "BE"}},
				"https://example.com/roles": map[string]any{"contains": "admin"},
				"mail":                      map[string]any{"matches": `[a-z]+@example\.com`}, "level": 3, "blocked": map[string]any{"exists": false},
			}},
			claims(map[string]any{
				"email_verified": true, "address": map[string]any{"country": "BE"}, "https://example.com/roles": []string{"user", "admin"},
				"mail": "ann@example.com", "level": literal("3.0"),
			}),
		},
		{"a jku beside a good signature is not followed", nil, jws{header: map[string]any{"jku": "http://127.0.0.1:1/jwks.json"}}.String()},
	}
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T) {
			e := newRoute(t, identityOwn.with(tt.policy)).passes(t, request{token: tt.token})
			e.has(t, "X-User-Id", subject)
		})
	}
}

// TestIssuer uses keys that have to be fetched.
func TestIssuer(t *testing.T) {
	fetched := policy{"issuer": under.issuer.url, "audience": audience}.with(withUserID)
	run(t, "keys by discovery", func(t *testing.T) {
		newRoute(t, fetched).passes(t, request{token: under.issuer.mint(t, minting{})}).has(t, "X-User-Id", "auth0|user-1")
	})
	run(t, "keys by jwks_uri", func(t *testing.T) {
		r := newRoute(t, fetched.with(policy{"jwks_uri": under.issuer.jwksURI()}))
		r.passes(t, request{token: under.issuer.mint(t, minting{})}).has(t, "X-User-Id", "auth0|user-1")
	})
	r := newRoute(t, fetched)
	for _, tt := range []struct {
		name string
		mint minting
	}{
		{"a rogue key under a known kid", minting{Key: "rogue"}},
		{"alg none", minting{Alg: "none", Key: "none"}},
		{"expired", minting{ExpiresIn: -3600}},
		{"exp left out", minting{Omit: []string{"exp"}}},
		{"aud left out", minting{Omit: []string{"aud"}}},
		{"another issuer in iss", minting{Claims: map[string]any{"iss": ownIssuer}}},
	} {
		run(t, "the issuer's token with "+tt.name, func(t *testing.T) {
			r.refuses(t, request{token: under.issuer.mint(t, tt.mint)}, badToken, "auth0|user-1")
		})
	}
	run(t, "two issuers keep their keys apart", func(t *testing.T) {
		two := newRoute(t, policy{"issuers": []any{
			map[string]any{"issuer": under.issuer.url, "audience": audience},
			map[string]any{"issuer": ownIssuer, "audience": audience, "jwks": ownRSAKeys},
		}}.with(withUserID))
		two.passes(t, request{token: goodToken()}).has(t, "X-User-Id", subject)
		two.passes(t, request{token: under.issuer.mint(t, minting{})}).has(t, "X-User-Id", "auth0|user-1")
		two.refuses(t, request{token: claims(map[string]any{"iss": under.issuer.url})}, badToken)
		two.refuses(t, request{token: under.issuer.mint(t, minting{Claims: map[string]any{"iss": ownIssuer}})}, badToken)
	})
}
