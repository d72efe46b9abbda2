// Package config turns the JSON that a route author writes into a typed,
// validated configuration. It reports every problem of a document at once,
// each with its JSON path; it must not know the network.
package config

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// DefaultRealm is the realm of challenges where a configuration names none.
const DefaultRealm = "auth0-jwt"

// Config is one route's configuration, validated and with its defaults filled
// in. It is not changed after [Parse] made it.
type Config struct {
	Name    string   // of the route, in logs and metrics; "" is none
	Issuers []Issuer // at least one, no issuer twice

	Leeway      time.Duration  // 0..5m
	MaxTokenAge time.Duration  // 0: no limit
	TokenFrom   []token.Source // at least one, each place once

	RequiredScopes      []string
	ScopesMatch         Match
	RequiredPermissions []string
	PermissionsMatch    Match
	Claims              []claim.Expectation // sorted by claim
	ClaimSchema         *rule.Schema        // nil is none
	Rules               []Rule
	RequireMFA          bool
	ACRValues           []string
	MaxAuthAge          time.Duration // 0: no limit; whole seconds
	Organizations       []string
	AllowedClients      []string

	ClaimHeaders []identity.ClaimHeader // sorted by header name
	ClaimsHeader string                 // "" is none
	TokenHeader  string                 // "" is none
	StripHeaders []string
	ForwardToken bool

	UnauthAction        UnauthAction
	BypassCORSPreflight bool
	DPoP                Mode
	DPoPBaseURL         string // scheme and host that clients see; "" asks nginx
	MTLS                Mode
	Realm               string
	ResourceMetadata    string // URL for challenges, also that of ProtectedResource; "" is none
	ErrorFormat         refusal.Format
	Login               *Login             // browser sessions; nil is none
	ProtectedResource   *ProtectedResource // metadata that the plugin serves; nil is none

	// Warnings are for the operator's log: what is allowed and unwise.
	Warnings []string
}

// Issuer is one issuer whose tokens a route takes.
type Issuer struct {
	Issuer        string   // as in iss, byte for byte
	DiscoveryURL  string   // "" when JWKSURI or JWKS is set
	JWKSURI       string   // "" is none
	JWKS          []byte   // the JWKS of the configuration, as JSON; nil is none
	Audience      []string // at least one, unless AnyAudience
	AudienceMatch Match
	AnyAudience   bool     // audience: ["*"]
	Algorithms    []string // at least one JWS alg name; HS ones alone, and with Secrets
	Secrets       []*secret.Secret
	TokenProfile  TokenProfile
	SSLVerify     bool
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

// UnauthAction says what becomes of a request without a token and without a
// session.
type UnauthAction uint8

// The values of unauth_action.
const (
	UnauthDeny UnauthAction = iota
	UnauthPass              // it is forwarded, stripped of identity headers
	UnauthAuth              // a browser that asks for a page is sent to log in, everything else is denied
)

// Match says how many of a list are enough.
type Match uint8

// The values of audience_match, scopes_match and permissions_match.
const (
	All Match = iota
	Any
)

// Rule is one entry of rules.
type Rule struct {
	Expression *rule.Expression
	Message    string // "" is none
	Status     int    // 401 or 403
	ReportOnly bool
}
