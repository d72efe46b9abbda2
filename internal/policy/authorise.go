package policy

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

func (p *Policy) checkAudience(j *Judgement) *refusal.Refusal {
	if audienceFits(j.issuer, j.tok) {
		return nil
	}
	return because(refusal.BadAudience, nil)
}

// audienceFits holds aud (RFC 7519 section 4.1.3) against the issuer's own
// audiences.
func audienceFits(iss *config.Issuer, tok *token.Untrusted) bool {
	aud, ok := claim.Strings(tok.Claims["aud"])
	if iss.AnyAudience {
		// RFC 9068 section 2.2 asks for an audience, whichever it is.
		return iss.TokenProfile != config.ProfileRFC9068 || ok && len(aud) > 0
	}
	// An issuer without audiences would let every token be "for all of them".
	return ok && len(iss.Audience) > 0 && covers(aud, iss.Audience, iss.AudienceMatch)
}

// fewWants are so few that a walk of the list for each is cheaper than a set.
const fewWants = 8

// covers reports whether have holds all of want, or any. Both may be long, and
// their product too much.
func covers(have, want []string, match config.Match) bool {
	held := func(w string) bool { return slices.Contains(have, w) }
	if len(want) > fewWants {
		set := make(map[string]bool, len(have))
		for _, h := range have {
			set[h] = true
		}
		held = func(w string) bool { return set[w] }
	}
	if match == config.Any {
		return slices.ContainsFunc(want, held)
	}
	return !slices.ContainsFunc(want, func(w string) bool { return !held(w) })
}

// checkOrganization compares as Auth0's SDKs do: an id exactly, and a name,
// which Auth0 keeps in lower case, without case.
func (p *Policy) checkOrganization(j *Judgement) *refusal.Refusal {
	id, name := j.tok.String("org_id"), j.tok.String("org_name")
	for _, o := range p.conf.Organizations {
		switch {
		case strings.HasPrefix(o, "org_"):
			if o == id {
				return nil
			}
		case strings.EqualFold(o, name):
			return nil
		}
	}
	return because(refusal.WrongOrganization, nil)
}

func (p *Policy) checkClient(j *Judgement) *refusal.Refusal {
	tok := j.tok
	client, there := tok.Claims["azp"]
	if !there {
		client = tok.Claims["client_id"]
	}
	if id, ok := client.(string); ok && slices.Contains(p.conf.AllowedClients, id) {
		return nil
	}
	return because(refusal.WrongClient, nil)
}

func (p *Policy) checkScopes(j *Judgement) *refusal.Refusal {
	tok := j.tok
	value, there := tok.Claims["scope"]
	if !there {
		value = tok.Claims["scp"]
	}
	var have []string
	if s, ok := value.(string); ok {
		have = claim.Words(s)
	} else {
		have, _ = claim.Strings(value)
	}
	return insufficient("scope", have, p.conf.RequiredScopes, p.conf.ScopesMatch)
}

func (p *Policy) checkPermissions(j *Judgement) *refusal.Refusal {
	tok := j.tok
	list, isList := tok.Claims["permissions"].([]any)
	var have []string
	if isList {
		have, _ = claim.Strings(list)
	}
	return insufficient("permission", have, p.conf.RequiredPermissions, p.conf.PermissionsMatch)
}

func insufficient(what string, have, want []string, match config.Match) *refusal.Refusal {
	if covers(have, want, match) {
		return nil
	}
	needs := "the token needs the " + what + " "
	if len(want) > 1 {
		needs = "the token needs all of the " + what + "s "
		if match == config.Any {
			needs = "the token needs one of the " + what + "s "
		}
	}
	all := strings.Join(want, " ")
	return &refusal.Refusal{Kind: refusal.InsufficientScope, Description: needs + all, Scope: all}
}

func (p *Policy) checkClaims(j *Judgement) *refusal.Refusal {
	for i := range p.conf.Claims {
		if e := &p.conf.Claims[i]; !e.Met(j.tok.Claims) {
			return &refusal.Refusal{
				Kind:        refusal.ClaimMismatch,
				Description: "the claim " + e.Claim.String() + " is not as required",
			}
		}
	}
	return nil
}

// planHeaders writes the headers that the token sets.
func (p *Policy) planHeaders(j *Judgement) *refusal.Refusal {
	set, failed := p.plan.FromToken(j.tok, j.idClaims())
	if failed != "" {
		return &refusal.Refusal{
			Kind:        refusal.ClaimHeaderFailed,
			Description: "the required claim " + failed + " has no value that fits a header",
		}
	}
	j.set = set
	return nil
}
