package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/discovery"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// authMethod is how a client says who it is, by its registered name (RFC 7591
// section 2).
type authMethod string

const (
	authNone  authMethod = "none" // a public client
	authBasic authMethod = "client_secret_basic"
	authPost  authMethod = "client_secret_post"
	authJWT   authMethod = "private_key_jwt"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = time.Minute
)

// authMethod is the client's own where it has no secret. A list without
// client_secret_basic makes it client_secret_post; without a list it is the
// former (RFC 8414 section 2).
func (c *Client) authMethod(d *discovery.Document, list string) authMethod {
	switch {
	case c.assertor != nil:
		return authJWT
	case c.opt.ClientSecret == nil:
		return authNone
	}
	if methods := d.Strings(list); methods != nil && !slices.Contains(methods, string(authBasic)) {
		return authPost
	}
	return authBasic
}

// authenticate puts the client's authentication (OpenID Connect Core 1.0 section
// 9) into a form, and gives the Authorization header, "" for none.
func (c *Client) authenticate(method authMethod, form url.Values) (authorization string, err error) {
	now := c.opt.Now()
	if method == authBasic {
		// RFC 6749 section 2.3.1: both are form-encoded first.
		pair := url.QueryEscape(c.opt.ClientID) + ":" + url.QueryEscape(string(c.opt.ClientSecret(now)))
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
	}
	form.Set("client_id", c.opt.ClientID)
	switch method {
	case authPost:
		form.Set("client_secret", string(c.opt.ClientSecret(now)))
	case authJWT:
		assertion, err := c.assertion(now)
		if err != nil {
			return "", err
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	return "", nil
}

// assertion is a JWT that proves who the client is (RFC 7523 section 3). Its
// audience is the issuer alone: one for an endpoint's URL could be asked for by
// another issuer that names the same URL.
func (c *Client) assertion(now time.Time) (string, error) {
	var id [16]byte
	if _, err := io.ReadFull(c.opt.Random, id[:]); err != nil {
		return "", errors.New("no random bytes for a client assertion")
	}
	key, err := c.assertor.key(now)
	if err != nil {
		return "", err
	}
	signed, err := jwt.NewWithClaims(key.method, jwt.MapClaims{
		"iss": c.opt.ClientID, "sub": c.opt.ClientID, "aud": c.opt.Issuer,
		"jti": base64.RawURLEncoding.EncodeToString(id[:]),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}).SignedString(key.Signer)
	if err != nil {
		return "", fmt.Errorf("the client's private key cannot sign: %w", jwk.ErrPrivateKey)
	}
	return signed, nil
}
