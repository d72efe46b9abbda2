package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// minimal is what every good document here starts from.
func minimal(change func(*config.Config)) *config.Config {
	c := &config.Config{
		Issuers: []config.Issuer{{
			Issuer:       "https://t.eu.auth0.com/",
			DiscoveryURL: "https://t.eu.auth0.com/.well-known/openid-configuration",
			Audience:     []string{"api"},
			Algorithms:   []string{"RS256"},
			SSLVerify:    true,
		}},
		Leeway:       30 * time.Second,
		TokenFrom:    []config.TokenSource{{Kind: config.FromHeader, Name: "authorization", Scheme: "Bearer"}},
		ForwardToken: true,
		Realm:        "auth0-jwt",
	}
	change(c)
	return c
}

func of[T any](v T) *T { return &v }

const jwksEC = `{"keys":[{"crv":"P-256","kid":"a","kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

func TestParseGood(t *testing.T) {
	tests := []struct {
		name     string
		document string // after {"domain":…,"audience":"api", unless it starts with {
		insecure bool
		want     *config.Config
	}{
		{"the defaults", ``, false, minimal(func(*config.Config) {})},
		{"durations as text and as numbers", `,"leeway":"1m30s","max_token_age":0.25`, false, minimal(func(c *config.Config) {
			c.Leeway, c.MaxTokenAge = 90*time.Second, 250*time.Millisecond
		})},
		{"no leeway and five minutes", `,"leeway":300`, false, minimal(func(c *config.Config) { c.Leeway = 5 * time.Minute })},
		{"scopes, permissions, organizations and clients", `,"required_scopes":["a:b","c"],"scopes_match":"any","required_permissions":["p"],"permissions_match":"any","organizations":["o"],"allowed_clients":["k"]`, false, minimal(func(c *config.Config) {
			c.RequiredScopes, c.AnyScope = []string{"a:b", "c"}, true
			c.RequiredPermissions, c.AnyPermission = []string{"p"}, true
			c.Organizations, c.AllowedClients = []string{"o"}, []string{"k"}
		})},
		{"every place of a token", `,"token_from":[{"header":"X-Token"},{"header":"Authorization","scheme":"JWT"},{"header":"authorization","scheme":"Bearer"},{"cookie":"sid"},{"query":"t"}]`, false, minimal(func(c *config.Config) {
			c.TokenFrom = []config.TokenSource{
				{Kind: config.FromHeader, Name: "x-token"},
				{Kind: config.FromHeader, Name: "authorization", Scheme: "JWT"},
				{Kind: config.FromHeader, Name: "authorization", Scheme: "Bearer"},
				{Kind: config.FromCookie, Name: "sid"},
				{Kind: config.FromQuery, Name: "t"},
			}
		})},
		{"expectations, sorted by claim", `,"claims":{"z":true,"/a~1b/c":{"equals":null,"matches":"a|b","exists":true},"https://x/roles":{"contains":"r","contains_all":["s"],"contains_any":["t"],"one_of":["u"]},"gone":{"exists":false}}`, false, minimal(func(c *config.Config) {
			c.Claims = []config.ClaimExpectation{
				{Claim: "/a~1b/c", Equals: of[any](nil), Matches: "a|b", Exists: of(true)},
				{Claim: "gone", Exists: of(false)},
				{Claim: "https://x/roles", Contains: of[any]("r"), ContainsAll: []any{"s"}, ContainsAny: []any{"t"}, OneOf: []any{"u"}},
				{Claim: "z", Equals: of[any](true)},
			}
		})},
		{"identity headers", `,"claim_headers":{"X-User":"sub","X-Email":{"claim":"email","format":"base64","required":true}},"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-Role"],"forward_token":false`, false, minimal(func(c *config.Config) {
			c.ClaimHeaders = []config.ClaimHeader{
				{Header: "X-Email", Claim: "email", Format: config.Base64, Required: true},
				{Header: "X-User", Claim: "sub"},
			}
			c.ClaimsHeader, c.TokenHeader, c.StripHeaders, c.ForwardToken = "X-Claims", "X-Token", []string{"X-Role"}, false
		})},
		{"answers", `,"unauth_action":"pass","bypass_cors_preflight":true,"mtls":"require","realm":"my api","error_format":"problem"`, false, minimal(func(c *config.Config) {
			c.PassUnauthenticated, c.BypassCORSPreflight, c.MTLS = true, true, config.Require
			c.Realm, c.ErrorFormat = "my api", config.FormatProblem
		})},
		{"step-up, DPoP and metadata", `,"require_mfa":true,"acr_values":["gold"],"max_auth_age":"1h","dpop":"require","dpop_public_base_url":"https://api.example.com/","resource_metadata":"https://api.example.com/.well-known/oauth-protected-resource"`, false, minimal(func(c *config.Config) {
			c.RequireMFA, c.ACRValues, c.MaxAuthAge = true, []string{"gold"}, time.Hour
			c.DPoP, c.DPoPBaseURL = config.Require, "https://api.example.com"
			c.ResourceMetadata = "https://api.example.com/.well-known/oauth-protected-resource"
		})},
		{"any audience, with a warning", `{"domain":"t.eu.auth0.com","audience":["*"],"audience_match":"all"}`, false, minimal(func(c *config.Config) {
			c.Issuers[0].Audience, c.Issuers[0].AnyAudience = nil, true
			c.Warnings = []string{"$.audience: tokens for any audience are taken, also those meant for other APIs"}
		})},
		{"an issuer without a trailing slash", `{"issuer":"https://id.example.com/realms/a","audience":["a","b"],"audience_match":"all","algorithms":["PS256","EdDSA"],"token_profile":"rfc9068"}`, false, minimal(func(c *config.Config) {
			c.Issuers[0] = config.Issuer{
				Issuer: "https://id.example.com/realms/a", DiscoveryURL: "https://id.example.com/realms/a/.well-known/openid-configuration",
				Audience: []string{"a", "b"}, AllAudiences: true, Algorithms: []string{"PS256", "EdDSA"}, TokenProfile: config.ProfileRFC9068, SSLVerify: true,
			}
		})},
		{"inline keys make an http issuer a mere name", `{"issuer":"http://localhost:8080/","audience":"api","algorithms":["ES256"],"jwks":` + jwksEC + `}`, false, minimal(func(c *config.Config) {
			c.Issuers[0].Issuer, c.Issuers[0].DiscoveryURL = "http://localhost:8080/", ""
			c.Issuers[0].Algorithms, c.Issuers[0].JWKS = []string{"ES256"}, []byte(jwksEC)
		})},
		{"several issuers inherit", `{"audience":"api","algorithms":["ES256"],"token_profile":"any","issuers":[{"domain":"a.example.com"},{"issuer":"https://b.example.com","audience":"b","algorithms":["RS512"],"token_profile":"auth0","jwks_uri":"https://b.example.com/keys?v=1"}]}`, false, minimal(func(c *config.Config) {
			c.Issuers = []config.Issuer{
				{Issuer: "https://a.example.com/", DiscoveryURL: "https://a.example.com/.well-known/openid-configuration", Audience: []string{"api"}, Algorithms: []string{"ES256"}, TokenProfile: config.ProfileAny, SSLVerify: true},
				{Issuer: "https://b.example.com", JWKSURI: "https://b.example.com/keys?v=1", Audience: []string{"b"}, Algorithms: []string{"RS512"}, SSLVerify: true},
			}
		})},
		{"what is insecure, where the operator allows it", `{"domain":"t.eu.auth0.com","audience":"api","discovery":"http://localhost/d","ssl_verify":false}`, true, minimal(func(c *config.Config) {
			c.Issuers[0].DiscoveryURL, c.Issuers[0].SSLVerify = "http://localhost/d", false
			c.Warnings = []string{
				"$.ssl_verify: certificates are not checked: whoever is on the way can replace the keys",
				"$.discovery: plain http: whoever is on the way can replace the keys",
			}
		})},
	}
	schema := compiledSchema(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			document := tt.document
			if document == "" || document[0] == ',' {
				document = `{"domain":"t.eu.auth0.com","audience":"api"` + document + `}`
			}
			got, err := config.Parse([]byte(document), config.Options{AllowInsecure: tt.insecure})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if !takes(schema, document) {
				t.Error("the JSON Schema refuses it")
			}
		})
	}
}
