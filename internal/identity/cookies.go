package identity

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// withoutCookies takes the route's own cookies and the one of that name, "" for
// none, out of the Cookie headers. Where there is none of them, nothing is
// edited; else the others stay as they were sent, in one header. room is how many
// headers are set after this.
func (p *Plan) withoutCookies(req token.Places, more string, room int, e *Edits) {
	if len(p.Cookies) == 0 && more == "" || p.names.has([]byte(cookieHeader)) {
		return // or the whole header goes
	}
	unwanted := func(name string) bool { return name == more && more != "" || slices.Contains(p.Cookies, name) }
	size, found := 0, false
	for i := range req.NumHeader() {
		if fold.Equal(req.HeaderName(i), cookieHeader) {
			for pair := range strings.SplitSeq(req.HeaderValue(i), ";") {
				if unwanted(token.CookieName(pair)) {
					found = true
				} else {
					size += len(pair) + len("; ")
				}
			}
		}
	}
	if !found {
		return
	}
	var rest strings.Builder
	if size > 0 {
		rest.Grow(size)
	}
	for i := range req.NumHeader() {
		if !fold.Equal(req.HeaderName(i), cookieHeader) {
			continue
		}
		first := true
		for pair := range strings.SplitSeq(req.HeaderValue(i), ";") {
			if unwanted(token.CookieName(pair)) || strings.TrimSpace(pair) == "" {
				continue
			}
			switch {
			case rest.Len() == 0:
				pair = strings.TrimLeft(pair, " \t")
			case first:
				rest.WriteString("; ")
				pair = strings.TrimLeft(pair, " \t")
			default:
				rest.WriteByte(';')
			}
			rest.WriteString(pair)
			first = false
		}
	}
	p.deleteShown(req, cookieHeader, e)
	if rest.Len() > 0 {
		if e.SetHeaders == nil {
			e.SetHeaders = make([]Header, 0, 1+room)
		}
		e.SetHeaders = append(e.SetHeaders, Header{cookieHeader, rest.String()})
	}
}

const cookieHeader = "cookie"
