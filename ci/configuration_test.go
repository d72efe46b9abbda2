package ci_test

import (
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// TestBadConfigurations wants each to deny its own route, whatever the token,
// and no other.
func TestBadConfigurations(t *testing.T) {
	good := ownPolicy.text()
	raw := func(text string) string { return text }
	with := func(p policy) string { return ownPolicy.with(p).text() }
	symmetric := forge.JWK(make([]byte, 32), "kid", rsaKid, "alg", "HS256")
	private := publicJWK(ownRSA, rsaKid)
	private["d"] = forge.Base64URL(ownRSA.D.Bytes())

	tests := []struct{ name, value string }{
		{"nothing but braces", raw("{}")},
		{"no JSON", raw("not json")},
		{"a list", raw("[" + good + "]")},
		{"null", raw("null")},
		{"cut short", raw(good[:len(good)-1])},
		{"text after the document", raw(good + " x")},
		{"a second document", raw(good + good)},
		{"a key twice", raw(good[:len(good)-1] + `,"audience":"https://other.example"}`)},
		{"an unknown key", with(policy{"audiences": []string{audience}})},
		{"a key in other letters", with(policy{"Realm": "x"})},
		{"no audience", with(policy{"audience": nil})},
		{"an empty list of audiences", with(policy{"audience": []string{}})},
		{"an empty audience", with(policy{"audience": ""})},
		{"no issuer", with(policy{"issuer": nil})},
		{"domain and issuer", with(policy{"domain": "tenant.auth0.com"})},
		{"a domain with a scheme", policy{"domain": "https://tenant.auth0.com", "audience": audience}.text()},
		{"an empty list of issuers", policy{"issuers": []any{}, "audience": audience}.text()},
		{"alg none", with(policy{"algorithms": []string{"none"}})},
		{"alg none beside a good one", with(policy{"algorithms": []string{"RS256", "none"}})},
		{"a symmetric algorithm", with(policy{"algorithms": []string{"HS256"}})},
		{"no algorithm", with(policy{"algorithms": []string{}})},
		{"an unknown algorithm", with(policy{"algorithms": []string{"RS255"}})},
		{"an empty key set", with(policy{"jwks": keySet()})},
		{"a key set without usable keys", with(policy{"jwks": keySet(map[string]any{"kty": "RSA", "kid": "x"})})},
		{"a symmetric key", with(policy{"jwks": keySet(symmetric)})},
		{"a private key", with(policy{"jwks": keySet(private)})},
		{"an unknown token profile", with(policy{"token_profile": "id_token"})},
		{"a leeway over 5 min", with(policy{"leeway": "6m"})},
		{"a leeway below zero", with(policy{"leeway": "-1s"})},
		{"a leeway that is no duration", with(policy{"leeway": "soon"})},
		{"an empty list of scopes", with(policy{"required_scopes": []string{}})},
		{"scopes that are no list", with(policy{"required_scopes": "read:orders"})},
		{"an unknown match", with(policy{"required_scopes": []string{"a"}, "scopes_match": "some"})},
		{"an empty list of sources", with(policy{"token_from": []any{}})},
		{"a source in two places", with(from(map[string]any{"cookie": "a", "query": "b"}))},
		{"no expectation", with(policy{"claims": map[string]any{}})},
		{"an unknown expectation", with(policy{"claims": map[string]any{"a": map[string]any{"equal": 1}}})},
		{"an expression that does not compile", with(policy{"claims": map[string]any{"a": map[string]any{"matches": "("}}})},
		{"no claim header", with(policy{"claim_headers": map[string]any{}})},
		{"Host as an identity header", with(policy{"claim_headers": map[string]any{"Host": "sub"}})},
		{"Authorization as an identity header", with(policy{"token_header": "Authorization"})},
		{"Content-Length stripped", with(policy{"strip_headers": []string{"content_length"}})},
		{"two names for one header", with(policy{"claim_headers": map[string]any{"X-User": "sub", "x_user": "azp"}})},
		{"a header's name with a line break", with(policy{"token_header": "X-A\r\nX-B"})},
		{"an unknown format", with(policy{"claim_headers": map[string]any{"X-A": map[string]any{"claim": "a", "format": "xml"}}})},
		{"unauth_action with another value", with(policy{"unauth_action": "allow"})},
		{"a flag as a string", with(policy{"forward_token": "false"})},
		{"a realm with a quote", with(policy{"realm": `a"b`})},
		{"an unknown error format", with(policy{"error_format": "xml"})},
		{"a key set URL of another scheme", with(policy{"jwks": nil, "jwks_uri": "file:///etc/passwd"})},
		{"a client_secret beside public keys", with(policy{"client_secret": "$env://SECRET"})},
		{"a client_secret that is not there", with(policy{"client_secret": "$file:///nowhere/at/all", "algorithms": []string{"HS256"}, "jwks": nil})},
		{"symmetric and asymmetric algorithms", with(policy{"algorithms": []string{"HS256", "RS256"}})},
		{"no rule", with(policy{"rules": []any{}})},
		{"a rule that does not compile", with(policy{"rules": []any{map[string]any{"expression": "claims."}}})},
		{"a rule about nothing there is", with(policy{"rules": []any{map[string]any{"expression": "request.methods == 'GET'"}}})},
		{"a rule with another status", with(policy{"rules": []any{map[string]any{"expression": "true", "status": 200}}})},
		{"an empty claim_schema", with(policy{"claim_schema": map[string]any{}})},
		{"a claim_schema that is none", with(policy{"claim_schema": map[string]any{"type": "objekt"}})},
		{"a claim_schema from elsewhere", with(policy{"claim_schema": map[string]any{"$ref": "https://example.com/schema.json"}})},
		{"require_mfa as a string", with(policy{"require_mfa": "true"})},
		{"no acr_values", with(policy{"acr_values": []string{}})},
		{"max_auth_age of nothing", with(policy{"max_auth_age": 0})},
		{"an unknown mode of dpop", with(policy{"dpop": "yes"})},
		{"a base URL without dpop", with(policy{"dpop_public_base_url": "https://api.example.com"})},
		{"resource_metadata that is no URL", with(policy{"resource_metadata": "/.well-known/oauth-protected-resource"})},
	}
	guard := newRoute(t, identityOwn)
	secret := strings.Repeat("e2e-secret-", 4)
	tests = append(tests, struct{ name, value string }{"a secret as it is", with(policy{"client_secret": secret, "algorithms": []string{"HS256"}})})
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T) {
			r := newRouteOf(t, routeSpec{value: tt.value})
			r.refuses(t, request{token: goodToken()}, badConfig, subject, secret)
			r.refuses(t, request{}, badConfig, secret)
			guard.passes(t, request{token: goodToken()}).has(t, "X-User-Id", subject)
		})
	}
	run(t, "a bad configuration in post-req", func(t *testing.T) {
		r := newRouteOf(t, routeSpec{value: "{}", phase: "ext-plugin-post-req"})
		r.refuses(t, request{token: goodToken()}, badConfig)
	})
	run(t, "a bad configuration mended", func(t *testing.T) {
		r := newRouteOf(t, routeSpec{value: "{}"})
		r.refuses(t, request{token: goodToken()}, badConfig)
		r.put(t, routeSpec{value: good})
		r.await(t, wantStatus(200), request{token: goodToken()})
	})
	run(t, "a good configuration spoilt", func(t *testing.T) {
		r := newRoute(t, ownPolicy)
		r.passes(t, request{token: goodToken()})
		r.put(t, routeSpec{value: "{}"})
		r.await(t, wantStatus(500), request{token: goodToken()})
	})
}
