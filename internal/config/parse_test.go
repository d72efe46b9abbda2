package config_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// minimal is what every good document here starts from.
func minimal(change func(*config.Config)) *config.Config {
	c := &config.Config{
		Issuers: []config.Issuer{{
			Issuer:       "https://t.eu.auth0.com/",
			DiscoveryURL: "https://t.eu.auth0.com/.well-known/openid-configuration",
			Audience:     []string{"api"}, AudienceMatch: config.Any,
			Algorithms: []string{"RS256"},
			SSLVerify:  true,
		}},
		Leeway:       30 * time.Second,
		TokenFrom:    []token.Source{{Kind: token.Header, Name: "authorization", Scheme: "Bearer"}},
		ForwardToken: true,
		Realm:        "auth0-jwt",
	}
	change(c)
	return c
}

// samePattern compares patterns by their text.
var samePattern = cmp.Comparer(func(a, b *regexp.Regexp) bool {
	return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
})

func ref(name string) claim.Ref {
	r, ok := claim.ParseRef(name)
	if !ok {
		panic(name)
	}
	return r
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
			c.RequiredScopes, c.ScopesMatch = []string{"a:b", "c"}, config.Any
			c.RequiredPermissions, c.PermissionsMatch = []string{"p"}, config.Any
			c.Organizations, c.AllowedClients = []string{"o"}, []string{"k"}
		})},
		{"every place of a token", `,"token_from":[{"header":"X-Token"},{"header":"Authorization","scheme":"JWT"},{"header":"authorization","scheme":"Bearer"},{"cookie":"sid"},{"query":"t"}]`, false, minimal(func(c *config.Config) {
			c.TokenFrom = []token.Source{
				{Kind: token.Header, Name: "x-token"},
				{Kind: token.Header, Name: "authorization", Scheme: "JWT"},
				{Kind: token.Header, Name: "authorization", Scheme: "Bearer"},
				{Kind: token.Cookie, Name: "sid"},
				{Kind: token.Query, Name: "t"},
			}
		})},
		{"expectations, sorted by claim", `,"claims":{"z":true,"/a~1b/c":{"equals":null,"matches":"a|b","exists":true},"https://x/roles":{"contains":"r","contains_all":["s"],"contains_any":["t"],"one_of":["u"]},"gone":{"exists":false}}`, false, minimal(func(c *config.Config) {
			c.Claims = []claim.Expectation{
				{Claim: ref("/a~1b/c"), Equals: of[any](nil), Matches: regexp.MustCompile(`\A(?:a|b)\z`), Exists: of(true)},
				{Claim: ref("gone"), Exists: of(false)},
				{Claim: ref("https://x/roles"), Contains: of[any]("r"), ContainsAll: []any{"s"}, ContainsAny: []any{"t"}, OneOf: []any{"u"}},
				{Claim: ref("z"), Equals: of[any](true)},
			}
		})},
		{"identity headers", `,"claim_headers":{"X-User":"sub","X-Email":{"claim":"email","format":"base64","required":true}},"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-Role"],"forward_token":false`, false, minimal(func(c *config.Config) {
			c.ClaimHeaders = []identity.ClaimHeader{
				{Name: "X-Email", Claim: ref("email"), Format: claim.Base64, Required: true},
				{Name: "X-User", Claim: ref("sub")},
			}
			c.ClaimsHeader, c.TokenHeader, c.StripHeaders, c.ForwardToken = "X-Claims", "X-Token", []string{"X-Role"}, false
		})},
		{"answers", `,"unauth_action":"pass","bypass_cors_preflight":true,"mtls":"require","realm":"my api","error_format":"problem"`, false, minimal(func(c *config.Config) {
			c.UnauthAction, c.BypassCORSPreflight, c.MTLS = config.UnauthPass, true, config.Require
			c.Realm, c.ErrorFormat = "my api", refusal.Problem
		})},
		{"step-up, DPoP and metadata", `,"require_mfa":true,"acr_values":["gold"],"max_auth_age":"1h","dpop":"require","dpop_public_base_url":"https://api.example.com/","resource_metadata":"https://api.example.com/.well-known/oauth-protected-resource"`, false, minimal(func(c *config.Config) {
			c.RequireMFA, c.ACRValues, c.MaxAuthAge = true, []string{"gold"}, time.Hour
			c.DPoP, c.DPoPBaseURL = config.Require, "https://api.example.com"
			c.ResourceMetadata = "https://api.example.com/.well-known/oauth-protected-resource"
		})},
		{"Authorization stripped, where no token is read from it", `,"token_from":[{"cookie":"sid"}],"strip_headers":["Authorization"],"name":"orders"`, false, minimal(func(c *config.Config) {
			c.TokenFrom, c.StripHeaders, c.Name = []token.Source{{Kind: token.Cookie, Name: "sid"}}, []string{"Authorization"}, "orders"
		})},
		{"a domain in capitals, with a warning", `{"domain":"T.eu.auth0.com","audience":"api"}`, false, minimal(func(c *config.Config) {
			c.Issuers[0].Issuer, c.Issuers[0].DiscoveryURL = "https://T.eu.auth0.com/", "https://T.eu.auth0.com/.well-known/openid-configuration"
			c.Warnings = []string{"$.domain: Auth0 issues tokens with the domain in lower case, and iss is compared byte for byte: no token will match"}
		})},
		{"any audience, with a warning", `{"domain":"t.eu.auth0.com","audience":["*"],"audience_match":"all"}`, false, minimal(func(c *config.Config) {
			c.Issuers[0].Audience, c.Issuers[0].AnyAudience, c.Issuers[0].AudienceMatch = nil, true, config.All
			c.Warnings = []string{"$.audience: tokens for any audience are taken, also those meant for other APIs"}
		})},
		{"an issuer without a trailing slash", `{"issuer":"https://id.example.com/realms/a","audience":["a","b"],"audience_match":"all","algorithms":["PS256","EdDSA"],"token_profile":"rfc9068"}`, false, minimal(func(c *config.Config) {
			c.Issuers[0] = config.Issuer{
				Issuer: "https://id.example.com/realms/a", DiscoveryURL: "https://id.example.com/realms/a/.well-known/openid-configuration",
				Audience: []string{"a", "b"}, Algorithms: []string{"PS256", "EdDSA"}, TokenProfile: config.ProfileRFC9068, SSLVerify: true,
			}
		})},
		{"inline keys make an http issuer a mere name", `{"issuer":"http://localhost:8080/","audience":"api","algorithms":["ES256"],"jwks":` + jwksEC + `}`, false, minimal(func(c *config.Config) {
			c.Issuers[0].Issuer, c.Issuers[0].DiscoveryURL = "http://localhost:8080/", ""
			c.Issuers[0].Algorithms, c.Issuers[0].JWKS = []string{"ES256"}, []byte(jwksEC)
		})},
		{"several issuers inherit", `{"audience":"api","algorithms":["ES256"],"token_profile":"any","issuers":[{"domain":"a.example.com"},{"issuer":"https://b.example.com","audience":"b","algorithms":["RS512"],"token_profile":"auth0","jwks_uri":"https://b.example.com/keys?v=1"}]}`, false, minimal(func(c *config.Config) {
			c.Issuers = []config.Issuer{
				{Issuer: "https://a.example.com/", DiscoveryURL: "https://a.example.com/.well-known/openid-configuration", Audience: []string{"api"}, AudienceMatch: config.Any, Algorithms: []string{"ES256"}, TokenProfile: config.ProfileAny, SSLVerify: true},
				{Issuer: "https://b.example.com", JWKSURI: "https://b.example.com/keys?v=1", Audience: []string{"b"}, AudienceMatch: config.Any, Algorithms: []string{"RS512"}, SSLVerify: true},
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
			if diff := cmp.Diff(tt.want, got, samePattern); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if !takes(schema, document) {
				t.Error("the JSON Schema refuses it")
			}
		})
	}
}
