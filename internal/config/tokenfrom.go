package config

import "strings"

const sourceForm = `an object with exactly one of "header" (and maybe "scheme"), "cookie", "query"`

// tokenFrom reads the places a token may be in.
func (o object) tokenFrom() []TokenSource {
	v, ok := o.get("token_from")
	if !ok {
		return []TokenSource{{Kind: FromHeader, Name: "authorization", Scheme: "Bearer"}}
	}
	var sources []TokenSource
	seen := map[TokenSource]bool{}
	bare := map[TokenSource]bool{} // by place: whether the first there has no scheme
	for _, e := range v.elements("a list with at least one entry, each " + sourceForm) {
		s, ok := e.tokenSource()
		if !ok {
			continue
		}
		sources = append(sources, s)
		place := TokenSource{Kind: s.Kind, Name: s.Name}
		folded := TokenSource{Kind: s.Kind, Name: s.Name, Scheme: strings.ToLower(s.Scheme)}
		first, there := bare[place]
		switch {
		case seen[folded]:
			e.refuse("each place once; this one is there before")
		case there && first != (s.Scheme == ""):
			e.refuse("a header either with schemes or bare; this one is there before the other way")
		}
		seen[folded] = true
		if !there {
			bare[place] = s.Scheme == ""
		}
	}
	return sources
}

func (v value) tokenSource() (TokenSource, bool) {
	o, ok := v.object(sourceForm)
	if !ok {
		return TokenSource{}, false
	}
	o.allow("header", "scheme", "cookie", "query")
	places := o.given("header", "cookie", "query")
	if len(places) != 1 {
		o.r.refuse(o.path, either(places), sourceForm)
		return TokenSource{}, false
	}
	scheme, hasScheme := o.get("scheme")
	if hasScheme && places[0] != "header" {
		scheme.refuse("nothing: only a header has a scheme")
		return TokenSource{}, false
	}
	place, _ := o.get(places[0])
	var s TokenSource
	switch places[0] {
	case "header":
		s.Kind = FromHeader
		s.Name, ok = place.named(headerForm, isHeaderName)
		s.Name = strings.ToLower(s.Name)
		if hasScheme {
			var fits bool
			s.Scheme, fits = scheme.named(`a scheme such as "Bearer" (RFC 9110 section 11.1)`, isToken)
			ok = ok && fits
		}
	case "cookie":
		s.Kind = FromCookie
		s.Name, ok = place.named("a cookie name (RFC 6265 section 4.1.1)", isToken)
	case "query":
		s.Kind = FromQuery
		s.Name, ok = place.named("the name of a query argument, not empty", nil)
	}
	return s, ok
}

func (v value) named(want string, fits func(string) bool) (string, bool) {
	s, ok := v.text(want)
	if ok && fits != nil && !fits(s) {
		v.refuse(want)
		return "", false
	}
	return s, ok
}
