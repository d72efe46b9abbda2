package policy_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// scene is a request that a policy takes, until something in it is broken.
type scene struct {
	conf     *config.Config
	invalid  bool   // the route's configuration could not be read
	keysErr  error  // what asking for a key answers
	scheme   string // of the Authorization header
	headers  []string
	kid      string
	key      *rsa.PrivateKey
	jose     []string // members of the token's header
	claims   []string // changes to its claims
	confirms []string // members of its cnf claim
}

func newScene() *scene {
	return &scene{conf: route(), scheme: "Bearer", kid: "rsa", key: keys().rsa}
}

func (s *scene) decide(t *testing.T) policy.Decision {
	t.Helper()
	p, req := s.stage(t)
	return p.Decide(req)
}

func (s *scene) walk(t *testing.T) (policy.Decision, []policy.Step) {
	t.Helper()
	p, req := s.stage(t)
	return p.Walk(req)
}

func (s *scene) stage(t *testing.T) (judge, *request) {
	t.Helper()
	changes := s.claims
	if s.confirms != nil {
		changes = append(changes, "cnf", "{"+strings.Join(s.confirms, ",")+"}")
	}
	token := sign(t, "RS256", s.key, header("RS256", s.kid, s.jose...), claims(changes...))
	req := get(append(s.headers, "authorization", s.scheme+" "+token)...)
	if s.invalid {
		return denying(errors.New("not valid")), req
	}
	return compileWith(t, s.conf, func(i config.Issuer) (gate.Keys, error) {
		if s.keysErr != nil {
			return noKeys{s.keysErr}, nil
		}
		return jwks.Static(i.JWKS)
	}), req
}

type noKeys struct{ err error }

func (n noKeys) Key(context.Context, string, bool, string) (jwks.Key, error) {
	return jwks.Key{}, n.err
}

func (noKeys) Generation(time.Time) (uint64, bool) { return 0, false }

type check struct {
	number string
	kind   refusal.Kind
	reason string
	status int
	fail   func(*scene)
}

// checks are the rows of the table of checks, in their order, each with what
// fails it and nothing before it.
var checks = []check{
	{"0", refusal.ConfigInvalid, "config_invalid", 500, func(s *scene) { s.invalid = true }},
	{"1", refusal.TooManyHeaders, "too_many_headers", 431, func(s *scene) {
		for i := range policy.MaxHeadersShown - 1 {
			s.headers = append(s.headers, fmt.Sprint("x-", i), "v")
		}
	}},
	{"2", refusal.MultipleTokens, "multiple_tokens", 400, func(s *scene) { s.headers = append(s.headers, "Authorization", "Bearer x") }},
	{"3", refusal.MissingToken, "missing_token", 401, func(s *scene) { s.scheme = "Basic" }},
	{"4", refusal.MalformedToken, "malformed_token", 401, func(s *scene) { s.jose = append(s.jose, `"crit":["x"]`) }},
	{"5", refusal.AlgNotAllowed, "alg_not_allowed", 401, func(s *scene) { s.conf.Issuers[0].Algorithms = []string{"ES512"} }},
	{"6", refusal.TypNotAllowed, "typ_not_allowed", 401, func(s *scene) { s.jose = append(s.jose, `"typ":"dpop+jwt"`) }},
	{"7", refusal.UnknownIssuer, "unknown_issuer", 401, func(s *scene) { s.claims = append(s.claims, "iss", `"https://nobody.example/"`) }},
	{"8", refusal.KeysUnavailable, "keys_unavailable", 503, func(s *scene) { s.keysErr = &jwks.UnavailableError{RetryAfter: time.Second} }},
	{"9", refusal.UnknownKey, "unknown_key", 401, func(s *scene) { s.kid = "nowhere" }},
	{"10", refusal.BadSignature, "bad_signature", 401, func(s *scene) { s.key = keys().attacker }},
	{"11", refusal.Expired, "expired", 401, func(s *scene) { s.claims = append(s.claims, "exp", at(-time.Hour)) }},
	{"11", refusal.NotYetValid, "not_yet_valid", 401, func(s *scene) { s.claims = append(s.claims, "nbf", at(time.Hour)) }},
	{"11", refusal.TooOld, "too_old", 401, func(s *scene) { s.conf.MaxTokenAge = time.Second }},
	{"12", refusal.BadAudience, "bad_audience", 401, func(s *scene) { s.claims = append(s.claims, "aud", `"https://another.example/"`) }},
	{"13", refusal.DPoPFailed, "dpop_failed", 401, func(s *scene) { s.confirms = append(s.confirms, `"jkt":"x"`) }},
	{"13a", refusal.MTLSFailed, "mtls_failed", 401, func(s *scene) { s.confirms = append(s.confirms, `"x5t#S256":"x"`) }},
	{"14", refusal.WrongOrganization, "wrong_organization", 403, func(s *scene) { s.conf.Organizations = []string{"org_1"} }},
	{"14", refusal.WrongClient, "wrong_client", 403, func(s *scene) { s.conf.AllowedClients = []string{"spa"} }},
	{"15", refusal.StepUpRequired, "step_up_required", 401, func(s *scene) { s.conf.RequireMFA = true }},
	{"16", refusal.InsufficientScope, "insufficient_scope", 403, func(s *scene) { s.conf.RequiredScopes = []string{"read"} }},
	{"17", refusal.ClaimMismatch, "claim_mismatch", 403, func(s *scene) {
		s.conf.Claims = []claim.Expectation{{Claim: ref("department"), OneOf: []any{"sales"}}}
	}},
	{"17", refusal.SchemaMismatch, "schema_mismatch", 403, func(s *scene) {
		s.conf.ClaimSchema = must(rule.CompileSchema(map[string]any{"required": []any{"department"}}))
	}},
	{"17", refusal.RuleDenied, "rule_denied", 403, func(s *scene) {
		s.conf.Rules = []config.Rule{{Expression: must(rule.Compile(`claims.department == "sales"`))}}
	}},
	{"18", refusal.ClaimHeaderFailed, "claim_header_failed", 403, func(s *scene) {
		s.conf.ClaimHeaders = []identity.ClaimHeader{{Name: "X-Email", Claim: ref("email"), Required: true}}
	}},
}

func TestTheSceneItselfGoesOn(t *testing.T) {
	if got := outcome(newScene().decide(t)); got != forwarded {
		t.Fatal(got)
	}
}

func TestEachCheckAnswersWithItsOwnReasonAndStatus(t *testing.T) {
	for _, c := range checks {
		s := newScene()
		c.fail(s)
		got := s.decide(t).Refusal()
		if got.Kind != c.kind || got.Kind.Reason() != c.reason || got.Kind.Status() != c.status {
			t.Errorf("check %s: %s %d, want %s %d", c.number, got.Kind.Reason(), got.Kind.Status(), c.reason, c.status)
		}
	}
	for _, kind := range refusal.Kinds() {
		held := slices.ContainsFunc(checks, func(c check) bool { return c.kind == kind })
		elsewhere := []refusal.Kind{
			refusal.Internal,
			refusal.ProofsUnavailable,                            // TestTheMemoryOfProofsIsAskedLast
			refusal.CrossSiteRequest, refusal.SessionUnavailable, // TestWhatASessionCannotSayIsRefused
			refusal.Revoked, refusal.RevocationsUnavailable, // the gate's TestARevokedToken…
		}
		if !held && !slices.Contains(elsewhere, kind) {
			t.Errorf("no check here answers %s", kind.Reason())
		}
	}
}

// TestTheFirstFailingCheckAnswers breaks every pair of checks, adjacent ones
// and all others.
func TestTheFirstFailingCheckAnswers(t *testing.T) {
	for i, first := range checks {
		for _, second := range checks[i+1:] {
			s := newScene()
			second.fail(s)
			first.fail(s)
			if got := outcome(s.decide(t)); got != first.reason {
				t.Errorf("%s and %s: %s", first.reason, second.reason, got)
			}
		}
	}
}

func TestOneHeaderLessThanTooManyIsFine(t *testing.T) {
	s := newScene()
	for i := range policy.MaxHeadersShown - 2 {
		s.headers = append(s.headers, fmt.Sprint("x-", i), "v")
	}
	if got := outcome(s.decide(t)); got != forwarded {
		t.Fatal(got)
	}
}

func TestRequestsWithoutAToken(t *testing.T) {
	pass := func(c *config.Config) { c.UnauthAction = config.UnauthPass }
	bypass := func(c *config.Config) { c.BypassCORSPreflight = true }
	preflight := func(headers ...string) *request {
		r := get(append([]string{"origin", "https://app.example", "access-control-request-method", "PUT"}, headers...)...)
		r.method = "OPTIONS"
		return r
	}
	options := get("origin", "https://app.example")
	options.method = "OPTIONS"
	crossOrigin := get("origin", "https://app.example", "access-control-request-method", "PUT")
	crowded := preflight()
	for i := range policy.MaxHeadersShown {
		crowded.headers = append(crowded.headers, [2]string{fmt.Sprint("x-", i), "v"})
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		req    *request
		want   string
	}{
		"deny: none":                         {nil, get(), "missing_token"},
		"deny: another scheme":               {nil, get("authorization", "Basic dTpw"), "missing_token"},
		"deny: the scheme alone":             {nil, get("authorization", "Bearer"), "missing_token"},
		"deny: the scheme and a space":       {nil, get("authorization", "Bearer "), "missing_token"},
		"deny: pre-flight":                   {nil, preflight(), "missing_token"},
		"pass: none":                         {pass, get(), forwarded},
		"pass: another scheme":               {pass, get("authorization", "Basic dTpw"), forwarded},
		"pass: a bad token":                  {pass, bearing("x"), "malformed_token"},
		"pass: an expired token":             {pass, bearing(good(t, "exp", at(-time.Hour))), "expired"},
		"pass: two headers":                  {pass, get("authorization", "Bearer x", "authorization", "Basic y"), "multiple_tokens"},
		"bypass: pre-flight":                 {bypass, preflight(), forwarded},
		"bypass: pre-flight, another scheme": {bypass, preflight("authorization", "Basic dTpw"), forwarded},
		"bypass: pre-flight, a bad token":    {bypass, preflight("authorization", "Bearer x"), "malformed_token"},
		"bypass: pre-flight, two tokens":     {bypass, preflight("authorization", "Bearer x", "authorization", "Bearer y"), "multiple_tokens"},
		"bypass: OPTIONS of another kind":    {bypass, options, "missing_token"},
		"bypass: not OPTIONS":                {bypass, crossOrigin, "missing_token"},
		"bypass: too many headers":           {bypass, crowded, "too_many_headers"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := route()
			if c.change != nil {
				c.change(conf)
			}
			if got := outcome(compile(t, conf).Decide(c.req)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatGoesOnWithoutATokenIsStripped(t *testing.T) {
	conf := route(func(c *config.Config) {
		c.UnauthAction, c.BypassCORSPreflight = config.UnauthPass, true
		c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-User-Id", Claim: ref("sub"), Required: true}}
		c.ClaimsHeader, c.TokenHeader, c.StripHeaders = "X-Claims", "X-Token", []string{"X-Role"}
	})
	for _, method := range []string{"GET", "OPTIONS"} {
		req := get("origin", "https://app.example", "Access-Control-Request-Method", "PUT",
			"x-user-id", "admin", "X_User_Id", "admin", "x_claims", "e30", "x-token", "x", "X-ROLE", "root", "accept", "*/*")
		req.method = method
		edits, forward := compile(t, conf).Decide(req).Forward()
		want := []string{"x-user-id", "X_User_Id", "x_claims", "x-token", "X-ROLE"}
		if diff := cmp.Diff(want, edits.DeleteHeaders); !forward || diff != "" || edits.SetHeaders != nil {
			t.Errorf("%s: forward %v, set %v, deleted (-want +got):\n%s", method, forward, edits.SetHeaders, diff)
		}
	}
}

func TestTheZeroDecisionAndTheZeroPolicyDeny(t *testing.T) {
	if got := outcome(policy.Decision{}); got != "internal_error" {
		t.Errorf("the zero Decision: %s", got)
	}
	for name, p := range map[string]judge{
		"the zero Policy": {gate.New(gate.Options{}), &gate.Route{}},
		"Deny":            denying(errors.New("not valid")),
	} {
		for _, req := range []*request{get(), bearing(good(t))} {
			if got := outcome(p.Decide(req)); got != "config_invalid" {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	why := errors.New("not valid")
	if got := gate.Deny(why).Err(); got != why {
		t.Errorf("Err is %v", got)
	}
}

func TestKeysThatCannotBeUsedAreAnErrorOfCompile(t *testing.T) {
	broken := errors.New("broken")
	_, err := judgeOf(route(), gate.Options{}, func(config.Issuer) (gate.Keys, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

func TestUnavailableKeysSayWhenToComeBack(t *testing.T) {
	s := newScene()
	s.keysErr = fmt.Errorf("wrapped: %w", &jwks.UnavailableError{RetryAfter: 7 * time.Second})
	got := s.decide(t).Refusal()
	if got.Kind != refusal.KeysUnavailable || got.RetryAfter != 7*time.Second {
		t.Errorf("%+v", got)
	}
	s.keysErr = errors.New("something else")
	if got := outcome(s.decide(t)); got != "internal_error" {
		t.Errorf("an error of no known kind: %s", got)
	}
}
