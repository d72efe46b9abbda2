package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// auth0MFA is the acr value by which Auth0 is asked for a second factor.
const auth0MFA = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"

// checkStepUp asks for another authentication where this one was too weak or is
// too old. The challenge names all that the route requires (RFC 9470 section 3).
func (p *Policy) checkStepUp(j *Judgement) *refusal.Refusal {
	description := ""
	amr, _ := claim.Strings(j.tok.Claims["amr"])
	switch {
	case p.conf.RequireMFA && !slices.Contains(amr, "mfa"):
		description = "multi-factor authentication is required"
	case len(p.conf.ACRValues) > 0 && !slices.Contains(p.conf.ACRValues, j.tok.String("acr")):
		description = "a different authentication level is required"
	case p.conf.MaxAuthAge > 0 && !p.authenticatedLately(j):
		description = "a more recent authentication is required"
	default:
		return nil
	}
	values := strings.Join(p.conf.ACRValues, " ")
	if values == "" && p.conf.RequireMFA {
		values = auth0MFA
	}
	return &refusal.Refusal{Kind: refusal.StepUpRequired, Description: description, ACRValues: values, MaxAge: p.conf.MaxAuthAge}
}

func (p *Policy) authenticatedLately(j *Judgement) bool {
	n, ok := j.tok.Claims["auth_time"].(json.Number)
	if !ok {
		return false
	}
	at, ok := strictjson.Finite(n)
	age := float64(j.now.UnixNano())/1e9 - at
	leeway := p.conf.Leeway.Seconds()
	return ok && age <= p.conf.MaxAuthAge.Seconds()+leeway && age >= -leeway
}

func (p *Policy) checkSchema(j *Judgement) *refusal.Refusal {
	if p.conf.ClaimSchema.Fits(j.tok.Claims) {
		return nil
	}
	return because(refusal.SchemaMismatch, nil)
}

func (p *Policy) checkRules(j *Judgement) *refusal.Refusal {
	facts := rule.NewFacts(j.tok.Claims, func() rule.Request { return seenByRules(j.req) }, j.now).WithIDToken(j.idClaims())
	for i, r := range p.conf.Rules {
		err := r.Expression.Holds(facts)
		switch {
		case err == nil:
		case r.ReportOnly:
			j.reports = append(j.reports, i)
		default:
			refused := &refusal.Refusal{Kind: refusal.RuleDenied, Status: r.Status, Description: r.Message}
			if !rule.IsFalse(err) {
				refused.Cause = "a rule could not be evaluated" // the error may hold values
			}
			return refused
		}
	}
	return nil
}

// seenByRules is the request as rules see it.
func seenByRules(req Request) rule.Request {
	headers := map[string][]string{}
	for i := range req.NumHeader() {
		name := strings.ToLower(string(req.HeaderName(i)))
		headers[name] = append(headers[name], req.HeaderValue(i))
	}
	return rule.Request{Method: req.Method(), Path: req.Path(), Headers: headers, Query: req.Query(), IP: req.IP()}
}
