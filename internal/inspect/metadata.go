package inspect

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

const wellKnown = "/.well-known/oauth-protected-resource"

var errNoResource = errors.New("the resource's identifier is not known: name it, set resource_metadata to its well-known URL, or have one https URL as the audience")

// ResourceMetadata is the document to serve at resource_metadata (RFC 9728
// section 2), as JSON. resource may be ""; it is then taken from
// resource_metadata (section 3.1), or from an audience that is a URL.
func ResourceMetadata(c *config.Config, resource string) ([]byte, error) {
	if resource == "" {
		resource = resourceOf(c)
	}
	if u, err := url.Parse(resource); err != nil || u.Host == "" || u.Fragment != "" {
		return nil, errNoResource
	}
	document := struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		ScopesSupported      []string `json:"scopes_supported,omitempty"`
		BearerMethods        []string `json:"bearer_methods_supported,omitempty"`
		DPoPAlgs             []string `json:"dpop_signing_alg_values_supported,omitempty"`
		DPoPRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
		TLSBound             bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	}{
		Resource: resource, ScopesSupported: c.RequiredScopes, BearerMethods: bearerMethods(c),
		DPoPRequired: c.DPoP == config.Require, TLSBound: c.MTLS != config.Off,
	}
	for _, i := range c.Issuers {
		document.AuthorizationServers = append(document.AuthorizationServers, i.Issuer)
	}
	if c.DPoP != config.Off {
		document.DPoPAlgs = jwk.Algorithms()
	}
	return json.MarshalIndent(document, "", "  ")
}

func resourceOf(c *config.Config) string {
	if u, err := url.Parse(c.ResourceMetadata); err == nil && u.Host != "" {
		if path, ok := strings.CutPrefix(u.EscapedPath(), wellKnown); ok {
			identifier := u.Scheme + "://" + u.Host + path
			if u.RawQuery != "" {
				identifier += "?" + u.RawQuery
			}
			return identifier
		}
	}
	if audience := c.Issuers[0].Audience; len(audience) == 1 && strings.HasPrefix(audience[0], "https://") {
		return audience[0]
	}
	return ""
}

// bearerMethods are those of RFC 6750 section 2 that token_from has.
func bearerMethods(c *config.Config) []string {
	var methods []string
	for _, s := range c.TokenFrom {
		method := ""
		switch {
		case s.Kind == token.Header && s.Name == "authorization":
			method = "header"
		case s.Kind == token.Query && s.Name == "access_token":
			method = "query"
		}
		if method != "" && !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	return methods
}
