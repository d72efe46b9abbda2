// Package config turns the JSON that a route author writes into a typed,
// validated configuration. It reports every problem of a document at once,
// each with its JSON path; it must not know the network.
package config

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// DefaultRealm is the realm of challenges where a configuration names none.
const DefaultRealm = "auth0-jwt"

// Config is one route's configuration, validated and with its defaults filled
// in. It is not changed after [Parse] made it.
type Config struct {
	Issuers []Issuer // at least one, no issuer twice

	Leeway      time.Duration // 0..5m
	MaxTokenAge time.Duration // 0: no limit
	TokenFrom   []TokenSource // at least one

	RequiredScopes      []string
	AnyScope            bool // scopes_match: any
	RequiredPermissions []string
	AnyPermission       bool // permissions_match: any
	Claims              []ClaimExpectation
	ClaimSchema         *rule.Schema // nil is none
	Rules               []Rule
	RequireMFA          bool
	ACRValues           []string
	MaxAuthAge          time.Duration // 0: no limit; whole seconds
	Organizations       []string
	AllowedClients      []string

	ClaimHeaders []ClaimHeader // sorted by header name
	ClaimsHeader string        // "" is none
	TokenHeader  string        // "" is none
	StripHeaders []string
	ForwardToken bool

	PassUnauthenticated bool // unauth_action: pass
	BypassCORSPreflight bool
	DPoP                Mode
	DPoPBaseURL         string // scheme and host that clients see; "" asks nginx
	MTLS                Mode
	Realm               string
	ResourceMetadata    string // URL; "" is none
	ErrorFormat         ErrorFormat

	// Warnings are for the operator's log: what is allowed and unwise.
	Warnings []string
}

// Issuer is one issuer whose tokens a route takes.
type Issuer struct {
	Issuer       string   // as in iss, byte for byte
	DiscoveryURL string   // "" when JWKSURI or JWKS is set
	JWKSURI      string   // "" is none
	JWKS         []byte   // the JWKS of the configuration, as JSON; nil is none
	Audience     []string // at least one, unless AnyAudience
	AllAudiences bool     // audience_match: all
	AnyAudience  bool     // audience: ["*"]
	Algorithms   []string // at least one JWS alg name; HS ones alone, and with Secrets
	Secrets      []*secret.Secret
	TokenProfile TokenProfile
	SSLVerify    bool
}

// TokenProfile says what the typ header and the set of claims must be.
type TokenProfile uint8

// The values of token_profile.
const (
	ProfileAuth0 TokenProfile = iota
	ProfileRFC9068
	ProfileAny
)

// Mode is off, allow or require.
type Mode uint8

// The values of mtls and dpop.
const (
	Off Mode = iota
	Allow
	Require
)

// ErrorFormat is the body of a refusal.
type ErrorFormat uint8

// The values of error_format.
const (
	FormatJSON ErrorFormat = iota
	FormatProblem
	FormatNone
)

// SourceKind is the kind of place a token is read from.
type SourceKind uint8

// The kinds of token_from entries.
const (
	FromHeader SourceKind = iota
	FromCookie
	FromQuery
)

// TokenSource is one entry of token_from.
type TokenSource struct {
	Kind   SourceKind
	Name   string // header name (lower case), cookie name or query argument
	Scheme string // for headers: the scheme before the token, "" for a bare one
}

// ClaimExpectation is one entry of claims. A nil or empty field asks nothing;
// all that ask must hold (section 3 of the reference).
type ClaimExpectation struct {
	Claim       string // a literal top-level name, or a JSON Pointer when it starts with "/"
	Equals      *any   // a strictjson value
	OneOf       []any
	Contains    *any
	ContainsAll []any
	ContainsAny []any
	Matches     string // RE2 over the whole string; compiles
	Exists      *bool
}

// Rule is one entry of rules.
type Rule struct {
	Expression *rule.Expression
	Message    string // "" is none
	Status     int    // 401 or 403
	ReportOnly bool
}

// Format is how a claim is written into a header.
type Format uint8

// The values of claim_headers' format.
const (
	Plain Format = iota
	JSON
	Base64
)

// ClaimHeader is one entry of claim_headers.
type ClaimHeader struct {
	Header   string // as the author wrote it
	Claim    string // as in ClaimExpectation
	Format   Format
	Required bool
}
