// Package refusal is the table of answers: every kind of refusal has one
// status, one error code, one challenge and one body. It must not know how a
// decision was reached.
package refusal

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// Kind is why a request was refused. The zero Kind is [Internal], so that a
// refusal nobody filled in still denies.
type Kind uint8

// The kinds, in the order of the checks.
const (
	Internal Kind = iota
	ConfigInvalid
	TooManyHeaders
	MultipleTokens
	CrossSiteRequest
	SessionUnavailable // nobody can say whether there is a session
	MissingToken
	MalformedToken
	AlgNotAllowed
	TypNotAllowed
	UnknownIssuer
	KeysUnavailable
	UnknownKey
	BadSignature
	Expired
	NotYetValid
	TooOld
	BadAudience
	DPoPFailed
	ProofsUnavailable // the memory of DPoP proofs cannot be asked; its reason is that of DPoPFailed
	Revoked
	RevocationsUnavailable // with --revocations-strict: nobody knows whether the token was revoked
	MTLSFailed
	WrongOrganization
	WrongClient
	StepUpRequired
	InsufficientScope
	ClaimMismatch
	SchemaMismatch
	RuleDenied
	ClaimHeaderFailed
	numKinds
)

type row struct {
	reason      string
	status      int
	code        string // the error code; "" for a bare challenge
	description string // when the refusal brings none of its own
	challenge   challenge
}

type challenge uint8

const (
	noChallenge challenge = iota
	bearer                // RFC 6750 section 3, or RFC 9449 section 7.1 where the route asks for DPoP
	dpop                  // RFC 9449 section 7.1
	where401              // bearer where the refusal's own status is 401
)

var table = [numKinds]row{
	Internal:               {"internal_error", 500, "server_error", "the request could not be checked", noChallenge},
	ConfigInvalid:          {"config_invalid", 500, "server_error", "the route's auth0-jwt configuration is not valid", noChallenge},
	TooManyHeaders:         {"too_many_headers", 431, "invalid_request", "too many request headers", noChallenge},
	MultipleTokens:         {"multiple_tokens", 400, "invalid_request", "the request holds more than one token", noChallenge},
	CrossSiteRequest:       {"cross_site_request", 403, "access_denied", "a request from another site needs a token of its own", noChallenge},
	SessionUnavailable:     {"session_unavailable", 503, "temporarily_unavailable", "the session could not be looked up", noChallenge},
	MissingToken:           {"missing_token", 401, "", "no token was sent", bearer},
	MalformedToken:         {"malformed_token", 401, "invalid_token", "the token is malformed", bearer},
	AlgNotAllowed:          {"alg_not_allowed", 401, "invalid_token", "the token's algorithm is not allowed", bearer},
	TypNotAllowed:          {"typ_not_allowed", 401, "invalid_token", "the token's type is not allowed", bearer},
	UnknownIssuer:          {"unknown_issuer", 401, "invalid_token", "the token's issuer is not trusted", bearer},
	KeysUnavailable:        {"keys_unavailable", 503, "temporarily_unavailable", "the issuer's keys are not available", noChallenge},
	UnknownKey:             {"unknown_key", 401, "invalid_token", "the token's key is not known", bearer},
	BadSignature:           {"bad_signature", 401, "invalid_token", "the token's signature is not valid", bearer},
	Expired:                {"expired", 401, "invalid_token", "token expired", bearer},
	NotYetValid:            {"not_yet_valid", 401, "invalid_token", "token not yet valid", bearer},
	TooOld:                 {"too_old", 401, "invalid_token", "token too old", bearer},
	BadAudience:            {"bad_audience", 401, "invalid_token", "the token is for another audience", bearer},
	DPoPFailed:             {"dpop_failed", 401, "invalid_token", "the token is bound to a DPoP key", dpop},
	ProofsUnavailable:      {"dpop_failed", 503, "temporarily_unavailable", "whether the proof is new could not be checked", noChallenge},
	Revoked:                {"revoked", 401, "invalid_token", "the token was revoked", bearer},
	RevocationsUnavailable: {"revocations_unavailable", 503, "temporarily_unavailable", "whether the token was revoked could not be checked", noChallenge},
	MTLSFailed:             {"mtls_failed", 401, "invalid_token", "the token is not bound to the client's certificate", bearer},
	WrongOrganization:      {"wrong_organization", 403, "access_denied", "the token's organization is not allowed", noChallenge},
	WrongClient:            {"wrong_client", 403, "access_denied", "the token's client is not allowed", noChallenge},
	StepUpRequired:         {"step_up_required", 401, "insufficient_user_authentication", "a stronger or more recent authentication is required", bearer},
	InsufficientScope:      {"insufficient_scope", 403, "insufficient_scope", "the token lacks a required scope", bearer},
	ClaimMismatch:          {"claim_mismatch", 403, "access_denied", "a claim does not have the required value", noChallenge},
	SchemaMismatch:         {"schema_mismatch", 403, "access_denied", "the claims do not have the required form", noChallenge},
	RuleDenied:             {"rule_denied", 403, "access_denied", "a rule of the route denies the request", where401},
	ClaimHeaderFailed:      {"claim_header_failed", 403, "access_denied", "a required claim is missing", noChallenge},
}

// Reason is the stable label for metrics and logs. Two kinds of one check may
// share it.
func (k Kind) Reason() string { return k.row().reason }

// Status is the HTTP status.
func (k Kind) Status() int { return k.row().status }

func (k Kind) row() *row {
	if k >= numKinds {
		k = Internal
	}
	return &table[k]
}

// Kinds are all kinds, in the order of the checks.
func Kinds() []Kind {
	kinds := make([]Kind, numKinds)
	for i := range kinds {
		kinds[i] = Kind(i)
	}
	return kinds
}

// Refusal is one refusal. The zero Refusal is an internal error.
type Refusal struct {
	Kind Kind
	// Description is for the client's author; "" takes the kind's own. It
	// names what the route's policy asks and never a value of the token.
	Description string
	// Scope is the scope that would do, for InsufficientScope (RFC 6750
	// section 3).
	Scope string
	// Status is for RuleDenied: 401 or 403; 0 takes the kind's own.
	Status int
	// ACRValues and MaxAge are what would do, for StepUpRequired (RFC 9470
	// section 3): space-separated, and in whole seconds; zero values are left
	// out.
	ACRValues string
	MaxAge    time.Duration
	// BadProof tells, for DPoPFailed, that the proof is to blame and not the
	// token (RFC 9449 section 7.1).
	BadProof bool
	// DPoP tells that the token came with the scheme DPoP.
	DPoP bool
	// RetryAfter is for the kinds with status 503; rounded up to whole
	// seconds, at least one.
	RetryAfter time.Duration
	// Cause is for the log only.
	Cause string
}

// Format is the form of the body.
type Format uint8

// The formats.
const (
	JSON    Format = iota // RFC 6749 section 5.2 members
	Problem               // RFC 9457
	None                  // no body
)

// Style is how a route wants its refusals written.
type Style struct {
	Realm            string // printable ASCII without " and \
	Format           Format
	ResourceMetadata string // URL for challenges (RFC 9728 section 5.1); "" is none
	DPoP             bool   // tokens with the scheme DPoP are taken (RFC 9449)
	NoBearer         bool   // and none with the scheme Bearer
}

// dpopAlgorithms are those a proof may be signed with, as the challenge's algs
// names them (RFC 9449 section 7.1).
var dpopAlgorithms = strings.Join(jwk.Algorithms(), " ")

// Header is one response header.
type Header struct{ Name, Value string }

// Answer is what the client gets.
type Answer struct {
	Status  int
	Headers []Header
	Body    []byte
}

// Answer writes r in the style of a route.
func (r Refusal) Answer(s Style) Answer {
	row := r.Kind.row()
	status, description := r.status(row), cmp.Or(r.Description, row.description)
	a := Answer{Status: status, Headers: []Header{{"Cache-Control", "no-store"}}}
	if c := r.challenge(row, s, status, description); c != "" {
		a.Headers = append(a.Headers, Header{"WWW-Authenticate", c})
	}
	if row.status == http.StatusServiceUnavailable {
		seconds := max(1, int((r.RetryAfter+time.Second-1)/time.Second))
		a.Headers = append(a.Headers, Header{"Retry-After", strconv.Itoa(seconds)})
	}
	contentType := ""
	switch s.Format {
	case JSON:
		contentType = "application/json"
		a.Body = oauthBody(r.errorCode(row), description)
	case Problem:
		contentType = "application/problem+json"
		a.Body = problemBody(status, r.errorCode(row), description)
	case None:
	}
	if contentType != "" {
		a.Headers = append(a.Headers, Header{"Content-Type", contentType})
	}
	return a
}

// HTTPStatus is the status of the answer.
func (r Refusal) HTTPStatus() int { return r.status(r.Kind.row()) }

func (r Refusal) status(row *row) int {
	if r.Kind == RuleDenied {
		return cmp.Or(r.Status, row.status)
	}
	return row.status
}

func (r Refusal) challenge(row *row, s Style, status int, description string) string {
	if row.challenge == noChallenge || row.challenge == where401 && status != http.StatusUnauthorized {
		return ""
	}
	var params strings.Builder
	param := func(name, value string) { params.WriteString(", " + name + `="` + value + `"`) }
	if code := r.code(row); code != "" {
		// RFC 6750 section 3.1: no error code where no token was sent.
		param("error", code)
		param("error_description", quotable(description))
	}
	if r.Scope != "" {
		param("scope", r.Scope)
	}
	if r.ACRValues != "" {
		param("acr_values", r.ACRValues)
	}
	if r.MaxAge > 0 {
		param("max_age", strconv.FormatInt(int64(r.MaxAge/time.Second), 10))
	}
	if s.ResourceMetadata != "" {
		param("resource_metadata", s.ResourceMetadata)
	}
	rest := ` realm="` + s.Realm + `"` + params.String()
	withDPoP := "DPoP" + rest
	if s.DPoP {
		withDPoP += `, algs="` + dpopAlgorithms + `"`
	}
	switch {
	case row.challenge == dpop, s.NoBearer, r.DPoP:
		return withDPoP
	case s.DPoP && row.code == "":
		return "Bearer" + rest + ", " + withDPoP
	}
	return "Bearer" + rest
}

// Code is the error code of the challenge (RFC 6750 section 3.1); "" for a bare
// one.
func (r Refusal) Code() string { return r.code(r.Kind.row()) }

func (r Refusal) code(row *row) string {
	if r.Kind == DPoPFailed && r.BadProof {
		return "invalid_dpop_proof"
	}
	return row.code
}

// quotable leaves the characters that RFC 6750 section 3 allows in
// error_description: %x20-21 / %x23-5B / %x5D-7E.
func quotable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, s)
}
