package policy

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

type expectation struct {
	ref claim.Ref
	claim.Expectation
}

// audienceFits holds aud (RFC 7519 section 4.1.3) against the issuer's own
// audiences.
func audienceFits(iss *issuer, tok *token.Untrusted) bool {
	aud, ok := claim.Strings(tok.Claims["aud"])
	if iss.AnyAudience {
		// RFC 9068 section 2.2 asks for an audience, whichever it is.
		return iss.TokenProfile != config.ProfileRFC9068 || ok && len(aud) > 0
	}
	// An issuer without audiences would let every token be "for all of them".
	return ok && len(iss.Audience) > 0 && covers(aud, iss.Audience, !iss.AllAudiences)
}

// covers tells whether have holds all of want or, where one is enough, any.
func covers(have, want []string, oneIsEnough bool) bool {
	held := func(w string) bool { return slices.Contains(have, w) }
	if oneIsEnough {
		return slices.ContainsFunc(want, held)
	}
	return !slices.ContainsFunc(want, func(w string) bool { return !held(w) })
}

func (p *Policy) checkOrganization(s *subject) *refusal.Refusal {
	tok := s.tok
	id, name := tok.String("org_id"), tok.String("org_name")
	for _, o := range p.conf.Organizations {
		if o == id || o == name {
			return nil
		}
	}
	return because(refusal.WrongOrganization, nil)
}

func (p *Policy) checkClient(s *subject) *refusal.Refusal {
	tok := s.tok
	client, there := tok.Claims["azp"]
	if !there {
		client = tok.Claims["client_id"]
	}
	if id, ok := client.(string); ok && slices.Contains(p.conf.AllowedClients, id) {
		return nil
	}
	return because(refusal.WrongClient, nil)
}

func (p *Policy) checkScopes(s *subject) *refusal.Refusal {
	tok := s.tok
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
	return insufficient("scope", have, p.conf.RequiredScopes, p.conf.AnyScope)
}

func (p *Policy) checkPermissions(s *subject) *refusal.Refusal {
	tok := s.tok
	list, isList := tok.Claims["permissions"].([]any)
	var have []string
	if isList {
		have, _ = claim.Strings(list)
	}
	return insufficient("permission", have, p.conf.RequiredPermissions, p.conf.AnyPermission)
}

func insufficient(what string, have, want []string, oneIsEnough bool) *refusal.Refusal {
	if covers(have, want, oneIsEnough) {
		return nil
	}
	needs := "the token needs the " + what + " "
	if len(want) > 1 {
		needs = "the token needs all of the " + what + "s "
		if oneIsEnough {
			needs = "the token needs one of the " + what + "s "
		}
	}
	all := strings.Join(want, " ")
	return &refusal.Refusal{Kind: refusal.InsufficientScope, Description: needs + all, Scope: all}
}

func (p *Policy) checkClaims(s *subject) *refusal.Refusal {
	tok := s.tok
	for i := range p.claims {
		e := &p.claims[i]
		if value, found := e.ref.Lookup(tok.Claims); !e.Holds(value, found) {
			return &refusal.Refusal{
				Kind:        refusal.ClaimMismatch,
				Description: "the claim " + e.ref.String() + " is not as required",
			}
		}
	}
	return nil
}
