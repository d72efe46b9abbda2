package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// passed says of a check that passed what nobody sees in its name: the key, and
// how long the token is still good.
func (s *subject) passed(c *policy.Check) []string {
	switch {
	case slices.Contains(c.Kinds, refusal.UnknownKey) && len(s.issuer.Secrets) == 0:
		return []string{s.keyName()}
	case slices.Contains(c.Kinds, refusal.Expired):
		return s.validity()
	case slices.Contains(c.Kinds, refusal.Revoked) && s.Revocations == RevocationsKnown:
		return []string{"looked up: the token is not among what was revoked"}
	case slices.Contains(c.Kinds, refusal.Revoked):
		return []string{"not looked up: this command does not know what was revoked; GET /revocations at a runner's --admin-addr lists it"}
	}
	return nil
}

// refused says why a check refused in more words than a client gets, and what
// to do about it. It repeats no claim.
func (s *subject) refused(r refusal.Refusal) []string {
	var lines []string
	for _, said := range []string{r.Cause, r.Description} {
		if said != "" {
			lines = append(lines, said)
		}
	}
	say := map[refusal.Kind]func() []string{
		refusal.MultipleTokens:    s.multipleTokens,
		refusal.MissingToken:      s.missingToken,
		refusal.MalformedToken:    s.malformed,
		refusal.AlgNotAllowed:     s.algNotAllowed,
		refusal.TypNotAllowed:     s.typNotAllowed,
		refusal.UnknownIssuer:     s.unknownIssuer,
		refusal.KeysUnavailable:   s.keysUnavailable,
		refusal.UnknownKey:        s.unknownKey,
		refusal.BadSignature:      s.badSignature,
		refusal.Expired:           s.validity,
		refusal.NotYetValid:       s.validity,
		refusal.TooOld:            s.validity,
		refusal.BadAudience:       s.badAudience,
		refusal.WrongOrganization: s.wrongOrganization,
		refusal.WrongClient:       s.wrongClient,
		refusal.StepUpRequired:    s.noStepUp,
		refusal.InsufficientScope: s.insufficientScope,
		refusal.ClaimMismatch:     s.claimMismatch,
	}[r.Kind]
	if say != nil {
		lines = append(lines, say()...)
	}
	return lines
}

// keyName is the key that the token's header names.
func (s *subject) keyName() string {
	if !s.tok.HasKid {
		return "the issuer's only key for " + s.tok.Alg + ", since the token names none"
	}
	return "the key " + shortened(s.tok.Kid)
}

// places are where the configuration looks for the token.
func (s *subject) places() string {
	var places []string
	for _, from := range s.Config.TokenFrom {
		places = append(places, placeName(from))
	}
	return strings.Join(places, ", then ")
}

func (s *subject) multipleTokens() []string {
	return []string{"looked for in " + s.places(), "what to do: send one token, in one place; a header may not be repeated, even with the same or another scheme"}
}

func (s *subject) missingToken() []string {
	lines := []string{"looked for in " + s.places()}
	for i := range s.Request.NumHeader() {
		if strings.EqualFold(string(s.Request.HeaderName(i)), "authorization") {
			lines = append(lines, "there is an Authorization header, and its scheme is another one")
		}
	}
	return lines
}

func placeName(from token.Source) string {
	switch {
	case from.Kind == token.Cookie:
		return "the cookie " + from.Name
	case from.Kind == token.Query:
		return "the query argument " + from.Name
	case from.Scheme != "":
		return "the header " + from.Name + " with the scheme " + from.Scheme
	}
	return "the header " + from.Name
}

func (s *subject) malformed() []string {
	found, _ := token.Extract(s.Config.TokenFrom, s.Request) // it was found, to be malformed
	raw := found.Raw
	switch {
	case s.read:
		return nil // a date; the cause says which
	case strings.Count(raw, ".") == 0:
		return []string{
			"Auth0 gives an opaque token to a request that names no API",
			"what to do: send audience=" + strings.Join(s.issuer.Audience, " or ") + " in the application's authorization or token request; or set the tenant's Default Audience (Settings, General, API Authorization Settings)",
		}
	case strings.Count(raw, ".") == 4:
		return []string{"what to do: switch Token Encryption off in Auth0, at Applications, APIs, the API's settings"}
	case strings.ContainsAny(raw, " \t\r\n"):
		return []string{"there is white space in it: it may have been cut into lines when it was copied"}
	}
	return []string{"it may have been cut when it was copied"}
}

func (s *subject) algNotAllowed() []string {
	alg := s.tok.Alg
	lines := []string{"the token is signed with " + shortened(alg) + "; the configuration allows " + strings.Join(s.algorithms(), ", ")}
	switch {
	case jwk.IsHMAC(alg):
		lines = append(lines, "what to do: choose RS256 as the Signing Algorithm in Auth0, at Applications, APIs, the API's settings; or write "+
			fmt.Sprintf(`"algorithms": [%q] and client_secret`, alg))
	case jwk.IsAsymmetric(alg):
		lines = append(lines, fmt.Sprintf(`what to do: if the issuer is meant to sign so, write "algorithms": [%q]`, alg))
	case strings.EqualFold(alg, "none"):
		lines = append(lines, "a token that is not signed proves nothing, and is never taken")
	}
	return lines
}

// algorithms are those of the token's issuer, or where that is not configured
// of all.
func (s *subject) algorithms() (all []string) {
	for i := range s.Config.Issuers {
		if issuer := &s.Config.Issuers[i]; issuer.Issuer == s.tok.String("iss") {
			return issuer.Algorithms
		}
	}
	for _, i := range s.Config.Issuers {
		for _, alg := range i.Algorithms {
			if !slices.Contains(all, alg) {
				all = append(all, alg)
			}
		}
	}
	return all
}

func (s *subject) typNotAllowed() []string {
	return []string{
		"the token's typ is " + shortened(s.tok.Typ),
		"what to do: token_profile says which are taken; in Auth0 the API's settings have the Token Profile, Auth0 or RFC 9068",
	}
}

// unknownIssuer compares with every issuer, and repeats only what is configured.
func (s *subject) unknownIssuer() (lines []string) {
	iss := s.tok.String("iss")
	if iss == "" {
		return []string{"the token has no iss that is a string"}
	}
	for _, i := range s.Config.Issuers {
		why := difference(i.Issuer, iss)
		if why == "" {
			lines = append(lines, "the token's iss is not "+i.Issuer)
			continue
		}
		lines = append(lines, "the token's iss is nearly "+i.Issuer+": "+why)
		lines = append(lines, s.issuerAdvice(i.Issuer, iss))
	}
	return append(lines, "iss is compared byte for byte"+s.hidden())
}

// hidden ends a line about a claim whose value is not shown.
func (s *subject) hidden() string {
	if s.Claims == ShowClaims {
		return ""
	}
	return "; --show-claims shows it"
}

func (s *subject) issuerAdvice(wanted, found string) string {
	switch why := difference(wanted, found); {
	case strings.Contains(why, "two Auth0 tenants"), strings.Contains(why, "two regions"):
		return "what to do: the application logs in at another tenant than the route names; correct the one that is wrong, or list both in issuers"
	case strings.Contains(why, "custom domain"):
		return "what to do: Auth0 writes the domain into iss that the application used; let it use the one of the configuration, or list both in issuers"
	}
	return "what to do: write the issuer in the configuration exactly as the token has it"
}

func (s *subject) keysUnavailable() []string {
	if s.Fetch == nil {
		return nil
	}
	if _, problem := keysOf(s.ctx, s.Fetch, *s.issuer); problem != "" {
		return []string{problem}
	}
	return []string{"they can be had now; try again"}
}

func (s *subject) unknownKey() []string {
	lines := []string{"the token names " + s.keyName()}
	if !s.tok.HasKid {
		lines[0] = "the token names no key, and not exactly one of the issuer's fits " + s.tok.Alg
	}
	if s.Fetch == nil && s.issuer.JWKS == nil {
		return lines
	}
	keys, problem := keysOf(s.ctx, s.Fetch, *s.issuer)
	if problem != "" {
		lines = append(lines, problem)
	}
	var fitting, others []string
	for _, k := range keys {
		if k.Fits(s.tok.Alg) {
			fitting = append(fitting, shortened(k.ID()))
		} else {
			others = append(others, shortened(k.ID()))
		}
	}
	if len(fitting) > 0 {
		lines = append(lines, "the issuer's keys for "+s.tok.Alg+" are "+strings.Join(fitting, ", "))
	}
	if len(others) > 0 {
		lines = append(lines, "keys for other algorithms are "+strings.Join(others, ", "))
	}
	return append(lines, "what to do: if the key was revoked, log in again; else the token is of another issuer than it says")
}

func (s *subject) badSignature() []string {
	if len(s.issuer.Secrets) > 0 {
		return []string{"no secret of client_secret made this signature: it may be the secret of another API, or the token was changed"}
	}
	return []string{s.keyName() + " did not make this signature: the token was changed or cut, or is of another issuer that uses the same name for a key"}
}
