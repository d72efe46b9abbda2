// Package identity plans which headers the upstream may see: the caller's
// verified identity, and nothing under those names that the client sent. It
// must not know how the edits reach the gateway.
package identity

import (
	"slices"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Header is one request header for the upstream. Value is never empty.
type Header struct{ Name, Value string }

// Edits are the changes to a request: first every deletion, then every header
// set, in this order.
type Edits struct {
	DeleteHeaders []string // names as the request showed them
	SetHeaders    []Header
	DeleteArgs    []string
}

// ClaimHeader is one header that carries a claim.
type ClaimHeader struct {
	Name     string
	Claim    claim.Ref
	Format   claim.Format
	Required bool
}

// Plan is what one route does to identity headers. It is not changed after
// [NewPlan] made it.
type Plan struct {
	claimHeaders []ClaimHeader
	claimsHeader string
	tokenHeader  string
	forwardToken bool
	names        nameSet // that nobody but the plugin may set
}

// NewPlan plans identity headers; claimsHeader and tokenHeader may be "".
func NewPlan(claimHeaders []ClaimHeader, claimsHeader, tokenHeader string, strip []string, forwardToken bool) *Plan {
	p := &Plan{
		claimHeaders: claimHeaders, claimsHeader: claimsHeader, tokenHeader: tokenHeader,
		forwardToken: forwardToken,
	}
	for _, h := range claimHeaders {
		p.names.add(h.Name)
	}
	for _, name := range append([]string{claimsHeader, tokenHeader}, strip...) {
		if name != "" {
			p.names.add(name)
		}
	}
	return p
}

// Anonymous is the plan for a request that goes on without a token: whatever
// the client sent under an identity header's name is gone.
func (p *Plan) Anonymous(req token.Places) Edits {
	return Edits{DeleteHeaders: p.spoofed(req)}
}

// FromToken is the headers that a verified token sets; it depends on nothing
// else. failed is the claim of a required header that has no fitting value, or
// "".
func (p *Plan) FromToken(tok *token.Untrusted) (set []Header, failed string) {
	for _, h := range p.claimHeaders {
		value, _ := h.Claim.Lookup(tok.Claims)
		if text, fits := h.Format.Write(value); fits {
			set = append(set, Header{h.Name, text})
		} else if h.Required {
			return nil, h.Claim.String()
		}
	}
	if p.claimsHeader != "" {
		text, _ := claim.Base64.Write(tok.Claims)
		set = append(set, Header{p.claimsHeader, text})
	}
	if p.tokenHeader != "" {
		set = append(set, Header{p.tokenHeader, tok.Raw})
	}
	return set, ""
}

// Verified is the plan for a request with a verified token, for which set is
// what [Plan.FromToken] gave. set is not changed.
func (p *Plan) Verified(req token.Places, found token.Source, set []Header) Edits {
	e := Edits{DeleteHeaders: p.spoofed(req)}
	if !p.forwardToken {
		p.withhold(req, found, &e)
	}
	if len(e.SetHeaders) == 0 {
		e.SetHeaders = set
	} else {
		e.SetHeaders = append(e.SetHeaders, set...)
	}
	return e
}

// spoofed lists, as the request shows them, the names that fold to an identity
// header's.
func (p *Plan) spoofed(req token.Places) []string {
	var names []string
	for i := range req.NumHeader() {
		if name := req.HeaderName(i); p.names.has(name) && !slices.Contains(names, string(name)) {
			names = append(names, string(name))
		}
	}
	return names
}

// withhold takes the token from where it was found.
func (p *Plan) withhold(req token.Places, found token.Source, e *Edits) {
	switch found.Kind {
	case token.Query:
		e.DeleteArgs = append(e.DeleteArgs, found.Name)
	case token.Header:
		p.deleteShown(req, found.Name, e)
	case token.Cookie:
		if p.names.has([]byte("cookie")) {
			return // the whole header goes
		}
		var lines []string
		for i := range req.NumHeader() {
			if fold.Equal(req.HeaderName(i), "cookie") {
				lines = append(lines, req.HeaderValue(i))
			}
		}
		p.deleteShown(req, "cookie", e)
		if rest := token.WithoutCookie(lines, found.Name); rest != "" {
			e.SetHeaders = append(e.SetHeaders, Header{"cookie", rest})
		}
	}
}

// deleteShown deletes every header whose name folds to name.
func (p *Plan) deleteShown(req token.Places, name string, e *Edits) {
	for i := range req.NumHeader() {
		if shown := req.HeaderName(i); fold.Alike(shown, name) && !slices.Contains(e.DeleteHeaders, string(shown)) {
			e.DeleteHeaders = append(e.DeleteHeaders, string(shown))
		}
	}
}
