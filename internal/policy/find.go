package policy

import (
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
	var origin, method bool
	for i := range req.NumHeader() {
		name := req.HeaderName(i)
		origin = origin || fold.Equal(name, "Origin")
		method = method || fold.Equal(name, "Access-Control-Request-Method")
	}
	return req.Method() == "OPTIONS" && origin && method
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

func (p *Policy) checkTokenThere(j *Judgement) *refusal.Refusal {
	if j.found.Raw != "" {
		return nil
	}
	if j.letPass = p.conf.PassUnauthenticated; j.letPass {
		return nil
	}
	return because(refusal.MissingToken, nil)
}
