package config

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// refusedHeaders break HTTP, the hop or the token's own way. Their names are
// written as by [fold.Name].
var refusedHeaders = map[string]bool{
	"host": true, "connection": true, "content-length": true, "transfer-encoding": true,
	"upgrade": true, "te": true, "trailer": true, "authorization": true, "keep-alive": true,
	"proxy-connection": true, "proxy-authorization": true, "expect": true,
}

const headerForm = "an HTTP header name (RFC 9110 section 5.1) with at least one letter"

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func isHeaderName(s string) bool {
	return isToken(s) && strings.ContainsAny(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz")
}

// taken holds the paths of the identity headers so far, by [fold.Name].
type taken map[string]string

// take refuses a name that cannot be an identity header.
func (taken taken) take(r *reader, path, name string) {
	key := fold.Name(name)
	before, twice := taken[key]
	switch {
	case !isHeaderName(name):
		r.refuse(path, quote(name), headerForm)
	case refusedHeaders[key]:
		r.refuse(path, quote(name), "a header that HTTP, the connection or the token itself does not need")
	case twice:
		r.refuse(path, quote(name), "a name that differs in more than letter case and _ for - from the one at "+before)
	default:
		taken[key] = path
	}
}

// identityHeaders reads all that names a header the upstream may trust.
func (o object) identityHeaders(c *Config) {
	taken := taken{}
	c.ClaimHeaders = o.claimHeaders(taken)
	c.ClaimsHeader = o.identityHeader("claims_header", taken)
	c.TokenHeader = o.identityHeader("token_header", taken)
	v, ok := o.get("strip_headers")
	if !ok {
		return
	}
	for _, e := range v.elements("a list with at least one header name") {
		if name, ok := e.text(headerForm); ok {
			if fold.Name(name) == authorization && !readsFrom(c.TokenFrom, authorization) && c.DPoP == Off {
				taken[authorization] = e.path
			} else {
				taken.take(o.r, e.path, name)
			}
			c.StripHeaders = append(c.StripHeaders, name)
		}
	}
}

// readsFrom reports whether a token may be in the header of that name.
func readsFrom(sources []token.Source, header string) bool {
	return slices.ContainsFunc(sources, func(s token.Source) bool { return s.Kind == token.Header && s.Name == header })
}

// bindingFits refuses what dpop makes pointless: DPoP-bound tokens come with
// the scheme DPoP (RFC 9449 section 7.1) and a header that is the client's.
func (o object) bindingFits(c *Config) {
	if c.DPoP == Off {
		return
	}
	bare := func(s token.Source) bool {
		return s.Kind == token.Header && s.Name == authorization && s.Scheme == ""
	}
	if from, _ := o.get("token_from"); c.DPoP == Require && slices.ContainsFunc(c.TokenFrom, bare) {
		from.refuseHidden(`Authorization with a scheme: with "dpop": "require" a token comes as "Authorization: DPoP TOKEN"`)
	}
	for _, h := range c.ClaimHeaders {
		if fold.Name(h.Name) == "dpop" {
			headers, _ := o.get("claim_headers")
			o.r.refuse(member(headers.path, h.Name), quote(h.Name), "another name: with dpop the header DPoP holds the client's proof")
		}
	}
	for _, key := range []string{"claims_header", "token_header"} {
		if v, ok := o.get(key); ok && v.json != nil {
			if name, _ := v.json.(string); fold.Name(name) == "dpop" {
				v.refuse("another name: with dpop the header DPoP holds the client's proof")
			}
		}
	}
}

func (o object) identityHeader(key string, taken taken) string {
	v, ok := o.get(key)
	if !ok {
		return ""
	}
	name, ok := v.text(headerForm)
	if ok {
		taken.take(o.r, v.path, name)
	}
	return name
}

// claimHeaders are sorted by header name.
func (o object) claimHeaders(taken taken) []identity.ClaimHeader {
	v, ok := o.get("claim_headers")
	if !ok {
		return nil
	}
	all, ok := v.object("an object of header name to claim, with at least one")
	if !ok {
		return nil
	}
	_, login := o.get("login")
	var headers []identity.ClaimHeader
	for _, name := range all.names() {
		e, _ := all.get(name)
		if !o.r.afford(e.path, workOfHeader) {
			break
		}
		taken.take(o.r, e.path, name)
		headers = append(headers, e.claimHeader(name, login))
	}
	return headers
}

func (v value) claimHeader(header string, login bool) identity.ClaimHeader {
	h := identity.ClaimHeader{Name: header}
	if _, ok := v.json.(string); ok {
		h.Claim = v.claimName()
		return h
	}
	o, ok := v.object(`a claim, or an object with "claim" and maybe "format", "required", "from"`)
	if !ok {
		return h
	}
	o.allow("claim", "format", "required", "from")
	name, ok := o.get("claim")
	if !ok {
		o.r.refuse(name.path, "none", claimForm)
	} else {
		h.Claim = name.claimName()
	}
	h.Format = choose(o, "format",
		choice[claim.Format]{"plain", claim.Plain}, choice[claim.Format]{"json", claim.JSON}, choice[claim.Format]{"base64", claim.Base64})
	h.Required = o.flag("required", false)
	if from, ok := o.get("from"); ok {
		h.From = identity.IDToken
		switch {
		case from.json != any("id_token"):
			from.refuse(`"id_token"; without this key the claim is that of the token that is judged`)
		case !login:
			from.refuse("nothing without login: only a session has an ID token")
		}
	}
	return h
}
