package oidc

import (
	"context"
	"slices"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

const (
	// logoutEvent names what a logout token says (Back-Channel Logout 1.0
	// section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// logoutTokenAge is the most that may have passed since it was issued.
	logoutTokenAge = 2 * time.Minute
	// maxID bounds a jti in bytes: it is remembered.
	maxID = 1024
)

// LogoutToken implements [login.Provider]. A logout token is valid if
//
//  1. it is one JWS in strict form, and its typ is absent, JWT or logout+jwt;
//  2. its alg is one of the route's, and a key of the issuer's own verifies it;
//  3. iss is the issuer, byte for byte, and aud holds the client;
//  4. exp is there and ahead, nbf and iat are not ahead, by the leeway, and iat
//     is at most 2 minutes ago;
//  5. it has a jti and the event of a logout;
//  6. it has a sid or a sub, and no nonce, so that no ID token can be taken for it.
//
// Expires is when it is not valid any more by 4, so that its jti is remembered
// for long enough, and not for as long as its issuer likes.
func (c *Client) LogoutToken(ctx context.Context, raw string, now time.Time) (login.Logout, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	t, err := c.verified(ctx, raw, []string{"jwt", "logout+jwt"}, now)
	if err != nil {
		return login.Logout{}, err
	}
	names, err := audience(t)
	if err != nil {
		return login.Logout{}, err
	}
	_, nonce := t.Claims["nonce"]
	switch {
	case !slices.Contains(names, c.opt.ClientID):
		return login.Logout{}, notGood("its audience is another client")
	case nonce:
		return login.Logout{}, notGood("it has a nonce")
	case !saysLogout(t):
		return login.Logout{}, notGood("its events are not that of a logout")
	}
	out := login.Logout{Issuer: c.opt.Issuer}
	if err := claimTexts(t, map[string]*string{"jti": &out.JTI, "sid": &out.SID, "sub": &out.Subject}); err != nil {
		return login.Logout{}, err
	}
	var issued, expires time.Time
	if err := claimDates(t, map[string]*time.Time{"iat": &issued, "exp": &expires}); err != nil {
		return login.Logout{}, err
	}
	switch {
	case out.JTI == "" || len(out.JTI) > maxID:
		return login.Logout{}, notGood("jti is missing or longer than 1024 bytes")
	case out.SID == "" && out.Subject == "":
		return login.Logout{}, notGood("it has neither sid nor sub")
	case now.Sub(issued) > logoutTokenAge:
		return login.Logout{}, notGood("it was issued more than 2 minutes ago")
	}
	out.Expires = c.goodUntil(issued, expires)
	return out, nil
}

// goodUntil is when a logout token is not taken any more, rounded up: exp has the
// leeway, and iat makes it short whatever exp says.
func (c *Client) goodUntil(issued, expires time.Time) time.Time {
	until := expires.Add(c.opt.Leeway)
	if tooOld := issued.Add(logoutTokenAge); tooOld.Before(until) {
		until = tooOld
	}
	return until.Add(time.Second)
}

// saysLogout reports whether events holds that of a logout, an object.
func saysLogout(t *token.Untrusted) bool {
	events, _ := t.Claims[eventsClaim].(map[string]any)
	_, ok := events[logoutEvent].(map[string]any)
	return ok
}
