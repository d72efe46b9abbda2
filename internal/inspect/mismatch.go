package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// date is a NumericDate among the claims (RFC 7519 section 2).
func (s *subject) date(name string) (at time.Time, ok bool) {
	n, isNumber := s.tok.Claims[name].(json.Number)
	if !isNumber {
		return time.Time{}, false
	}
	seconds, ok := strictjson.Finite(n)
	if !ok || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// validity says how long ago, or ahead, the token's dates are.
func (s *subject) validity() (lines []string) {
	leeway := s.Config.Leeway
	if exp, ok := s.date("exp"); ok {
		if left := exp.Sub(s.Now); left > 0 {
			lines = append(lines, "expires in "+span(left))
		} else {
			lines = append(lines, "expired "+span(-left)+" ago")
		}
	}
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := s.date(name); ok && at.Sub(s.Now) > 0 {
			lines = append(lines, name+" is "+span(at.Sub(s.Now))+" ahead of this clock; leeway is "+span(leeway)+": one of both clocks may be wrong")
		}
	}
	if iat, ok := s.date("iat"); ok && s.Config.MaxTokenAge > 0 {
		lines = append(lines, "issued "+span(s.Now.Sub(iat))+" ago; max_token_age is "+span(s.Config.MaxTokenAge))
	}
	return lines
}

// span is a duration for people: 45s, 12m5s, 2h3m, 3d4h.
func span(d time.Duration) string {
	d = d.Truncate(time.Second)
	hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d >= 48*time.Hour:
		return two(hours/24, "d", hours%24, "h")
	case d >= time.Hour:
		return two(hours, "h", minutes, "m")
	case d >= time.Minute:
		return two(minutes, "m", seconds, "s")
	}
	return strconv.Itoa(seconds) + "s"
}

func two(most int, unit string, rest int, smaller string) string {
	if rest == 0 {
		return strconv.Itoa(most) + unit
	}
	return strconv.Itoa(most) + unit + strconv.Itoa(rest) + smaller
}

func (s *subject) badAudience() []string {
	wanted := strings.Join(s.issuer.Audience, ", ")
	aud, ok := claim.Strings(s.tok.Claims["aud"])
	tenant := strings.TrimSuffix(s.issuer.Issuer, "/")
	ask := "what to do: send audience=" + strings.Join(s.issuer.Audience, " or ") + " in the application's authorization or token request"
	switch {
	case !ok || len(aud) == 0:
		return []string{"the token has no aud that is a text or a list of texts; wanted: " + wanted, ask}
	case s.idToken() != "":
		return []string{
			"the token is an ID token: its aud is the application, not the API; wanted: " + wanted,
			"what to do: send the access token and not the ID token; for one that is a JWT, the application's authorization request needs audience=" + strings.Join(s.issuer.Audience, " or "),
		}
	case len(aud) == 1 && aud[0] == tenant+"/userinfo":
		return []string{"the token is good for the tenant's own /userinfo alone; wanted: " + wanted, ask}
	case len(aud) == 1 && aud[0] == tenant+"/api/v2/":
		return []string{"the token is for Auth0's Management API; wanted: " + wanted, ask}
	}
	for _, found := range aud {
		for _, want := range s.issuer.Audience {
			if why := difference(want, found); strings.Contains(why, "slash") || strings.Contains(why, "capital") || strings.Contains(why, "http") {
				return []string{"the token's aud is nearly " + want + ": " + why, "what to do: write the API's identifier in the configuration exactly as Auth0 has it, at Applications, APIs"}
			}
		}
	}
	if s.issuer.AudienceMatch == config.All && slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(s.issuer.Audience, a) }) {
		return []string{"the token is for some of the audiences, and audience_match asks for all: " + wanted}
	}
	return []string{"the token is for another API; wanted: " + wanted, ask}
}

func (s *subject) wrongOrganization() []string {
	_, id := s.tok.Claims["org_id"]
	_, name := s.tok.Claims["org_name"]
	byName := slices.ContainsFunc(s.Config.Organizations, func(o string) bool { return !strings.HasPrefix(o, "org_") })
	switch {
	case !id && !name:
		return []string{"the token is of no organization", "what to do: log in with organization=… in the authorization request, or let the application ask for one (Auth0, the application's Organizations)"}
	case byName && !name:
		return []string{"the token has org_id and no org_name", `what to do: switch "Allow Organization Names in Authentication API" on in Auth0's tenant settings, or write ids in organizations`}
	}
	return []string{"the token is of an organization that is not listed"}
}

func (s *subject) wrongClient() []string {
	for _, name := range []string{"azp", "client_id"} {
		if _, there := s.tok.Claims[name]; there {
			return []string{"the token's " + name + " is not one of allowed_clients"}
		}
	}
	return []string{"the token has neither azp nor client_id"}
}

// scopes are what the token grants, and the claim that says so.
func (s *subject) scopes() (have []string, from string) {
	from = "scope"
	value, there := s.tok.Claims["scope"]
	if !there {
		if value, there = s.tok.Claims["scp"]; there {
			from = "scp"
		}
	}
	if text, ok := value.(string); ok {
		return claim.Words(text), from
	}
	have, _ = claim.Strings(value)
	return have, from
}

func (s *subject) insufficientScope() (lines []string) {
	have, from := s.scopes()
	permissions, _ := claim.Strings(s.tok.Claims["permissions"])
	for _, asked := range []struct {
		name, claim string
		have, want  []string
		match       config.Match
	}{
		{"required_scopes", from, have, s.Config.RequiredScopes, s.Config.ScopesMatch},
		{"required_permissions", "permissions", permissions, s.Config.RequiredPermissions, s.Config.PermissionsMatch},
	} {
		var missing []string
		for _, want := range asked.want {
			if !slices.Contains(asked.have, want) {
				missing = append(missing, want)
			}
		}
		if len(missing) == 0 || asked.match == config.Any && len(missing) < len(asked.want) {
			continue
		}
		lines = append(lines, asked.name+": the token lacks "+strings.Join(missing, ", "))
		if _, there := s.tok.Claims[asked.claim]; !there {
			lines = append(lines, "the token has no claim "+asked.claim)
		}
	}
	return append(lines, "what to do: ask for the scope in the authorization request; and give the user the permission in Auth0, where the API has RBAC (Enable RBAC, Add Permissions in the Access Token)")
}

// profile are claims that Auth0 puts into ID tokens and not into access tokens.
var profile = []string{"email", "email_verified", "name", "nickname", "picture", "given_name", "family_name", "updated_at", "phone_number"}

func (s *subject) claimMismatch() []string {
	i := slices.IndexFunc(s.Config.Claims, func(e claim.Expectation) bool { return !e.Met(s.tok.Claims) })
	if i < 0 {
		return nil
	}
	e := &s.Config.Claims[i]
	name := e.Claim.String()
	value, found := e.Claim.Lookup(s.tok.Claims)
	switch {
	case !found:
		return s.absent(name)
	case e.Exists != nil && !*e.Exists:
		return []string{"the token has the claim, and the configuration wants it not to be there"}
	case value == nil:
		return []string{"the claim is null"}
	}
	wanted := kindsWanted(e)
	if len(wanted) > 0 && !slices.Contains(wanted, kindOf(value)) {
		return []string{
			"the claim is " + kindOf(value) + ", and the configuration wants " + strings.Join(wanted, " or "),
			`what to do: write the expectation in the token's type; true and "true" are different values`,
		}
	}
	return []string{"the claim has another value" + s.hidden()}
}

// absent looks for a claim under names that are easily confused.
func (s *subject) absent(name string) []string {
	lines := []string{"the token has no claim " + name}
	for _, other := range slices.Sorted(maps.Keys(s.tok.Claims)) {
		if strings.HasSuffix(other, "/"+name) {
			return append(lines, "it has "+shortened(other)+": what to do: write that name, which is with its namespace, in the configuration")
		}
	}
	if pointer := "/" + strings.ReplaceAll(name, ".", "/"); strings.Contains(name, ".") && !strings.Contains(name, "/") {
		if ref, ok := claim.ParseRef(pointer); ok {
			if _, found := ref.Lookup(s.tok.Claims); found {
				return append(lines, "it has "+shortened(pointer)+" inside of another claim: what to do: write it so")
			}
		}
	}
	if slices.Contains(profile, name) {
		return append(lines, "Auth0 puts "+name+" into ID tokens and not into access tokens: what to do: add it in an Action of the login flow, such as "+
			fmt.Sprintf("api.accessToken.setCustomClaim(\"https://example.com/%s\", event.user.%s), and write that name in the configuration", name, name))
	}
	if slices.Contains(reserved, name) {
		return append(lines, "Auth0 drops a custom claim of the name "+name+": "+underNamespace(name)+", and write that name in the configuration")
	}
	return append(lines, "what to do: add it in an Action of the login flow, by api.accessToken.setCustomClaim")
}

// kindsWanted are the types that an expectation takes; none where it takes any.
func kindsWanted(e *claim.Expectation) (kinds []string) {
	values := slices.Clone(e.OneOf)
	if e.Equals != nil {
		values = append(values, *e.Equals)
	}
	for _, v := range values {
		if !slices.Contains(kinds, kindOf(v)) {
			kinds = append(kinds, kindOf(v))
		}
	}
	switch {
	case e.Contains != nil, len(e.ContainsAll) > 0, len(e.ContainsAny) > 0:
		return []string{"a list", "a string"}
	case e.Matches != nil:
		return []string{"a string"}
	}
	return kinds
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "null"
}
