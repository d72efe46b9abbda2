package config

import (
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

var issuerKeys = []string{
	"domain", "issuer", "audience", "algorithms", "discovery", "jwks_uri", "jwks", "token_profile", "client_secret",
}

// keySources are the keys that say where an issuer's keys come from.
var keySources = []string{"discovery", "jwks_uri", "jwks"}

// issuers reads domain, issuer or issuers, and all that each issuer has.
func (o object) issuers() []Issuer {
	all := o.given("domain", "issuer", "issuers")
	if len(all) != 1 {
		o.r.refuse(o.path, either(all), "exactly one of domain, issuer, issuers")
	}
	defaults := Issuer{
		AudienceMatch: o.audienceMatch(),
		Algorithms:    o.algorithms([]string{"RS256"}),
		TokenProfile:  o.tokenProfile(ProfileAuth0),
		SSLVerify:     o.sslVerify(),
	}
	v, many := o.get("issuers")
	if !many {
		// With two issuers given, the rest is still looked at.
		return []Issuer{o.issuer(defaults)}
	}
	if audience, ok := o.get("audience"); ok {
		audience.audience(&defaults)
	}
	for _, key := range o.given(append([]string{"client_secret"}, keySources...)...) {
		source, _ := o.get(key)
		source.refuseHidden("nothing beside issuers: write it in the entry of its issuer")
	}
	return v.issuerList(defaults)
}

func (v value) issuerList(defaults Issuer) []Issuer {
	var issuers []Issuer
	seen := map[string]bool{}
	const want = "an object with domain or issuer"
	for _, e := range v.elements("a list with at least one entry, each " + want) {
		o, ok := e.object(want)
		if !ok {
			continue
		}
		o.allow(issuerKeys...)
		if all := o.given("domain", "issuer"); len(all) != 1 {
			o.r.refuse(o.path, either(all), "exactly one of domain, issuer")
		}
		entry := defaults
		entry.Algorithms = o.algorithms(defaults.Algorithms)
		entry.TokenProfile = o.tokenProfile(defaults.TokenProfile)
		issuer := o.issuer(entry)
		if seen[issuer.Issuer] && issuer.Issuer != "" {
			o.r.refuse(o.path, quote(issuer.Issuer), "each issuer once; this one is there before")
		}
		seen[issuer.Issuer] = true
		issuers = append(issuers, issuer)
	}
	return issuers
}

func either(given []string) string {
	if len(given) == 0 {
		return "none"
	}
	return strings.Join(given, " and ")
}

// issuer fills in what stands at the issuer itself.
func (o object) issuer(i Issuer) Issuer {
	i.Issuer = o.identifier()
	if v, ok := o.get("audience"); ok {
		v.audience(&i)
	} else if client := o.r.idTokenFor; client != nil && len(i.Audience) == 0 && !i.AnyAudience {
		i.Audience = []string{*client}
	} else if len(i.Audience) == 0 && !i.AnyAudience {
		o.r.refuse(member(o.path, "audience"), "none", `the audience of the API, a string or a list; to skip the check write ["*"]`)
	}
	o.keySource(&i)
	o.clientSecret(&i)
	return i
}

// audienceMatch needs no audience beside it: with issuers each has its own.
func (o object) audienceMatch() Match {
	return choose(o, "audience_match", choice[Match]{"any", Any}, choice[Match]{"all", All})
}

// identifier is the iss of the issuer.
func (o object) identifier() string {
	if v, ok := o.get("domain"); ok {
		const want = "a host name such as tenant.eu.auth0.com, without scheme, slash and path"
		domain, ok := v.text(want)
		if ok && !isDomain(domain) {
			v.refuse(want)
			ok = false
		}
		if !ok {
			return ""
		}
		if domain != strings.ToLower(domain) {
			v.r.warn(v.path, "Auth0 issues tokens with the domain in lower case, and iss is compared byte for byte: no token will match")
		}
		return "https://" + domain + "/"
	}
	v, ok := o.get("issuer")
	if !ok {
		return ""
	}
	s, u := v.absolute(issuerForm, false)
	// Beside inline keys the issuer is only a name; nothing is fetched.
	if _, inline := o.get("jwks"); u != nil && !inline {
		v.mustBeSafe(u)
	}
	return s
}

func (o object) keySource(i *Issuer) {
	given := o.given(keySources...)
	if len(given) > 1 {
		o.r.refuse(o.path, either(given), "at most one of discovery, jwks_uri, jwks for an issuer")
	}
	if v, ok := o.get("discovery"); ok {
		i.DiscoveryURL = v.fetched()
	}
	if v, ok := o.get("jwks_uri"); ok {
		i.JWKSURI = v.fetched()
	}
	if v, ok := o.get("jwks"); ok {
		i.JWKS = v.jwks(i)
	}
	if len(given) == 0 && !jwk.IsHMAC(i.Algorithms[0]) && i.Issuer != "" {
		i.DiscoveryURL = strings.TrimSuffix(i.Issuer, "/") + "/.well-known/openid-configuration"
	}
}

// audience reads a string or a list of strings.
func (v value) audience(i *Issuer) {
	i.Audience, i.AnyAudience = nil, false
	const want = "an audience, not empty"
	if s, ok := v.json.(string); ok && s != "" {
		i.Audience = []string{s}
	} else if _, ok := v.json.([]any); ok {
		i.Audience = v.texts(want, nil)
	} else {
		v.refuse(`a string or a list of strings, not empty; to skip the check write ["*"]`)
	}
	if !slices.Contains(i.Audience, "*") {
		if len(i.Audience) == 0 {
			i.Audience = []string{""} // refused above, once
		}
		return
	}
	if len(i.Audience) > 1 {
		v.refuse(`"*" alone, or audiences without it`)
		return
	}
	i.Audience, i.AnyAudience = nil, true
	v.r.warn(v.path, "tokens for any audience are taken, also those meant for other APIs")
}

func (o object) tokenProfile(fallback TokenProfile) TokenProfile {
	if _, ok := o.get("token_profile"); !ok {
		return fallback
	}
	return choose(o, "token_profile", choice[TokenProfile]{"auth0", ProfileAuth0},
		choice[TokenProfile]{"rfc9068", ProfileRFC9068}, choice[TokenProfile]{"any", ProfileAny})
}

func (o object) sslVerify() bool {
	verify := o.flag("ssl_verify", true)
	v, _ := o.get("ssl_verify")
	switch {
	case verify:
	case o.r.opt.AllowInsecure:
		o.r.warn(v.path, "certificates are not checked: whoever is on the way can replace the keys")
	default:
		v.refuse("true; false only where the operator started the runner with --allow-insecure")
	}
	return verify
}

func (o object) algorithms(fallback []string) []string {
	v, ok := o.get("algorithms")
	if !ok {
		return slices.Clone(fallback)
	}
	names := v.texts("one of "+strings.Join(jwk.Algorithms(), ", ")+", or HS256, HS384, HS512 with client_secret", func(name string) bool {
		return jwk.IsAsymmetric(name) || jwk.IsHMAC(name)
	})
	for _, name := range names {
		if jwk.IsHMAC(name) != jwk.IsHMAC(names[0]) {
			v.refuse("HS algorithms alone, or others without them: a public key must never be taken for a shared secret")
			break
		}
	}
	if len(names) == 0 { // refused above, once
		return slices.Clone(fallback)
	}
	return names
}
