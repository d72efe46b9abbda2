package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// idTokenAge is the most that may have passed since an ID token was issued. It
// is fresh from the token endpoint, and a login takes no longer than this.
const idTokenAge = 10 * time.Minute

// eventsClaim makes a logout token of a token (Back-Channel Logout 1.0 section
// 2.4), whatever its typ says.
const eventsClaim = "events"

// IDToken implements [login.Provider]. An ID token is valid if
//
//  1. it is one JWS in strict form, and its typ is absent or JWT;
//  2. its alg is one of the route's, and a key of the issuer's own verifies it;
//  3. iss is the issuer, byte for byte;
//  4. aud holds the client, azp is the client where it is there, and it is there
//     where aud holds anything else;
//  5. exp is there and ahead, nbf and iat are not ahead, and iat is at most 10
//     minutes ago, all by the leeway;
//  6. nonce is the one of the login. After a refresh there need not be one;
//  7. at_hash is that of the access token, where it is there;
//  8. it has a sub, no events, and every other claim that is read has its type.
func (c *Client) IDToken(ctx context.Context, raw, nonce, accessToken string, now time.Time) (login.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	t, err := c.verified(ctx, raw, []string{"jwt"}, now)
	if err != nil {
		return login.Identity{}, err
	}
	if err := c.isForClient(t); err != nil {
		return login.Identity{}, err
	}
	if _, there := t.Claims[eventsClaim]; there {
		return login.Identity{}, notGood("it is a logout token")
	}
	if err := checkNonce(t, nonce); err != nil {
		return login.Identity{}, err
	}
	if err := checkAccessTokenHash(t, accessToken); err != nil {
		return login.Identity{}, err
	}
	id, err := identity(t)
	if err != nil {
		return login.Identity{}, err
	}
	if now.Sub(id.IssuedAt) > idTokenAge+c.opt.Leeway {
		return login.Identity{}, notGood("it was issued too long ago")
	}
	return id, nil
}

// isForClient checks aud and azp (OpenID Connect Core 1.0 section 3.1.3.7, 3 to
// 5).
func (c *Client) isForClient(t *token.Untrusted) error {
	names, err := audience(t)
	if err != nil {
		return err
	}
	azp, there := t.Claims["azp"]
	switch {
	case !slices.Contains(names, c.opt.ClientID):
		return notGood("its audience is another client")
	case there && azp != c.opt.ClientID:
		return notGood("its authorized party is another client")
	case !there && len(names) > 1:
		return notGood("it has several audiences and no azp")
	}
	return nil
}

func checkNonce(t *token.Untrusted, nonce string) error {
	v, there := t.Claims["nonce"]
	claimed, ok := v.(string)
	switch {
	case there && !ok:
		return notGood("nonce is not a string")
	case nonce != "" && subtle.ConstantTimeCompare([]byte(claimed), []byte(nonce)) != 1:
		return notGood("its nonce is missing or another login's")
	}
	return nil
}

// checkAccessTokenHash compares at_hash, which the code flow may leave out (OpenID
// Connect Core 1.0 section 3.1.3.6).
func checkAccessTokenHash(t *token.Untrusted, accessToken string) error {
	v, there := t.Claims["at_hash"]
	if !there {
		return nil
	}
	claimed, _ := v.(string)
	want := halfHash(t.Alg, accessToken)
	if accessToken == "" || subtle.ConstantTimeCompare([]byte(claimed), []byte(want)) != 1 {
		return notGood("its at_hash is not that of the access token")
	}
	return nil
}

// halfHash is the left half of a text's hash, in base64url. The hash is that of
// the algorithm; Ed25519 has SHA-512 (RFC 8032 section 5.1).
func halfHash(alg, text string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(alg, "S256"):
		whole := sha256.Sum256([]byte(text))
		sum = whole[:]
	case strings.HasSuffix(alg, "S384"):
		whole := sha512.Sum384([]byte(text))
		sum = whole[:]
	default: // …S512, EdDSA and Ed25519
		whole := sha512.Sum512([]byte(text))
		sum = whole[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

func identity(t *token.Untrusted) (login.Identity, error) {
	id := login.Identity{Claims: t.Claims}
	if err := claimTexts(t, map[string]*string{
		"sub": &id.Subject, "sid": &id.SID, "acr": &id.ACR, "org_id": &id.OrgID, "org_name": &id.OrgName,
	}); err != nil {
		return login.Identity{}, err
	}
	if id.Subject == "" {
		return login.Identity{}, notGood("sub is missing")
	}
	if err := claimDates(t, map[string]*time.Time{
		"auth_time": &id.AuthTime, "iat": &id.IssuedAt, "exp": &id.Expires, "session_expiry": &id.SessionExpiry,
	}); err != nil {
		return login.Identity{}, err
	}
	return id, nil
}
