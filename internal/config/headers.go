package config

import "strings"

// refusedHeaders break HTTP, the hop or the token's own way. Written in small
// letters and with dashes, as by sameHeader.
var refusedHeaders = map[string]bool{
	"host": true, "connection": true, "content-length": true, "transfer-encoding": true,
	"upgrade": true, "te": true, "trailer": true, "authorization": true, "keep-alive": true,
	"proxy-connection": true, "proxy-authorization": true, "expect": true,
}

const headerForm = "an HTTP header name (RFC 9110 section 5.1) with at least one letter"

// sameHeader is one text for all names that some upstream takes for the same:
// CGI and WSGI write X-User and X_User alike.
func sameHeader(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

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

// identity holds the paths of the identity headers so far, by sameHeader.
type identity map[string]string

// take refuses a name that cannot be an identity header.
func (taken identity) take(r *reader, path, name string) {
	key := sameHeader(name)
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
	taken := identity{}
	c.ClaimHeaders = o.claimHeaders(taken)
	c.ClaimsHeader = o.identityHeader("claims_header", taken)
	c.TokenHeader = o.identityHeader("token_header", taken)
	v, ok := o.get("strip_headers")
	if !ok {
		return
	}
	for _, e := range v.elements("a list with at least one header name") {
		if name, ok := e.text(headerForm); ok {
			taken.take(o.r, e.path, name)
			c.StripHeaders = append(c.StripHeaders, name)
		}
	}
}

func (o object) identityHeader(key string, taken identity) string {
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
func (o object) claimHeaders(taken identity) []ClaimHeader {
	v, ok := o.get("claim_headers")
	if !ok {
		return nil
	}
	all, ok := v.object("an object of header name to claim, with at least one")
	if !ok {
		return nil
	}
	var headers []ClaimHeader
	for _, name := range all.names() {
		e, _ := all.get(name)
		taken.take(o.r, e.path, name)
		headers = append(headers, e.claimHeader(name))
	}
	return headers
}

func (v value) claimHeader(header string) ClaimHeader {
	h := ClaimHeader{Header: header}
	if claim, ok := v.json.(string); ok {
		if !isClaimName(claim) {
			v.refuse(claimForm)
		}
		h.Claim = claim
		return h
	}
	o, ok := v.object(`a claim, or an object with "claim", "format" and "required"`)
	if !ok {
		return h
	}
	o.allow("claim", "format", "required")
	claim, ok := o.get("claim")
	if !ok {
		o.r.refuse(claim.path, "none", claimForm)
	} else if s, ok := claim.text(claimForm); ok {
		if !isClaimName(s) {
			claim.refuse(claimForm)
		}
		h.Claim = s
	}
	h.Format = choose(o, "format", choice[Format]{"plain", Plain}, choice[Format]{"json", JSON}, choice[Format]{"base64", Base64})
	h.Required = o.flag("required", false)
	return h
}
