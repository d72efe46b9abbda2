package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

func TestProtectedResourceSaysWhereItsMetadataIs(t *testing.T) {
	const host = "https://api.example.com"
	for _, tt := range []struct{ name, resource, wantURL, wantPath string }{
		{"no path", host, host + config.MetadataSuffix, config.MetadataSuffix},
		{"a slash alone is no path", host + "/", host + config.MetadataSuffix, config.MetadataSuffix},
		{"a path", host + "/mcp", host + config.MetadataSuffix + "/mcp", config.MetadataSuffix + "/mcp"},
		{"a slash at the end of a path stays", host + "/mcp/", host + config.MetadataSuffix + "/mcp/", config.MetadataSuffix + "/mcp/"},
		{"a port and a query", host + ":8443/a/b?c=d", host + ":8443" + config.MetadataSuffix + "/a/b?c=d", config.MetadataSuffix + "/a/b"},
		{"a path that is escaped", host + "/caf%C3%A9", host + config.MetadataSuffix + "/caf%C3%A9", config.MetadataSuffix + "/café"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			document := `{"domain":"t.eu.auth0.com","audience":"api","protected_resource":{"resource":"` + tt.resource + `"}}`
			c, err := config.Parse([]byte(document), config.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := &config.ProtectedResource{Resource: tt.resource, MetadataURL: tt.wantURL, MetadataPath: tt.wantPath}
			if diff := cmp.Diff(want, c.ProtectedResource); diff != "" {
				t.Error(diff)
			}
			if c.ResourceMetadata != tt.wantURL {
				t.Errorf("challenges name %s", c.ResourceMetadata)
			}
			if !takes(compiledSchema(t), document) {
				t.Error("the schema refuses it")
			}
		})
	}
}

func TestProtectedResourceTakesWhatItIsGiven(t *testing.T) {
	document := `{"domain":"t.eu.auth0.com","audience":"api","dpop":"require",
		"resource_metadata":"https://api.example.com/.well-known/oauth-protected-resource/mcp",
		"protected_resource":{"resource":"https://api.example.com/mcp","authorization_servers":["https://t.eu.auth0.com/","https://front.example.com/"],
		"scopes_supported":["a","b"],"bearer_methods_supported":["header"],"resource_name":"Bestellungen für alle",
		"resource_documentation":"https://example.com/docs","resource_policy_uri":"https://example.com/policy","resource_tos_uri":"https://example.com/tos",
		"dpop_bound_access_tokens_required":true,"tls_client_certificate_bound_access_tokens":false}}`
	c, err := config.Parse([]byte(document), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &config.ProtectedResource{
		Resource: "https://api.example.com/mcp", MetadataURL: "https://api.example.com/.well-known/oauth-protected-resource/mcp",
		MetadataPath:         "/.well-known/oauth-protected-resource/mcp",
		AuthorizationServers: []string{"https://t.eu.auth0.com/", "https://front.example.com/"},
		ScopesSupported:      []string{"a", "b"}, BearerMethods: []string{"header"}, Name: "Bestellungen für alle",
		Documentation: "https://example.com/docs", PolicyURI: "https://example.com/policy", TOSURI: "https://example.com/tos",
	}
	if diff := cmp.Diff(want, c.ProtectedResource); diff != "" {
		t.Error(diff)
	}
	const warning = "$.protected_resource.authorization_servers[1]: it is none of the route's issuers, so that tokens with its name in iss are refused"
	if diff := cmp.Diff([]string{warning}, c.Warnings); diff != "" {
		t.Error(diff)
	}
	if !takes(compiledSchema(t), document) {
		t.Error("the schema refuses it")
	}
}

func TestProtectedResourceTakesHTTPWhereTheOperatorAllowsIt(t *testing.T) {
	document := `{"domain":"t.eu.auth0.com","audience":"api","protected_resource":{"resource":"http://127.0.0.1:9080/mcp"}}`
	if _, err := config.Parse([]byte(document), config.Options{AllowInsecure: true}); err != nil {
		t.Error(err)
	}
}

func TestProtectedResourceIsNotAtOneOfLoginsPaths(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", "ssssssssssssssssssssssssssssssss")
	document := `{"domain":"t.eu.auth0.com","audience":"api","protected_resource":{"resource":"https://api.example.com"},
		"login":{"client_id":"c","redirect_uri":"https://api.example.com/callback","logout_path":"/.well-known/oauth-protected-resource","session":{"secret":"$env://LOGIN_TEST_SECRET"}}}`
	if _, err := config.Parse([]byte(document), config.Options{}); err == nil {
		t.Error("the metadata would stand in the way of the logout")
	}
}
