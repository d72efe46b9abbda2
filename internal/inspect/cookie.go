package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	redisIdentifier = 43   // the length of 256 bits in base64url
	fullCookie      = 3800 // a first cookie is not much shorter where there is a second
)

// cookieLines are the lines of the request's Cookie header.
func cookieLines(req gate.Request) (lines []string) {
	for i := range req.NumHeader() {
		if strings.EqualFold(string(req.HeaderName(i)), "cookie") {
			lines = append(lines, req.HeaderValue(i))
		}
	}
	return lines
}

// sessionOf is the session of the request, nil where it has none that lives, and
// what can be said of it. Nothing that is said is a token or a secret.
func sessionOf(c Case) (s *session.Session, said []string) {
	l, lines := c.Config.Login, cookieLines(c.Request)
	names := l.SessionCookies()
	chunks, err := session.FindChunks(lines, names[0], names[1])
	switch {
	case errors.Is(err, session.ErrNoCookie):
		return nil, append([]string{"the request has no cookie " + names[0]}, elsewhere(c, lines)...)
	case err != nil:
		return nil, []string{"the cookies " + names[0] + " and " + names[1] + " do not fit together: one is there twice or empty, or the second without the first; the runner takes them for no session, and deletes them"}
	case l.Session.Redis:
		said = []string{"the cookie " + names[0] + " names a session in Redis (session.store), which explain does not ask: this is what comes of a request without a session"}
		if len(chunks.First) != redisIdentifier || chunks.Second != "" {
			said = append(said, "and it is no such name: it may have been cut, or come from a time when the store was cookie")
		}
		return nil, said
	}
	sealer := session.NewSealer(l.Session.Secrets, gate.SessionBinding(c.Config))
	s, by, err := sealer.OpenChunks(chunks, c.Now)
	if err != nil {
		return nil, append([]string{"the cookie " + names[0] + " does not open: it is no session, and the runner deletes it"}, c.notOpened(chunks, lines)...)
	}
	said = c.describe(s)
	if by.ID() != sealer.First(c.Now).ID() {
		said = append(said, "it was sealed by an older secret of session.secret; it is sealed by the first when it is written next")
	}
	if !s.Live(l.Session.IdleTimeout, c.Now) {
		return nil, append(said, "it is over, and so is no session; the runner deletes its cookie")
	}
	return s, said
}

// describe says of a session what is no secret.
func (c Case) describe(s *session.Session) (said []string) {
	l := c.Config.Login
	said = append(said,
		"the cookie "+l.Session.Cookie+" opens",
		"begun "+when(s.Begun, c.Now),
		"ends "+when(s.Ends, c.Now),
		"idle since "+when(s.Written, c.Now)+"; idle_timeout is "+span(l.Session.IdleTimeout))
	if s.Expires.IsZero() {
		said = append(said, "the issuer did not say when its token expires")
	} else {
		said = append(said, "its token expires "+when(s.Expires, c.Now))
	}
	for _, part := range []struct{ name, value string }{
		{"access token", s.AccessToken}, {"ID token", s.IDToken}, {"refresh token", s.RefreshToken}, {"sid", s.SID},
	} {
		if part.value == "" {
			said = append(said, part.name+": none")
		} else {
			said = append(said, part.name+": there")
		}
	}
	if s.SteppedUp != "" {
		said = append(said, "it came of a step-up, which is not asked for again")
	}
	if c.Claims == ShowClaims {
		said = append(said, "sub "+shortened(s.Subject), "sid "+shortened(s.SID))
	}
	return said
}

// when is a time and how far off it is.
func when(t, now time.Time) string {
	stamp := t.UTC().Format(time.RFC3339)
	if left := t.Sub(now); left > 0 {
		return stamp + ", in " + span(left)
	}
	return stamp + ", " + span(now.Sub(t)) + " ago"
}

// notOpened says why a cookie does not open, as far as it can be told.
func (c Case) notOpened(chunks session.Chunks, lines []string) []string {
	text := chunks.First + chunks.Second
	if why := c.foreign(chunks); why != "" {
		return []string{why}
	}
	switch {
	case strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}):
		return []string{"it has characters that no sealed session has: it was changed, or is of another software"}
	case len(text) == redisIdentifier:
		return []string{"it looks like the name of a session in Redis, and this configuration keeps sessions in cookies (session.store)"}
	case chunks.Second == "" && len(chunks.First) >= fullCookie:
		return []string{"it is as long as the first of two, and " + session.SecondName(c.Config.Login.Session.Cookie) + " is not there: give both"}
	case strings.Contains(strings.Join(lines, "; "), "…"), len(text) < fullCookie/10:
		return []string{"it is shorter than any session: it was cut when it was copied"}
	}
	return []string{"it was changed or cut, or sealed with a secret that is not in session.secret here, or for another cookie name, client, issuer or origin"}
}

// elsewhere finds sessions in cookies of other names.
func elsewhere(c Case, lines []string) (said []string) {
	for pair := range strings.SplitSeq(strings.Join(lines, ";"), ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		transactions := c.Config.Login.TransactionCookies()
		switch {
		case !ok:
		case slices.Contains(transactions[:], name):
			said = append(said, "the cookie "+name+" is of a login under way, not of a session")
		default:
			for _, b := range c.bindings() {
				b.Cookie = name
				if _, _, err := session.NewSealer(c.secrets(), b).OpenChunks(session.Chunks{First: value}, c.Now); err == nil {
					said = append(said, "the cookie "+shortened(name)+" is a session"+c.differs(b))
					break
				}
			}
		}
	}
	return said
}

// foreign says whose session a cookie is, if it is one of something else that is
// configured or nearly is.
func (c Case) foreign(chunks session.Chunks) string {
	for _, b := range c.bindings() {
		if _, _, err := session.NewSealer(c.secrets(), b).OpenChunks(chunks, c.Now); err == nil {
			return "it is a session" + c.differs(b)
		}
	}
	return ""
}

// differs says in what a binding is not the configuration's.
func (c Case) differs(b session.Binding) string {
	own := gate.SessionBinding(c.Config)
	var differs []string
	for _, part := range []struct{ what, own, other string }{
		{"cookie name", own.Cookie, b.Cookie}, {"client_id", own.ClientID, b.ClientID}, {"issuer", own.Issuer, b.Issuer}, {"origin", own.Origin, b.Origin},
	} {
		if part.own != part.other {
			differs = append(differs, fmt.Sprintf("%s %s in place of %s", part.what, shortened(part.other), shortened(part.own)))
		}
	}
	if len(differs) == 0 {
		return " that another configuration's session.secret sealed"
	}
	return " of another " + strings.Join(differs, ", and another ")
}

// logins are the configurations with login that were read, the case's first.
func (c Case) logins() []*config.Config {
	all := []*config.Config{c.Config}
	for _, other := range c.Others {
		if other != nil && other.Login != nil && other != c.Config {
			all = append(all, other)
		}
	}
	return all
}

// bindings are those of all configurations, then each with one part as it is
// often written otherwise.
func (c Case) bindings() (all []session.Binding) {
	for _, conf := range c.logins() {
		all = append(all, gate.SessionBinding(conf))
	}
	own := all[0]
	for _, other := range all[1:] {
		one, two, three, four := own, own, own, own
		one.ClientID, two.Issuer, three.Origin, four.Cookie = other.ClientID, other.Issuer, other.Origin, other.Cookie
		all = append(all, one, two, three, four)
	}
	slash, bare, scheme, cookie, prefixed := own, own, own, own, own
	slash.Issuer, bare.Issuer = own.Issuer+"/", strings.TrimSuffix(own.Issuer, "/")
	scheme.Origin = strings.Replace(own.Origin, "https://", "http://", 1)
	cookie.Cookie = session.CookieName(own.Cookie, true)
	prefixed.Cookie = "__Host-auth0_session"
	return append(all, slash, bare, scheme, cookie, prefixed)
}

// secrets are those that seal sessions in any configuration.
func (c Case) secrets() (all []*secret.Secret) {
	for _, conf := range c.logins() {
		all = append(all, conf.Login.Session.Secrets...)
	}
	return all
}
