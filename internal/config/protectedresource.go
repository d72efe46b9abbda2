package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// ProtectedResource is the key protected_resource: the metadata of RFC 9728
// section 2 that the plugin serves itself. What is nil or "" has its default.
type ProtectedResource struct {
	Resource     string // the resource's identifier
	MetadataURL  string // where clients find the metadata (RFC 9728 section 3)
	MetadataPath string // of MetadataURL, decoded, as APISIX shows paths

	AuthorizationServers []string // nil is the route's issuers
	ScopesSupported      []string // nil is the route's required scopes
	BearerMethods        []string // nil is [Config.BearerMethods]
	Name                 string
	Documentation        string
	PolicyURI            string
	TOSURI               string
}

var protectedResourceKeys = []string{
	"resource", "authorization_servers", "scopes_supported", "bearer_methods_supported", "resource_name", "resource_documentation",
	"resource_policy_uri", "resource_tos_uri", "dpop_bound_access_tokens_required", "tls_client_certificate_bound_access_tokens",
}

// MetadataSuffix is the well-known path of RFC 9728 section 3.
const MetadataSuffix = "/.well-known/oauth-protected-resource"

const (
	resourceForm = `an absolute https URL without user, fragment, " and \, whose path has no "//", "/./" and "/../"; ` +
		`http only where the operator started the runner with --allow-insecure`
	pageForm        = `an absolute https URL without user and fragment; http only where the operator started the runner with --allow-insecure`
	maxResource     = 1024
	maxResourceName = 255
)

// protectedResource reads the key protected_resource, after the rest of c.
func (o object) protectedResource(c *Config) *ProtectedResource {
	v, ok := o.get("protected_resource")
	if !ok {
		return nil
	}
	own, ok := v.object("an object with resource and maybe others")
	if !ok {
		return nil
	}
	own.allow(protectedResourceKeys...)
	p := &ProtectedResource{
		ScopesSupported: own.words("scopes_supported", scopeForm, isScopeToken),
		Documentation:   own.webPage("resource_documentation"),
		PolicyURI:       own.webPage("resource_policy_uri"),
		TOSURI:          own.webPage("resource_tos_uri"),
	}
	if name, ok := own.get("resource_name"); ok {
		p.Name, _ = name.named("a name of at most 255 bytes for people", func(s string) bool { return len(s) <= maxResourceName })
	}
	own.resource(p)
	own.authorizationServers(c, p)
	own.bearerMethods(c, p)
	own.agrees("dpop_bound_access_tokens_required", c.DPoP == Require, `dpop is "require"`)
	own.agrees("tls_client_certificate_bound_access_tokens", c.MTLS != Off, `mtls is "allow" or "require"`)
	if p.MetadataURL == "" {
		return p
	}
	if c.ResourceMetadata != "" && c.ResourceMetadata != p.MetadataURL {
		other, _ := o.get("resource_metadata")
		other.refuse("nothing, or what protected_resource serves: " + p.MetadataURL)
	}
	if l := c.Login; l != nil && slices.Contains([]string{l.CallbackPath, l.LoginPath, l.LogoutPath, l.BackchannelLogoutPath}, p.MetadataPath) {
		v.refuse("a resource whose metadata is not at one of login's own paths")
	}
	c.ResourceMetadata = p.MetadataURL
	return p
}

func (o object) resource(p *ProtectedResource) {
	v, ok := o.get("resource")
	if !ok {
		o.r.refuse(v.path, "none", resourceForm)
		return
	}
	s, u := v.absolute(resourceForm, true)
	switch {
	case u == nil:
		return
	case u.Scheme != "https" && !o.r.opt.AllowInsecure, strings.ContainsAny(s, `"\`), len(s) > maxResource, !isNormalPath(u.Path):
		v.refuse(resourceForm)
		return
	}
	p.Resource = s
	p.MetadataURL, p.MetadataPath = metadataAt(u)
}

// metadataAt inserts the well-known path between host and path. A path that is
// but a slash counts as none (RFC 9728 section 3.1).
func metadataAt(resource *url.URL) (whole, path string) {
	decoded, escaped := resource.Path, resource.EscapedPath()
	if decoded == "/" {
		decoded, escaped = "", ""
	}
	whole = resource.Scheme + "://" + resource.Host + MetadataSuffix + escaped
	if resource.RawQuery != "" {
		whole += "?" + resource.RawQuery
	}
	return whole, MetadataSuffix + decoded
}

// isNormalPath reports whether a decoded path is as nginx would write it.
func isNormalPath(s string) bool {
	segments := strings.Split(strings.TrimPrefix(s, "/"), "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (o object) authorizationServers(c *Config, p *ProtectedResource) {
	v, ok := o.get("authorization_servers")
	if !ok {
		return
	}
	p.AuthorizationServers = v.texts("an issuer: "+issuerForm, nil)
	for i, server := range p.AuthorizationServers {
		e := value{o.r, element(v.path, i), server, v.hidden}
		_, u := e.absolute(issuerForm, false)
		switch {
		case u == nil:
		case u.Scheme != "https" && !o.r.opt.AllowInsecure:
			e.refuse("https; http only where the operator started the runner with --allow-insecure")
		case !slices.ContainsFunc(c.Issuers, func(i Issuer) bool { return i.Issuer == server }):
			o.r.warn(e.path, "it is none of the route's issuers, so that tokens with its name in iss are refused")
		}
	}
}

func (o object) bearerMethods(c *Config, p *ProtectedResource) {
	have := c.BearerMethods()
	want := "one of the ways that token_from has: " + strings.Join(have, ", ")
	if len(have) == 0 {
		want = "nothing: token_from has none of the ways of RFC 6750"
	}
	p.BearerMethods = o.words("bearer_methods_supported", want, func(s string) bool { return slices.Contains(have, s) })
}

// BearerMethods are the ways of RFC 6750 section 2 that token_from has.
func (c *Config) BearerMethods() []string {
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

// agrees refuses a member that says something else than the policy does.
func (o object) agrees(key string, is bool, when string) {
	v, ok := o.get(key)
	if ok && v.json != any(is) {
		v.refuse("true exactly where " + when + "; left out, it follows from that")
	}
}

// webPage is for people; nothing here fetches it.
func (o object) webPage(key string) string {
	v, ok := o.get(key)
	if !ok {
		return ""
	}
	s, u := v.absolute(pageForm, true)
	if u != nil && u.Scheme != "https" && !o.r.opt.AllowInsecure {
		v.refuse(pageForm)
	}
	return s
}
