package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

const (
	defaultIdleTimeout     = 24 * time.Hour
	defaultAbsoluteTimeout = 72 * time.Hour
	minTimeout             = time.Second
	maxTimeout             = 365 * 24 * time.Hour // browsers keep no cookie much longer
)

// session reads the key session of login, once the origin is known.
func (o object) session(l *Login) {
	const want = "an object with secret and maybe store, cookie, same_site, idle_timeout, absolute_timeout"
	v, ok := o.get("session")
	if !ok {
		o.r.refuse(v.path, "none", want)
		return
	}
	v.hidden = true
	own, ok := v.object(want)
	if !ok {
		return
	}
	own.hidden = false
	own.allow("secret", "store", "cookie", "same_site", "idle_timeout", "absolute_timeout")
	l.Session = LoginSession{
		Secrets:      own.sessionSecrets(),
		Redis:        choose(own, "store", choice[bool]{"cookie", false}, choice[bool]{"redis", true}),
		Cookie:       own.sessionCookie(l),
		SameSiteNone: own.sameSiteNone(l),
	}
	own.timeouts(&l.Session)
	if store, _ := own.get("store"); l.Session.Redis && !store.r.opt.Redis {
		store.refuse(`"cookie"; "redis" only where the operator started the runner with --redis-url`)
	}
}

func (o object) sessionSecrets() []*secret.Secret {
	form := "a reference to a secret of at least " + strconv.Itoa(secret.MinLen) + " bytes, or a list of them of which the first seals and all open, " + secret.Form
	v, ok := o.get("secret")
	if !ok {
		o.r.refuse(v.path, "none", form)
		return nil
	}
	return v.secrets(form, secret.Options{})
}

func (o object) sameSiteNone(l *Login) bool {
	v, ok := o.get("same_site")
	switch {
	case !ok, v.json == any("lax"):
		return false
	case v.json == any("strict"):
		v.refuse(`"lax" or "none": with "strict" the browser would not send the cookie on its way back from the login page`)
	case v.json != any("none"):
		v.refuse(`"lax", "none"`)
	case l.Insecure:
		v.refuse(`"lax": browsers take "none" with https only, and redirect_uri is http`)
	}
	return v.json == any("none")
}

func (o object) timeouts(s *LoginSession) {
	read := func(key string, fallback time.Duration) time.Duration {
		v, ok := o.get(key)
		if !ok {
			return fallback
		}
		d, ok := v.duration()
		if ok && (d < minTimeout || d > maxTimeout) {
			v.refuse("1s to 8760h")
		}
		return d
	}
	s.IdleTimeout = read("idle_timeout", defaultIdleTimeout)
	s.AbsoluteTimeout = read("absolute_timeout", defaultAbsoluteTimeout)
	if v, given := o.get("idle_timeout"); given && s.IdleTimeout > s.AbsoluteTimeout {
		v.r.warn(v.path, "it is longer than absolute_timeout, which ends the session first")
	}
	s.IdleTimeout = min(s.IdleTimeout, s.AbsoluteTimeout)
}

// workOfPrivateKey is that of reading one.
const workOfPrivateKey = 2000

// isSigningKey reports whether a secret is a private key that signs client
// assertions (RFC 7523 section 2.2).
func isSigningKey(s *secret.Secret) bool {
	_, err := jwk.ParsePrivate(s.Value(time.Now()))
	return err == nil
}

// loginFits refuses what the rest of the configuration makes impossible, and
// takes from there what login needs.
func (o object) loginFits(c *Config, l *Login) {
	path := member(o.path, "login")
	if len(c.Issuers) > 1 {
		o.r.refuse(path, strconv.Itoa(len(c.Issuers))+" issuers beside it", "one issuer: a browser can be sent to one only")
	}
	if len(c.Issuers) != 1 {
		return
	}
	issuer := c.Issuers[0]
	if jwk.IsHMAC(issuer.Algorithms[0]) {
		o.r.refuse(path, "HS algorithms beside it", "algorithms with public keys: an ID token must not be signed by a secret that others share")
	}
	if l.DiscoveryURL = issuer.DiscoveryURL; l.DiscoveryURL == "" {
		l.DiscoveryURL = strings.TrimSuffix(issuer.Issuer, "/") + "/.well-known/openid-configuration"
	}
	if strings.HasPrefix(l.DiscoveryURL, "http:") && !o.r.opt.AllowInsecure && issuer.JWKS != nil {
		o.r.refuse(path, "an http issuer beside it", "an https issuer; http only where the operator started the runner with --allow-insecure")
	}
	l.Audience = audienceOf(issuer, l)
	if l.JudgeIDToken {
		o.idTokenFits(issuer, l)
	}
	for i, from := range c.TokenFrom {
		if names := l.CookieNames(); from.Kind == token.Cookie && slices.Contains(names, from.Name) {
			o.r.refuse(element(member(o.path, "token_from"), i), quote(from.Name), "a cookie that login does not set itself")
		}
	}
	if c.DPoP == Require || c.MTLS == Require {
		o.r.warn(path, "no session passes: dpop and mtls require tokens that are bound to a key of the client, which a session's are not")
	}
	if c.ReadsIDToken() && !l.Session.Redis && (!l.JudgeIDToken || l.ForwardAccessToken) {
		o.r.warn(path, "a session keeps two tokens: if they do not fit its cookies, which hold 4,500 bytes, logins end with an error page; session.store redis has room")
	}
}

// idTokenFits refuses what no ID token could pass.
func (o object) idTokenFits(i Issuer, l *Login) {
	if i.AnyAudience || len(i.Audience) != 1 || i.Audience[0] != l.ClientID {
		o.r.refuse(member(o.path, "audience"), "another audience than login.client_id",
			`the client_id alone, or nothing: with "subject_token": "id_token" the audience of the token is the client`)
	}
	if i.TokenProfile == ProfileRFC9068 {
		o.r.refuse(member(o.path, "token_profile"), `"rfc9068"`, `"auth0" or "any": an ID token is no access token of RFC 9068`)
	}
}

// ReadsIDToken reports whether rules or headers are about the ID token.
func (c *Config) ReadsIDToken() bool {
	return slices.ContainsFunc(c.ClaimHeaders, func(h identity.ClaimHeader) bool { return h.From == identity.IDToken }) ||
		slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Expression != nil && r.Expression.NamesIDToken })
}
