package policy

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Reads says what a check looks at besides the configuration and the token. It
// decides whether its outcome may be remembered with the token.
type Reads uint8

const (
	// ReadsKeys is the issuer's keys. A remembered outcome names their
	// generation, and that is compared again.
	ReadsKeys Reads = 1 << iota
	// ReadsDates is the clock, for exp, nbf and iat alone. A remembered
	// outcome keeps these, and they are compared again.
	ReadsDates
	// ReadsClock is the clock in any other way. Never remembered.
	ReadsClock
	// ReadsIDToken is the ID token of a session. A remembered outcome is for one
	// ID token, or for none.
	ReadsIDToken
	// ReadsRequest is anything of the request but the token. Never remembered.
	ReadsRequest
	// ReadsMemory is something outside that may have to be waited for, such as
	// the memory of proofs. Never remembered.
	ReadsMemory

	// ReadsRevocations is what was revoked. A remembered outcome is compared with
	// what was revoked since.
	ReadsRevocations

	repeated = ReadsKeys | ReadsDates | ReadsIDToken | ReadsRevocations
)

// Stage is a part of the walk through the checks.
type Stage uint8

// The stages, in their order.
const (
	Find      Stage = iota // the request's one token, anew for every request
	Read                   // what the token says, believing nothing
	Prove                  // that the issuer said it, to this client, for now
	Authorise              // what the route asks of the caller
	numStages
)

// Check is one row of the table of checks.
type Check struct {
	Number string // of the row in the reference, such as "13a"
	Name   string
	Stage  Stage
	Kinds  []refusal.Kind // why it may refuse, besides [refusal.Internal]
	// Asked reports whether a configuration asks for the check; nil is always.
	Asked func(*config.Config) bool
	// Reads is what the check reads, for a verified token; without one (nil)
	// what it reads at least. A nil Reads is nothing but the token.
	Reads func(*config.Config, *token.Untrusted) Reads
	// run refuses, or is nil where the next check has its turn. It may end the
	// walk by subject.letPass.
	run func(*Policy, *Judgement) *refusal.Refusal
}

// Checks is the table: every check, in the order in which they run. The first
// that fails answers. It is not changed.
var Checks = []Check{
	{
		Number: "0", Name: "the configuration was read without error", Stage: Find,
		Kinds: []refusal.Kind{refusal.ConfigInvalid},
		run:   (*Policy).checkConfiguration,
	},
	{
		Number: "1", Name: "fewer than 100 headers", Stage: Find,
		Kinds: []refusal.Kind{refusal.TooManyHeaders},
		Reads: always(ReadsRequest), run: (*Policy).checkHeaderCount,
	},
	{
		Number: "1a", Name: "a CORS pre-flight", Stage: Find,
		Asked: func(c *config.Config) bool { return c.BypassCORSPreflight },
		Reads: always(ReadsRequest), run: (*Policy).passPreflight,
	},
	{
		Number: "2", Name: "one token in one place", Stage: Find,
		Kinds: []refusal.Kind{refusal.MultipleTokens},
		Reads: always(ReadsRequest), run: (*Policy).checkOneToken,
	},
	{
		Number: "3", Name: "a token is there", Stage: Find,
		Kinds: []refusal.Kind{refusal.CrossSiteRequest, refusal.SessionUnavailable, refusal.MissingToken},
		Reads: always(ReadsRequest), run: (*Policy).checkTokenThere,
	},
	{
		Number: "4", Name: "the token is well-formed", Stage: Read,
		Kinds: []refusal.Kind{refusal.MalformedToken},
		run:   (*Policy).checkForm,
	},
	{
		Number: "5", Name: "alg is allowed", Stage: Read,
		Kinds: []refusal.Kind{refusal.AlgNotAllowed},
		run:   (*Policy).checkAlgorithm,
	},
	{
		Number: "6", Name: "typ fits token_profile", Stage: Read,
		Kinds: []refusal.Kind{refusal.TypNotAllowed},
		run:   (*Policy).checkType,
	},
	{
		Number: "7", Name: "iss is a configured issuer", Stage: Read,
		Kinds: []refusal.Kind{refusal.UnknownIssuer},
		run:   (*Policy).checkIssuer,
	},
	{
		Number: "8", Name: "the issuer's keys are available", Stage: Prove,
		Kinds: []refusal.Kind{refusal.KeysUnavailable},
		Reads: always(ReadsKeys), run: (*Policy).checkKeys,
	},
	{
		Number: "9", Name: "a key fits", Stage: Prove,
		Kinds: []refusal.Kind{refusal.UnknownKey},
		Reads: always(ReadsKeys), run: (*Policy).checkKey,
	},
	{
		Number: "10", Name: "the signature", Stage: Prove,
		Kinds: []refusal.Kind{refusal.BadSignature},
		Reads: always(ReadsKeys), run: (*Policy).checkSignature,
	},
	{
		Number: "11", Name: "exp, nbf, iat", Stage: Prove,
		Kinds: []refusal.Kind{refusal.Expired, refusal.NotYetValid, refusal.TooOld, refusal.MalformedToken},
		Reads: always(ReadsDates), run: (*Policy).checkDates,
	},
	{
		Number: "12", Name: "aud", Stage: Prove,
		Kinds: []refusal.Kind{refusal.BadAudience},
		run:   (*Policy).checkAudience,
	},
	{
		Number: "13", Name: "DPoP binding", Stage: Prove,
		Kinds: []refusal.Kind{refusal.DPoPFailed, refusal.ProofsUnavailable, refusal.MalformedToken},
		Reads: readsOfDPoP, run: (*Policy).checkDPoP,
	},
	{
		Number: "13b", Name: "the token was not revoked", Stage: Prove,
		Kinds: []refusal.Kind{refusal.Revoked, refusal.RevocationsUnavailable},
		Reads: always(ReadsRevocations), run: (*Policy).checkRevoked,
	},
	{
		Number: "13a", Name: "certificate binding", Stage: Prove,
		Kinds: []refusal.Kind{refusal.MTLSFailed},
		Reads: readsOfMTLS, run: (*Policy).checkMTLS,
	},
	{
		Number: "14", Name: "organizations", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.WrongOrganization},
		Asked: func(c *config.Config) bool { return len(c.Organizations) > 0 },
		run:   (*Policy).checkOrganization,
	},
	{
		Number: "14", Name: "allowed_clients", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.WrongClient},
		Asked: func(c *config.Config) bool { return len(c.AllowedClients) > 0 },
		run:   (*Policy).checkClient,
	},
	{
		Number: "15", Name: "require_mfa, acr_values, max_auth_age", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.StepUpRequired},
		Asked: func(c *config.Config) bool { return c.RequireMFA || len(c.ACRValues) > 0 || c.MaxAuthAge > 0 },
		Reads: readsOfStepUp, run: (*Policy).checkStepUp,
	},
	{
		Number: "16", Name: "required_scopes", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.InsufficientScope},
		Asked: func(c *config.Config) bool { return len(c.RequiredScopes) > 0 },
		run:   (*Policy).checkScopes,
	},
	{
		Number: "16", Name: "required_permissions", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.InsufficientScope},
		Asked: func(c *config.Config) bool { return len(c.RequiredPermissions) > 0 },
		run:   (*Policy).checkPermissions,
	},
	{
		Number: "17", Name: "claims", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.ClaimMismatch},
		Asked: func(c *config.Config) bool { return len(c.Claims) > 0 },
		run:   (*Policy).checkClaims,
	},
	{
		Number: "17", Name: "claim_schema", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.SchemaMismatch},
		Asked: func(c *config.Config) bool { return c.ClaimSchema != nil },
		run:   (*Policy).checkSchema,
	},
	{
		Number: "17", Name: "rules", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.RuleDenied},
		Asked: func(c *config.Config) bool { return len(c.Rules) > 0 },
		Reads: readsOfRules, run: (*Policy).checkRules,
	},
	{
		Number: "18", Name: "claim_headers", Stage: Authorise,
		Kinds: []refusal.Kind{refusal.ClaimHeaderFailed},
		Reads: readsOfHeaders, run: (*Policy).planHeaders,
	},
}

func always(r Reads) func(*config.Config, *token.Untrusted) Reads {
	return func(*config.Config, *token.Untrusted) Reads { return r }
}

// readsOfDPoP: with dpop off a token without cnf.jkt passes whatever the
// request, unless it may have come with the scheme DPoP.
func readsOfDPoP(c *config.Config, _ *token.Untrusted) Reads {
	byScheme := slices.ContainsFunc(c.TokenFrom, func(s token.Source) bool { return strings.EqualFold(s.Scheme, dpopScheme) })
	if c.DPoP == config.Off && !byScheme {
		return 0
	}
	return ReadsRequest | ReadsMemory | ReadsClock
}

// readsOfMTLS: the certificate is asked for where the token is bound to one.
func readsOfMTLS(c *config.Config, tok *token.Untrusted) Reads {
	if tok == nil || c.MTLS == config.Off {
		return 0
	}
	if _, bound := confirmation(tok)["x5t#S256"]; bound {
		return ReadsRequest | ReadsMemory
	}
	return 0
}

func readsOfStepUp(c *config.Config, _ *token.Untrusted) Reads {
	if c.MaxAuthAge > 0 {
		return ReadsClock
	}
	return 0
}

func readsOfRules(c *config.Config, _ *token.Untrusted) (reads Reads) {
	for _, r := range c.Rules {
		if !r.Expression.Pure {
			reads |= ReadsRequest | ReadsClock
		}
		if r.Expression.NamesIDToken {
			reads |= ReadsIDToken
		}
	}
	return reads
}

func readsOfHeaders(c *config.Config, _ *token.Untrusted) Reads {
	if slices.ContainsFunc(c.ClaimHeaders, func(h identity.ClaimHeader) bool { return h.From == identity.IDToken }) {
		return ReadsIDToken
	}
	return 0
}

// asked are the checks of each stage that a configuration asks for.
func asked(c *config.Config) (stages [numStages][]*Check) {
	for i := range Checks {
		check := &Checks[i]
		if check.Asked == nil || check.Asked(c) {
			stages[check.Stage] = append(stages[check.Stage], check)
		}
	}
	return stages
}

// reads is what the checks after the token was found read, all together.
func (p *Policy) reads(tok *token.Untrusted) (all Reads) {
	for _, checks := range p.checks[Read:] {
		for _, c := range checks {
			if c.Reads != nil {
				all |= c.Reads(p.conf, tok)
			}
		}
	}
	return all
}
