package ci_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRefusals goes through the table of answers, in the order of the checks.
func TestRefusals(t *testing.T) {
	now := time.Now().Unix()
	const hour = 3600
	tests := []struct {
		name   string
		policy policy // on top of ownPolicy
		req    request
		want   refusal
	}{
		{"no token", nil, request{}, noToken},
		{"another scheme counts as no token", nil, request{headers: [][2]string{{"Authorization", "Basic dXNlcjpwYXNzd29yZA=="}}}, noToken},
		{"a scheme alone is no token", nil, request{headers: [][2]string{{"Authorization", "Bearer"}}}, noToken},
		{
			"a token in two places",
			policy{"token_from": []any{map[string]any{"header": "Authorization", "scheme": "Bearer"}, map[string]any{"query": "access_token"}}},
			request{token: goodToken(), query: "access_token=" + goodToken()},
			twoTokens,
		},
		{"an opaque token", nil, request{token: "an-opaque-token-of-the-issuer"}, badToken},
		{"an algorithm that is not allowed", nil, request{token: jws{header: map[string]any{"alg": "PS256"}, sign: ps256(ownRSA)}.String()}, badToken},
		{"a typ that is not allowed", nil, request{token: jws{header: map[string]any{"typ": "dpop+jwt"}}.String()}, badToken},
		{"an ID token's typ under rfc9068", policy{"token_profile": "rfc9068"}, request{token: goodToken()}, badToken},
		{
			"a claim that rfc9068 requires is missing",
			policy{"token_profile": "rfc9068"},
			request{token: jws{header: map[string]any{"typ": "at+jwt"}, claims: map[string]any{"client_id": "c"}}.String()},
			badToken,
		},
		{"an issuer that is not configured", nil, request{token: claims(map[string]any{"iss": "https://evil.example/"})}, badToken},
		{"the issuer without its slash", nil, request{token: claims(map[string]any{"iss": strings.TrimSuffix(ownIssuer, "/")})}, badToken},
		{"no issuer", nil, request{token: claims(map[string]any{"iss": nil})}, badToken},
		{"a list of issuers", nil, request{token: claims(map[string]any{"iss": []string{ownIssuer}})}, badToken},
		{"keys that cannot be had", policy{"jwks": nil, "jwks_uri": "http://127.0.0.1:1/jwks.json"}, request{token: goodToken()}, noKeys},
		{"an unknown kid", nil, request{token: jws{header: map[string]any{"kid": "no-such-key-of-ours"}}.String()}, badToken},
		{
			"no kid and two keys that fit",
			policy{"jwks": keySet(publicJWK(ownRSA, rsaKid), publicJWK(rogueRSA, "second"))},
			request{token: jws{header: map[string]any{"kid": nil}}.String()},
			badToken,
		},
		{"another key's signature", nil, request{token: jws{sign: rs256(rogueRSA)}.String()}, badToken},
		{"expired", nil, request{token: claims(map[string]any{"exp": now - hour})}, badToken},
		{"expired beyond the leeway", policy{"leeway": "10s"}, request{token: claims(map[string]any{"exp": now - 20})}, badToken},
		{"not yet valid", nil, request{token: claims(map[string]any{"nbf": now + hour})}, badToken},
		{"issued in the future", nil, request{token: claims(map[string]any{"iat": now + hour})}, badToken},
		{"too old", policy{"max_token_age": "1m"}, request{token: claims(map[string]any{"iat": now - hour})}, badToken},
		{"no iat where there is an age limit", policy{"max_token_age": 60}, request{token: claims(map[string]any{"iat": nil})}, badToken},
		{"another audience", nil, request{token: claims(map[string]any{"aud": "https://other.example"})}, badToken},
		{
			"one audience of two that must all be there",
			policy{"audience": []string{audience, "https://other.example"}, "audience_match": "all"},
			request{token: goodToken()},
			badToken,
		},
		{"a token bound to a DPoP key", nil, request{token: claims(map[string]any{"cnf": map[string]any{"jkt": strings.Repeat("A", 43)}})}, boundToDPoP},
		{"a token bound to a certificate", nil, request{token: claims(map[string]any{"cnf": map[string]any{"x5t#S256": strings.Repeat("A", 43)}})}, badToken},
		{"a token without the binding that mtls requires", policy{"mtls": "require"}, request{token: goodToken()}, badToken},
		{"another organization", policy{"organizations": []string{"org_ours"}}, request{token: claims(map[string]any{"org_id": "org_theirs"})}, denied},
		{"no organization", policy{"organizations": []string{"org_ours"}}, request{token: goodToken()}, denied},
		{"another client", policy{"allowed_clients": []string{"our-client"}}, request{token: goodToken()}, denied},
		{
			"client_id does not stand in for a wrong azp",
			policy{"allowed_clients": []string{"our-client"}},
			request{token: claims(map[string]any{"azp": "their-client", "client_id": "our-client"})},
			denied,
		},
		{
			"a scope is missing",
			policy{"required_scopes": []string{"read:orders", "write:orders"}},
			request{token: claims(map[string]any{"scope": "read:orders"})},
			missingScope("read:orders write:orders"),
		},
		{
			"part of a scope's name is not the scope",
			policy{"required_scopes": []string{"read:orders"}},
			request{token: claims(map[string]any{"scope": "read:orders:all unread:orders"})},
			missingScope("read:orders"),
		},
		{
			"none of the scopes of which one is enough",
			policy{"required_scopes": []string{"a", "b"}, "scopes_match": "any"},
			request{token: claims(map[string]any{"scope": "c"})},
			missingScope("a b"),
		},
		{
			"a permission is missing",
			policy{"required_permissions": []string{"delete:orders"}},
			request{token: claims(map[string]any{"permissions": []string{"read:orders"}})},
			missingScope("delete:orders"),
		},
		{
			"a scope is not a permission",
			policy{"required_permissions": []string{"delete:orders"}},
			request{token: claims(map[string]any{"scope": "delete:orders"})},
			missingScope("delete:orders"),
		},
		{"a claim of another value", policy{"claims": map[string]any{"plan": "gold"}}, request{token: claims(map[string]any{"plan": "iron"})}, denied},
		{"a claim of another type", policy{"claims": map[string]any{"email_verified": true}}, request{token: claims(map[string]any{"email_verified": "true"})}, denied},
		{"a claim that is missing", policy{"claims": map[string]any{"plan": map[string]any{"exists": true}}}, request{token: goodToken()}, denied},
		{
			"a pattern that fits a part only",
			policy{"claims": map[string]any{"mail": map[string]any{"matches": `.*@example\.com`}}},
			request{token: claims(map[string]any{"mail": "a@example.com.evil.example"})},
			denied,
		},
		{
			"a pointer to another value",
			policy{"claims": map[string]any{"/address/country": "NL"}},
			request{token: claims(map[string]any{"address": map[string]any{"country": "BE"}})},
			denied,
		},
		{
			"a required header's claim is missing",
			policy{"claim_headers": map[string]any{"X-Mail": map[string]any{"claim": "email", "required": true}}},
			request{token: goodToken()},
			denied,
		},
		{
			"a required header's claim has a line break",
			policy{"claim_headers": map[string]any{"X-Mail": map[string]any{"claim": "email", "required": true}}},
			request{token: claims(map[string]any{"email": "a\r\nX-Admin: 1"})},
			denied,
		},
	}
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T) {
			r := newRoute(t, ownPolicy.with(tt.policy))
			r.refuses(t, tt.req, tt.want, subject)
		})
	}
}

// TestChallengeStyle is what a route may choose about its refusals.
func TestChallengeStyle(t *testing.T) {
	run(t, "the realm of the route", func(t *testing.T) {
		a := newRoute(t, ownPolicy.with(policy{"realm": "orders"})).send(t, request{})
		if got, want := a.header.Get("WWW-Authenticate"), `Bearer realm="orders"`; got != want {
			t.Errorf("WWW-Authenticate %q, want %q", got, want)
		}
	})
	run(t, "problem details", func(t *testing.T) {
		a := newRoute(t, ownPolicy.with(policy{"error_format": "problem"})).send(t, request{token: "opaque"})
		var problem struct{ Status int }
		if err := json.Unmarshal(a.body, &problem); err != nil || problem.Status != http.StatusUnauthorized || a.status != http.StatusUnauthorized {
			t.Errorf("no problem of status 401: %v", a)
		}
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
			t.Errorf("Content-Type %q", got)
		}
	})
	run(t, "no body", func(t *testing.T) {
		a := newRoute(t, ownPolicy.with(policy{"error_format": "none"})).send(t, request{token: "opaque"})
		if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || strings.Contains(string(a.body), "invalid_token") {
			t.Errorf("want a bare 401 with its challenge: %v", a)
		}
	})
	run(t, "Retry-After is a number of seconds", func(t *testing.T) {
		r := newRoute(t, ownPolicy.with(policy{"jwks": nil, "jwks_uri": "http://127.0.0.1:1/jwks.json"}))
		a := r.refuses(t, request{token: goodToken()}, noKeys)
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
			t.Errorf("Retry-After %q, want a number of seconds", a.header.Get("Retry-After"))
		}
	})
}
