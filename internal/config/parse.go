package config

import (
	"cmp"
	"errors"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// MaxDocument is the largest document that [Parse] reads, in bytes.
const MaxDocument = 1 << 20

// Options is what the operator decided for every route.
type Options struct {
	// AllowInsecure permits http:// URLs and ssl_verify: false
	// (--allow-insecure).
	AllowInsecure bool
	// AllowNetworks are the private networks that issuers may stand in
	// (--allow-network). [Parse] does not look at addresses: whoever fetches
	// does.
	AllowNetworks []netip.Prefix
	// SecretsDir is the absolute path of a directory; files outside of it are
	// no secrets (--secrets-dir). "" is any file.
	SecretsDir string
	// Redis says that there is a Redis for sessions (--redis-url).
	Redis bool
	// Logger is told of a secret's file that cannot be read later on; nil is
	// slog.Default.
	Logger *slog.Logger
}

var topKeys = []string{
	"domain", "issuer", "issuers", "discovery", "jwks_uri", "jwks",
	"audience", "audience_match", "algorithms", "token_profile",
	"leeway", "max_token_age", "token_from",
	"required_scopes", "scopes_match", "required_permissions", "permissions_match",
	"claims", "claim_schema", "rules", "require_mfa", "acr_values", "max_auth_age",
	"organizations", "allowed_clients", "client_secret",
	"claim_headers", "claims_header", "token_header", "forward_token", "strip_headers",
	"unauth_action", "bypass_cors_preflight", "dpop", "dpop_public_base_url", "mtls",
	"realm", "resource_metadata", "error_format", "name", "ssl_verify", "login", "protected_resource",
}

// Keys are the names of the configuration's keys.
func Keys() []string { return slices.Clone(topKeys) }

// Parse reads one configuration: a JSON object of at most [MaxDocument] bytes.
// The error is an [*Error] with every problem of the document.
func Parse(data []byte, opt Options) (*Config, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	r := &reader{opt: opt}
	if len(data) > MaxDocument {
		r.refuse("$", strconv.Itoa(len(data))+" bytes", "a document of at most "+strconv.Itoa(MaxDocument)+" bytes")
		return nil, r.err()
	}
	document, ok := r.document(data)
	if !ok {
		return nil, r.err()
	}
	root, ok := value{r, "$", document, true}.object("an object with the keys of the configuration")
	if !ok {
		return nil, r.err()
	}
	root.hidden = false
	root.allow(topKeys...)
	c := root.config()
	if err := r.err(); err != nil {
		return nil, err
	}
	c.Warnings = r.warnings
	return c, nil
}

// document reads the JSON and reports the keys that are there twice.
func (r *reader) document(data []byte) (any, bool) {
	var repeated []string // as many as there is room for problems, at most
	document, err := strictjson.Parse(data, strictjson.Options{MaxValues: maxValues, OnDuplicate: func(pointer string) {
		repeated = append(repeated, pointer)
	}})
	for _, pointer := range repeated {
		r.refuse(fromPointer(document, pointer), "the same key again", "each key once in an object")
	}
	if err != nil {
		r.refuse("$", syntaxGiven(data, err), "one JSON document in UTF-8, nested at most 64 deep, of at most "+
			strconv.Itoa(maxValues)+" values, and nothing after it")
	}
	return document, err == nil
}

func syntaxGiven(data []byte, err error) string {
	syntax, ok := errors.AsType[*strictjson.SyntaxError](err)
	if !ok {
		return "an unreadable document"
	}
	if len(data) == 0 {
		return "nothing"
	}
	what := "something that is no JSON"
	switch syntax.Kind {
	case strictjson.ErrTrailing:
		what = "text after the document"
	case strictjson.ErrUTF8:
		what = "text that is not valid UTF-8"
	case strictjson.ErrDepth:
		what = "a list or object nested too deep"
	case strictjson.ErrDuplicate:
		what = "one more of many repeated keys"
	case strictjson.ErrValues:
		what = "one value too many"
	}
	return what + " at " + position(data, syntax.Offset)
}

func (o object) config() *Config {
	o.r.idTokenFor = o.idTokenClient()
	c := &Config{
		Name:                o.routeName(),
		Issuers:             o.issuers(),
		Leeway:              o.leeway(),
		MaxTokenAge:         o.maxTokenAge(),
		TokenFrom:           o.tokenFrom(),
		RequiredScopes:      o.words("required_scopes", scopeForm, isScopeToken),
		ScopesMatch:         o.match("scopes_match", All, "required_scopes"),
		RequiredPermissions: o.words("required_permissions", scopeForm, isScopeToken),
		PermissionsMatch:    o.match("permissions_match", All, "required_permissions"),
		Claims:              o.claims(),
		ClaimSchema:         o.claimSchema(),
		Rules:               o.rules(),
		RequireMFA:          o.flag("require_mfa", false),
		ACRValues:           o.words("acr_values", "an acr value: "+scopeForm, isScopeToken),
		MaxAuthAge:          o.maxAuthAge(),
		Organizations:       o.words("organizations", "an organization's id or name", nil),
		AllowedClients:      o.words("allowed_clients", "a client id", nil),
		ForwardToken:        o.flag("forward_token", true),
		UnauthAction:        o.unauthAction(),
		BypassCORSPreflight: o.flag("bypass_cors_preflight", false),
		DPoP:                o.mode("dpop"),
		DPoPBaseURL:         o.dpopBaseURL(),
		MTLS:                o.mode("mtls"),
		Realm:               o.realm(),
		ResourceMetadata:    o.resourceMetadata(),
		ErrorFormat: choose(o, "error_format",
			choice[refusal.Format]{"json", refusal.JSON}, choice[refusal.Format]{"problem", refusal.Problem}, choice[refusal.Format]{"none", refusal.None}),
	}
	o.identityHeaders(c)
	o.bindingFits(c)
	c.Login = o.login(c)
	c.ProtectedResource = o.protectedResource(c)
	return c
}

func (o object) mode(key string) Mode {
	return choose(o, key, choice[Mode]{"off", Off}, choice[Mode]{"allow", Allow}, choice[Mode]{"require", Require})
}

// comparableHost are the authorities that a DPoP proof is compared with.
var comparableHost = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]*)?$`)

// dpopBaseURL is an origin (RFC 6454 section 4), without a slash at its end.
func (o object) dpopBaseURL() string {
	v, ok := o.get("dpop_public_base_url")
	if !ok {
		return ""
	}
	if mode, _ := o.get("dpop"); mode.json != "allow" && mode.json != "require" {
		v.refuse("nothing: it has no effect without dpop")
	}
	const want = "the scheme and host that clients see, such as https://api.example.com"
	s, u := v.absolute(want, false)
	if u == nil {
		return ""
	}
	if u.Path != "" && u.Path != "/" {
		v.refuse(want + ", without a path")
	}
	if port, err := strconv.Atoi(cmp.Or(u.Port(), "0")); err != nil || port > 65535 || !comparableHost.MatchString(u.Host) {
		v.refuse(want + ", with a host in ASCII that is not percent-encoded, and a port up to 65535")
	}
	return strings.TrimSuffix(s, "/")
}

// resourceMetadata is for clients; nothing here fetches it.
func (o object) resourceMetadata() string {
	v, ok := o.get("resource_metadata")
	if !ok {
		return ""
	}
	const want = `an absolute https URL without user, fragment, " and \`
	s, u := v.absolute(want, true)
	switch {
	case u == nil:
	case strings.ContainsAny(s, `"\`), u.Scheme != "https" && !o.r.opt.AllowInsecure:
		v.refuse(want)
	}
	return s
}

// words reads a list of strings; absent is nil.
func (o object) words(key, want string, fits func(string) bool) []string {
	v, ok := o.get(key)
	if !ok {
		return nil
	}
	return v.texts(want, fits)
}

const scopeForm = `a scope: printable ASCII without space, " and \`

// isScopeToken is RFC 6749 section 3.3.
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// routeName is what logs and metrics call the route.
func (o object) routeName() string {
	v, ok := o.get("name")
	if !ok {
		return ""
	}
	name, _ := v.named("a name of 1 to 64 printable ASCII characters", func(s string) bool {
		return len(s) <= 64 && isPrintableText(s)
	})
	return name
}

// isPrintableText takes ASCII without control characters, spaces included.
func isPrintableText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func (o object) realm() string {
	v, ok := o.get("realm")
	if !ok {
		return DefaultRealm
	}
	const want = `printable ASCII without " and \, not empty`
	s, _ := v.named(want, func(s string) bool { return isPrintableText(s) && !strings.ContainsAny(s, `"\`) })
	return s
}
