// Package resource writes the OAuth 2.0 protected resource metadata of a route
// (RFC 9728): the one document that the plugin serves and that the command line
// prints, built from the configuration. It must not know who asks for it, nor by
// which host.
package resource

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// ErrNoIdentifier means that nothing says what the resource is called.
var ErrNoIdentifier = errors.New("the resource's identifier is not known: name it, set protected_resource.resource, set resource_metadata to its well-known URL, or have one https URL as the audience")

// document is RFC 9728 section 2.
type document struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported,omitempty"`
	Name                 string   `json:"resource_name,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
	PolicyURI            string   `json:"resource_policy_uri,omitempty"`
	TOSURI               string   `json:"resource_tos_uri,omitempty"`
	DPoPAlgs             []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	TLSBound             bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// Metadata is the document as JSON. identifier may be ""; it is then that of
// protected_resource, or taken from resource_metadata (RFC 9728 section 3.1), or
// from an audience that is a URL.
func Metadata(c *config.Config, identifier string) ([]byte, error) {
	identifier = cmp.Or(identifier, identifierOf(c))
	if u, err := url.Parse(identifier); err != nil || u.Host == "" || u.Fragment != "" {
		return nil, ErrNoIdentifier
	}
	d := document{
		Resource: identifier, ScopesSupported: c.RequiredScopes, BearerMethods: c.BearerMethods(),
		DPoPRequired: c.DPoP == config.Require, TLSBound: c.MTLS != config.Off,
	}
	for _, i := range c.Issuers {
		d.AuthorizationServers = append(d.AuthorizationServers, i.Issuer)
	}
	if c.DPoP != config.Off {
		d.DPoPAlgs = jwk.Algorithms()
	}
	if p := c.ProtectedResource; p != nil {
		d.Name, d.Documentation, d.PolicyURI, d.TOSURI = p.Name, p.Documentation, p.PolicyURI, p.TOSURI
		d.AuthorizationServers = given(p.AuthorizationServers, d.AuthorizationServers)
		d.ScopesSupported = given(p.ScopesSupported, d.ScopesSupported)
		d.BearerMethods = given(p.BearerMethods, d.BearerMethods)
	}
	return json.MarshalIndent(d, "", "  ")
}

func given(list, otherwise []string) []string {
	if list == nil {
		return otherwise
	}
	return list
}

func identifierOf(c *config.Config) string {
	if c.ProtectedResource != nil {
		return c.ProtectedResource.Resource
	}
	if u, err := url.Parse(c.ResourceMetadata); err == nil && u.Host != "" {
		if path, ok := strings.CutPrefix(u.EscapedPath(), config.MetadataSuffix); ok {
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
