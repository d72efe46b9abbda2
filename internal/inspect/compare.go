package inspect

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// compare is what a check found beside what it wanted, claims included. Both
// are "" where a check compares nothing that can be shown on a line.
func (s *subject) compare(c *policy.Check) (found, wanted string) {
	if !s.read || len(c.Kinds) == 0 {
		return "", ""
	}
	conf := s.Config
	switch c.Kinds[0] {
	case refusal.AlgNotAllowed:
		return shortened(s.tok.Alg), strings.Join(s.algorithms(), ", ")
	case refusal.TypNotAllowed:
		if s.tok.Typ == "" {
			return "no typ", profileNames[s.issuer.TokenProfile]
		}
		return shortened(s.tok.Typ), profileNames[s.issuer.TokenProfile]
	case refusal.UnknownIssuer:
		var names []string
		for _, i := range conf.Issuers {
			names = append(names, i.Issuer)
		}
		return s.shown("iss"), strings.Join(names, ", ")
	case refusal.Expired:
		var dates []string
		for _, name := range []string{"exp", "nbf", "iat"} {
			if at, ok := s.date(name); ok {
				dates = append(dates, name+" "+at.UTC().Format(time.RFC3339))
			}
		}
		return strings.Join(dates, ", "), "good at " + s.Now.UTC().Format(time.RFC3339)
	case refusal.BadAudience:
		if s.issuer.AnyAudience {
			return s.shown("aud"), "any"
		}
		return s.shown("aud"), strings.Join(s.issuer.Audience, ", ")
	case refusal.WrongOrganization:
		return s.shown("org_id", "org_name"), strings.Join(conf.Organizations, ", ")
	case refusal.WrongClient:
		return s.shown("azp", "client_id"), strings.Join(conf.AllowedClients, ", ")
	case refusal.StepUpRequired:
		return s.shown("amr", "acr", "auth_time"), s.stepUp()
	case refusal.InsufficientScope:
		if strings.Contains(c.Name, "permissions") {
			return s.shown("permissions"), strings.Join(conf.RequiredPermissions, " ")
		}
		return s.shown("scope", "scp"), strings.Join(conf.RequiredScopes, " ")
	case refusal.ClaimMismatch:
		return s.expectations()
	}
	return "", ""
}

// profileNames are the values of token_profile.
var profileNames = []string{"a typ of token_profile auth0", "a typ of token_profile rfc9068", "any typ"}

// shown is claims with their values, on one line; those that are not there are
// left out.
func (s *subject) shown(names ...string) string {
	var texts []string
	for _, name := range names {
		if v, there := s.tok.Claims[name]; there {
			texts = append(texts, name+" "+compact(v))
		}
	}
	if texts == nil {
		return "no " + strings.Join(names, " and no ")
	}
	return strings.Join(texts, ", ")
}

// compact is a value as JSON on one line, at most 200 bytes of it.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "something that JSON cannot write"
	}
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(string(text[:most]), "") + "…"
	}
	return string(text)
}

func (s *subject) stepUp() string {
	var wanted []string
	if s.Config.RequireMFA {
		wanted = append(wanted, "amr with mfa")
	}
	if len(s.Config.ACRValues) > 0 {
		wanted = append(wanted, "acr one of "+strings.Join(s.Config.ACRValues, " "))
	}
	if s.Config.MaxAuthAge > 0 {
		wanted = append(wanted, "auth_time at most "+span(s.Config.MaxAuthAge)+" ago")
	}
	return strings.Join(wanted, ", ")
}

// expectations are the key claims, beside the token's.
func (s *subject) expectations() (found, wanted string) {
	var all, wants []string
	for i := range s.Config.Claims {
		e := &s.Config.Claims[i]
		value, there := e.Claim.Lookup(s.tok.Claims)
		text := "no " + e.Claim.String()
		if there {
			text = e.Claim.String() + " " + compact(value)
		}
		all = append(all, text)
		wants = append(wants, e.Claim.String()+" "+expectation(e))
	}
	return strings.Join(all, ", "), strings.Join(wants, ", ")
}

func expectation(e *claim.Expectation) string {
	var parts []string
	add := func(word string, v any) { parts = append(parts, word+" "+compact(v)) }
	if e.Equals != nil {
		add("equals", *e.Equals)
	}
	if e.OneOf != nil {
		add("one_of", e.OneOf)
	}
	if e.Contains != nil {
		add("contains", *e.Contains)
	}
	if e.ContainsAll != nil {
		add("contains_all", e.ContainsAll)
	}
	if e.ContainsAny != nil {
		add("contains_any", e.ContainsAny)
	}
	if e.Matches != nil {
		parts = append(parts, "matches a pattern")
	}
	if e.Exists != nil {
		add("exists", *e.Exists)
	}
	return strings.Join(parts, " and ")
}
