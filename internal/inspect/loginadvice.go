package inspect

import (
	"fmt"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// logins warns of login where it is valid and may not be meant.
func logins(c *config.Config, opt Options) (all []advice) {
	l := c.Login
	if l == nil {
		return nil
	}
	if l.Session.Redis && opt.Redis == RedisUnknown {
		all = append(all, advice{"$.login.session.store", "only a runner with --redis-url takes it; name it here too (--redis-url), and this is not said"})
	}
	if l.Session.SameSiteNone {
		all = append(all, advice{"$.login.session.same_site", "pages of other sites can send requests with the session then. Only an application inside another site's frame needs it, and browsers that block third-party cookies log nobody in there"})
	}
	if !l.Insecure && !l.OwnHostSetsTheSession() { // over http there is a warning of all cookies
		all = append(all, advice{"$.login.session.cookie", "any host below the same domain can set a cookie of this name, and have somebody use a session that is not their own; begin the name with __Host-, which browsers take from this host alone"})
	}
	if size := estimate(c); !l.Session.Redis && size.accessToken > 0 && size.idToken > 0 {
		all = append(all, advice{"$.login.session", fmt.Sprintf("a session keeps an access token (about %d bytes) and an ID token (about %d): with the rest it is about %d of the %d bytes that its cookies hold, and permissions, roles and claims of your own come on top; session.store redis has room",
			size.accessToken, size.idToken, size.whole(), cookiesHold)})
	}
	return all
}

// cookiesHold is how many bytes a session's cookies have, with their names.
const cookiesHold = 4500

// sizes are estimates in bytes, as the tokens are written.
type sizes struct{ accessToken, idToken, rest int }

func (s sizes) whole() int { return s.accessToken + s.idToken + s.rest }

// The lengths of what no configuration says, as Auth0 writes it.
const (
	headerLength  = 100 // of a token, in base64url
	plainClaims   = 150 // iat, exp, azp, sub and their names
	profileClaims = 350 // of the scopes profile and email
	sessionClaims = 120 // nonce, sid, auth_time
	refreshToken  = 70
	sealing       = 190 // the identifier, the times, sid and sub, the seal, the cookie's name
)

var signatureLengths = map[string]int{"ES256": 86, "ES384": 128, "ES512": 176, "EdDSA": 86}

// estimate is how large the sessions of a configuration are likely to be.
func estimate(c *config.Config) (s sizes) {
	l, issuer := c.Login, c.Issuers[0]
	signature := signatureLengths[issuer.Algorithms[0]]
	if signature == 0 {
		signature = 342 // RSA with 2048 bits
	}
	written := func(claims int) int { return (headerLength + claims*4/3 + signature + 9) / 10 * 10 }
	if !l.JudgeIDToken || l.ForwardAccessToken {
		s.accessToken = written(plainClaims + len(issuer.Issuer) + len(l.Audience) + len(l.Scope) + len(l.ClientID) + len(strings.Join(c.RequiredPermissions, `","`)))
	}
	if c.NeedsIDToken() {
		s.idToken = written(plainClaims + sessionClaims + profileClaims + len(issuer.Issuer) + len(l.ClientID))
	}
	s.rest = sealing
	if strings.Contains(" "+l.Scope+" ", " offline_access ") {
		s.rest += refreshToken
	}
	return s
}
