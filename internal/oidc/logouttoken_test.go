package oidc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/oidc"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const logoutEvents = `{"http://schemas.openid.net/event/backchannel-logout":{}}`

// logoutClaims are those of a good logout token, with changes as forge.Object has
// them.
func logoutClaims(changes ...string) string {
	return forge.Claims(fakeIssuer, clientID, now, append([]string{
		"iat", in(-1), "exp", in(120), "jti", `"j1"`, "sid", `"s1"`, "events", logoutEvents,
	}, changes...)...)
}

func TestGoodLogoutTokens(t *testing.T) {
	v := newVerifiers(t)
	whole := login.Logout{Issuer: fakeIssuer, SID: "s1", Subject: "auth0|alice", JTI: "j1"}
	only := func(sid, sub string) login.Logout {
		l := whole
		l.SID, l.Subject = sid, sub
		return l
	}
	for _, tt := range []struct {
		name, raw string
		want      login.Logout
	}{
		{"no typ", rs256(logoutClaims()), whole},
		{"typ logout+jwt", rs256(logoutClaims(), `"typ":"logout+jwt"`), whole},
		{"typ in capitals", rs256(logoutClaims(), `"typ":"LOGOUT+JWT"`), whole},
		{"typ written out", rs256(logoutClaims(), `"typ":"application/logout+jwt"`), whole},
		{"typ JWT", rs256(logoutClaims(), `"typ":"JWT"`), whole},
		{"sid alone", rs256(logoutClaims("sub", "")), only("s1", "")},
		{"sub alone", rs256(logoutClaims("sid", "")), only("", "auth0|alice")},
		{"several audiences", rs256(logoutClaims("aud", `["api","client one"]`)), whole},
		{"2 minutes old", rs256(logoutClaims("iat", in(-120))), whole},
		{"iat ahead within the leeway", rs256(logoutClaims("iat", in(29))), whole},
		{"an event with members", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/backchannel-logout":{"a":1},"urn:x":1}`)), whole},
		{"ES256", signed("ES256", forge.P256(), logoutClaims()), whole},
	} {
		got, err := v.ours.LogoutToken(t.Context(), tt.raw, now)
		got.Expires = time.Time{}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tt.name, err, diff)
		}
		if _, err := v.theirs.VerifyLogout(t.Context(), tt.raw); err != nil {
			t.Errorf("%s: go-oidc: %v", tt.name, err)
		}
	}
}

func TestLogoutTokensThatAreRefused(t *testing.T) {
	v := newVerifiers(t)
	secret := []byte(strings.Repeat("s", 64))
	for _, tt := range []struct{ name, raw string }{
		{"nothing", ""},
		{"alg none", forge.Sign("none", nil, forge.Header("none", "", `"typ":"logout+jwt"`), logoutClaims())},
		{"HS256 by the client's secret", forge.Sign("HS256", secret, forge.Header("HS256", ""), logoutClaims())},
		{"another key", forge.Sign("RS256", forge.AttackerRSA(), forge.Header("RS256", kidOf(forge.RSA())), logoutClaims())},
		{"another issuer's key", signed("RS256", forge.OtherRSA(), logoutClaims())},
		{"the header's own key", forge.Sign("RS256", forge.AttackerRSA(), forge.Header("RS256", "", `"jwk":`+forge.JSON(forge.JWK(forge.AttackerRSA()))), logoutClaims())},
		{"a flipped signature", rs256(logoutClaims())[:len(rs256(logoutClaims()))-8] + "AAAAAAAA"},
		{"an ID token", rs256(idClaims("sid", `"s1"`, "jti", `"j1"`))},
		{"an ID token without its nonce", rs256(idClaims("sid", `"s1"`, "jti", `"j1"`, "nonce", ""))},
		{"an ID token with the event", rs256(idClaims("sid", `"s1"`, "jti", `"j1"`, "events", logoutEvents))},
		{"an access token by its typ", rs256(logoutClaims(), `"typ":"at+jwt"`)},
		{"a security event by its typ", rs256(logoutClaims(), `"typ":"secevent+jwt"`)},
		{"typ that is empty", rs256(logoutClaims(), `"typ":""`)},
		{"crit", rs256(logoutClaims(), `"crit":["x"]`)},
		{"no iss", rs256(logoutClaims("iss", ""))},
		{"another iss", rs256(logoutClaims("iss", `"https://evil.example/"`))},
		{"no aud", rs256(logoutClaims("aud", ""))},
		{"another aud", rs256(logoutClaims("aud", `"client two"`))},
		{"aud with a number", rs256(logoutClaims("aud", `["client one",1]`))},
		{"no iat", rs256(logoutClaims("iat", ""))},
		{"iat ahead", rs256(logoutClaims("iat", in(31)))},
		{"iat 121 s ago", rs256(logoutClaims("iat", in(-121)))},
		{"iat that is text", rs256(logoutClaims("iat", `"`+in(0)+`"`))},
		{"no exp", rs256(logoutClaims("exp", ""))},
		{"expired", rs256(logoutClaims("exp", in(-30)))},
		{"exp that is null", rs256(logoutClaims("exp", "null"))},
		{"nbf ahead", rs256(logoutClaims("nbf", in(60)))},
		{"no jti", rs256(logoutClaims("jti", ""))},
		{"an empty jti", rs256(logoutClaims("jti", `""`))},
		{"a jti that is a number", rs256(logoutClaims("jti", `1`))},
		{"a jti of 2 KiB", rs256(logoutClaims("jti", `"`+strings.Repeat("j", 2<<10)+`"`))},
		{"no events", rs256(logoutClaims("events", ""))},
		{"events that are null", rs256(logoutClaims("events", "null"))},
		{"events that are text", rs256(logoutClaims("events", `"http://schemas.openid.net/event/backchannel-logout"`))},
		{"events that are a list", rs256(logoutClaims("events", `["http://schemas.openid.net/event/backchannel-logout"]`))},
		{"no event", rs256(logoutClaims("events", `{}`))},
		{"another event", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/other":{}}`))},
		{"an event in capitals", rs256(logoutClaims("events", `{"HTTP://schemas.openid.net/event/backchannel-logout":{}}`))},
		{"an event that is null", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/backchannel-logout":null}`))},
		{"an event that is true", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/backchannel-logout":true}`))},
		{"an event that is a list", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/backchannel-logout":[]}`))},
		{"an event twice", rs256(logoutClaims("events", `{"http://schemas.openid.net/event/backchannel-logout":{},"http://schemas.openid.net/event/backchannel-logout":{}}`))},
		{"neither sid nor sub", rs256(logoutClaims("sid", "", "sub", ""))},
		{"an empty sid", rs256(logoutClaims("sid", `""`))},
		{"sid that is a number", rs256(logoutClaims("sid", "7"))},
		{"sid that is null", rs256(logoutClaims("sid", "null"))},
		{"an empty sub", rs256(logoutClaims("sub", `""`, "sid", ""))},
		{"sub that is a list", rs256(logoutClaims("sub", `["alice"]`))},
		{"a nonce", rs256(logoutClaims("nonce", `"n"`))},
		{"an empty nonce", rs256(logoutClaims("nonce", `""`))},
		{"a nonce that is null", rs256(logoutClaims("nonce", "null"))},
		{"a member twice", rs256(forge.And(logoutClaims(), `"sid":"s2"`))},
	} {
		got, err := v.ours.LogoutToken(t.Context(), tt.raw, now)
		if !errors.Is(err, oidc.ErrToken) || got != (login.Logout{}) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

// Whoever remembers the jti forgets it at Expires: the token must not be good
// any more by then, or it could be used twice.
func TestALogoutTokenIsRememberedForAsLongAsItIsGood(t *testing.T) {
	v := newVerifiers(t)
	for name, raw := range map[string]string{
		"good for two minutes":      rs256(logoutClaims()),
		"good for a second":         rs256(logoutClaims("exp", in(1))),
		"expired within the leeway": rs256(logoutClaims("exp", in(-29))),
		"good for years":            rs256(logoutClaims("exp", in(1e8))),
		"issued ahead":              rs256(logoutClaims("iat", in(29), "exp", in(1e8))),
		"issued two minutes ago":    rs256(logoutClaims("iat", in(-120), "exp", in(1e8))),
	} {
		got, err := v.ours.LogoutToken(t.Context(), raw, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.ours.LogoutToken(t.Context(), raw, got.Expires); err == nil || got.Expires.After(now.Add(3*time.Minute)) || !got.Expires.After(now) {
			t.Errorf("%s: remembered for %v: %v", name, got.Expires.Sub(now), err)
		}
	}
}
