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
	From     ClaimSource
	Format   claim.Format
	Required bool
}

// ClaimSource is the token that a header's claim is of.
type ClaimSource uint8

// The values of [ClaimHeader].From.
const (
	JudgedToken ClaimSource = iota
	IDToken                 // of a session
)

// Settings are what a route says of identity headers.
type Settings struct {
	ClaimHeaders []ClaimHeader
	ClaimsHeader string   // "" is none
	TokenHeader  string   // "" is none
	Strip        []string // further headers that clients may not set
	// ForwardToken leaves the token where it was found.
	ForwardToken bool
	// ForwardAccessToken makes Authorization carry a session's access token, and
	// nothing of the client's but the token that was judged.
	ForwardAccessToken bool
	// Cookies are the names of those that the upstream does not get.
	Cookies []string
}

// authorization is the header of credentials (RFC 9110 section 11.6.2).
const authorization = "authorization"

// Plan is what one route does to identity headers. It is not changed after
// [NewPlan] made it.
type Plan struct {
	Settings
	names nameSet // that nobody but the plugin may set
}

// NewPlan plans identity headers.
func NewPlan(s Settings) *Plan {
	p := &Plan{Settings: s}
	for _, h := range s.ClaimHeaders {
		p.names.add(h.Name)
	}
	for _, name := range append([]string{s.ClaimsHeader, s.TokenHeader}, s.Strip...) {
		if name != "" {
			p.names.add(name)
		}
	}
	return p
}

// Caller is who a request is forwarded for.
type Caller struct {
	Found       token.Source // where the token was
	Set         []Header     // what [Plan.FromToken] gave; not changed
	AccessToken string       // of the session, where Found is one; "" is none
}

// Anonymous is the plan for a request that is forwarded without a token: whatever
// the client sent under an identity header's name is gone.
func (p *Plan) Anonymous(req token.Places) Edits {
	e := Edits{DeleteHeaders: p.spoofed(req)}
	if p.ForwardAccessToken {
		p.deleteShown(req, authorization, &e)
	}
	p.withoutCookies(req, "", 0, &e)
	return e
}

// FromToken is the headers that a verified token sets, and the claims of a
// session's ID token, which may be nil; it depends on nothing else. failed is the
// claim of a required header that has no fitting value, or "".
func (p *Plan) FromToken(tok *token.Untrusted, idToken map[string]any) (set []Header, failed string) {
	for _, h := range p.ClaimHeaders {
		claims := tok.Claims
		if h.From == IDToken {
			claims = idToken
		}
		value, _ := h.Claim.Lookup(claims)
		if text, fits := h.Format.Write(value); fits {
			set = append(set, Header{h.Name, text})
		} else if h.Required {
			return nil, h.Claim.String()
		}
	}
	if p.ClaimsHeader != "" {
		text, _ := claim.Base64.Write(tok.Claims)
		set = append(set, Header{p.ClaimsHeader, text})
	}
	if p.TokenHeader != "" {
		set = append(set, Header{p.TokenHeader, tok.Raw})
	}
	return set, ""
}

// Verified is the plan for a request with a verified token.
func (p *Plan) Verified(req token.Places, c Caller) Edits {
	e := Edits{DeleteHeaders: p.spoofed(req)}
	cookie := ""
	if !p.ForwardToken {
		switch c.Found.Kind {
		case token.Query:
			e.DeleteArgs = append(e.DeleteArgs, c.Found.Name)
		case token.Header:
			p.deleteShown(req, c.Found.Name, &e)
		case token.Cookie:
			cookie = c.Found.Name
		case token.Session: // its cookies are gone in any case
		}
	}
	if p.ForwardAccessToken && (c.Found.Kind != token.Header || c.Found.Name != authorization) {
		p.deleteShown(req, authorization, &e)
		if c.Found.Kind == token.Session && c.AccessToken != "" {
			e.SetHeaders = append(make([]Header, 0, 2+len(c.Set)), Header{authorization, "Bearer " + c.AccessToken})
		}
	}
	p.withoutCookies(req, cookie, len(c.Set), &e)
	if len(e.SetHeaders) == 0 {
		e.SetHeaders = c.Set
	} else {
		e.SetHeaders = append(e.SetHeaders, c.Set...)
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

// cookieAlone is what most edits of a request with a session delete. It has no
// room for more, so that whoever appends to it copies it.
var cookieAlone = []string{cookieHeader}

// deleteShown deletes every header whose name folds to name.
func (p *Plan) deleteShown(req token.Places, name string, e *Edits) {
	for i := range req.NumHeader() {
		shown := req.HeaderName(i)
		switch {
		case !fold.Alike(shown, name) || slices.Contains(e.DeleteHeaders, string(shown)):
		case string(shown) == name && name == cookieHeader && len(e.DeleteHeaders) == 0:
			e.DeleteHeaders = cookieAlone
		default:
			e.DeleteHeaders = append(e.DeleteHeaders, string(shown))
		}
	}
}
