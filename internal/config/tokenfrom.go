package config

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

const sourceForm = `an object with exactly one of "header" (and maybe "scheme"), "cookie", "query"`

// authorization is the header of credentials (RFC 9110 section 11.6.2).
const authorization = "authorization"

// tokenFrom reads the places a token may be in.
func (o object) tokenFrom() []token.Source {
	v, ok := o.get("token_from")
	if !ok {
		return []token.Source{{Kind: token.Header, Name: authorization, Scheme: "Bearer"}}
	}
	var sources []token.Source
	places := map[token.Source]place{} // without scheme
	for _, e := range v.elements("a list with at least one entry, each " + sourceForm) {
		if !o.r.afford(e.path, workOfSource) {
			break
		}
		s, written, ok := e.tokenSource()
		if !ok {
			continue
		}
		sources = append(sources, s)
		key := token.Source{Kind: s.Kind, Name: s.Name}
		before, there := places[key]
		scheme := strings.ToLower(s.Scheme)
		switch {
		case there && !strings.EqualFold(before.written, written):
			e.refuse("names that differ in more than _ for -: upstreams take " + quote(before.written) + " and " + quote(written) + " for the same header")
		case before.schemes[scheme]:
			e.refuse("each place once; this one is there before")
		case there && before.schemes[""] != (scheme == ""):
			e.refuse("a header either with schemes or bare; this one is there before the other way")
		}
		if !there {
			before = place{written, map[string]bool{}}
			places[key] = before
		}
		before.schemes[scheme] = true
	}
	return sources
}

// place is what was read of one place so far.
type place struct {
	written string          // the name, as the author wrote it
	schemes map[string]bool // in lower case
}

// tokenSource reads one entry; written is the name as the author wrote it.
func (v value) tokenSource() (s token.Source, written string, ok bool) {
	o, ok := v.object(sourceForm)
	if !ok {
		return s, "", false
	}
	o.allow("header", "scheme", "cookie", "query")
	places := o.given("header", "cookie", "query")
	if len(places) != 1 {
		o.r.refuse(o.path, either(places), sourceForm)
		return s, "", false
	}
	scheme, hasScheme := o.get("scheme")
	if hasScheme && places[0] != "header" {
		scheme.refuse("nothing: only a header has a scheme")
		return s, "", false
	}
	at, _ := o.get(places[0])
	switch places[0] {
	case "header":
		s.Kind = token.Header
		written, ok = at.named(headerForm, isHeaderName)
		s.Name = fold.Name(written)
		if refusedHeaders[s.Name] && s.Name != authorization && s.Name != "proxy-authorization" {
			at.refuse("a header that HTTP and the connection do not need")
			ok = false
		}
		if hasScheme {
			var fits bool
			s.Scheme, fits = scheme.named(`a scheme such as "Bearer" (RFC 9110 section 11.1)`, isToken)
			ok = ok && fits
		}
		return s, written, ok
	case "cookie":
		s.Kind = token.Cookie
		s.Name, ok = at.named("a cookie name (RFC 6265 section 4.1.1)", isToken)
	case "query":
		s.Kind = token.Query
		s.Name, ok = at.named("the name of a query argument, not empty", nil)
	}
	return s, s.Name, ok
}

// named reads a string that is not empty and that fits; nil takes any.
func (v value) named(want string, fits func(string) bool) (string, bool) {
	s, ok := v.text(want)
	if ok && fits != nil && !fits(s) {
		v.refuse(want)
		return "", false
	}
	return s, ok
}
