package policy

import (
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

func (p *Policy) checkConfiguration(*Judgement) *refusal.Refusal {
	if p.conf == nil {
		return because(refusal.ConfigInvalid, nil)
	}
	return nil
}

// MaxHeadersShown is how many header entries APISIX shows a plugin; from there
// on it hides the rest (ngx.req.get_headers in apisix/core/request.lua).
const MaxHeadersShown = 100

func (p *Policy) checkHeaderCount(j *Judgement) *refusal.Refusal {
	if j.req.HeadersShown() >= MaxHeadersShown {
		return because(refusal.TooManyHeaders, nil)
	}
	return nil
}

// passPreflight lets a CORS pre-flight without any token pass.
func (p *Policy) passPreflight(j *Judgement) *refusal.Refusal {
	j.look()
	j.letPass = j.lookErr == nil && j.found.Raw == "" && isPreflight(j.req)
	return nil
}

// isPreflight recognises a CORS pre-flight (Fetch standard, "CORS-preflight
// request") by its method and both headers.
func isPreflight(req Request) bool {
	if req.Method() != "OPTIONS" {
		return false
	}
	var origin, method bool
	for i := range req.NumHeader() {
		name := req.HeaderName(i)
		origin = origin || fold.Equal(name, "Origin")
		method = method || fold.Equal(name, "Access-Control-Request-Method")
	}
	return origin && method
}

func (p *Policy) checkOneToken(j *Judgement) *refusal.Refusal {
	j.look()
	switch j.lookErr {
	case nil:
		return nil
	case token.ErrUnclear:
		return &refusal.Refusal{
			Kind:        refusal.MultipleTokens,
			Description: "the token's header must be its scheme, one space and the token, and nothing else",
		}
	}
	return because(refusal.MultipleTokens, nil)
}

// checkTokenThere takes the token of the request's session where the request has
// none of its own. A pre-flight has no session: browsers send no cookies with it.
func (p *Policy) checkTokenThere(j *Judgement) *refusal.Refusal {
	if j.found.Raw == "" && p.conf.Login != nil && !isPreflight(j.req) {
		if !j.asked {
			j.need = Need{Kind: NeedSession}
			return nil
		}
		switch s := &j.session; s.State {
		case CrossSite:
			return because(refusal.CrossSiteRequest, nil)
		case SessionUnavailable:
			return &refusal.Refusal{Kind: refusal.SessionUnavailable, RetryAfter: s.RetryAfter, Cause: s.Cause}
		case SessionThere:
			if s.Token != "" {
				j.found = token.Found{Raw: s.Token, Source: token.Source{Kind: token.Session}}
			}
		case NoSession:
		}
	}
	if j.found.Raw != "" {
		return nil
	}
	if j.letPass = p.conf.UnauthAction == config.UnauthPass; j.letPass {
		return nil
	}
	return because(refusal.MissingToken, nil)
}
