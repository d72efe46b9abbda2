package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

// errAuthorization means that the caller's part of a request is not complete.
var errAuthorization = errors.New("an authorization request needs state, nonce and a verifier of 43 to 128 unreserved characters")

// AuthorizationURL implements [login.Provider].
func (c *Client) AuthorizationURL(ctx context.Context, a login.Authorization) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if a.State == "" || a.Nonce == "" || !isVerifier(a.Verifier) {
		return "", errAuthorization
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return "", err
	}
	request := c.authorization(a)
	if c.opt.PushedRequests == config.PushAlways || c.opt.PushedRequests == config.PushWhereRequired && m.requiresPushed {
		if request, err = c.push(ctx, m, request); err != nil {
			return "", err
		}
	}
	return withQuery(m.authorization, request)
}

// authorization is the request of OpenID Connect Core 1.0 section 3.1.2.1 with
// the challenge of RFC 7636 section 4.3. What the flow sets itself takes the
// place of whatever else was given under its name.
func (c *Client) authorization(a login.Authorization) url.Values {
	request := url.Values{}
	for _, params := range []map[string]string{c.opt.Params, a.Params} {
		for name, value := range params {
			request.Set(name, value)
		}
	}
	for _, name := range []string{"request", "request_uri", "response_mode", "client_secret"} {
		request.Del(name)
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	for name, value := range map[string]string{
		"response_type": "code", "client_id": c.opt.ClientID, "redirect_uri": c.opt.RedirectURI, "scope": c.opt.Scope,
		"state": a.State, "nonce": a.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		request.Set(name, value)
	}
	if request.Del("audience"); c.opt.Audience != "" {
		request.Set("audience", c.opt.Audience)
	}
	return request
}

// push pushes a request (RFC 9126 section 2), and gives the one that refers to it.
func (c *Client) push(ctx context.Context, m *metadata, request url.Values) (url.Values, error) {
	if m.pushed == "" {
		return nil, unusable("discovery names no endpoint for pushed authorization requests")
	}
	answer, err := c.post(ctx, m.pushed, m.tokenAuth, request)
	if err != nil {
		return nil, err
	}
	// 201 by the RFC; some say 200.
	members, err := readObject(answer)
	if err != nil {
		return nil, err
	}
	uri, _ := members["request_uri"].(string)
	if uri == "" || len(uri) > maxURL || !isPrintable(uri) {
		return nil, unusable("a pushed authorization request was answered without a request_uri")
	}
	return url.Values{"client_id": {c.opt.ClientID}, "request_uri": {uri}}, nil
}

// EndSessionURL implements [login.Provider].
func (c *Client) EndSessionURL(ctx context.Context, hint, postLogoutRedirectURI, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	m, err := c.metadata(ctx)
	if err != nil {
		return "", err
	}
	request := url.Values{"client_id": {c.opt.ClientID}}
	switch {
	case m.endSession != "":
		if hint != "" {
			request.Set("logout_hint", hint)
		}
		if postLogoutRedirectURI != "" {
			request.Set("post_logout_redirect_uri", postLogoutRedirectURI)
			if state != "" {
				request.Set("state", state)
			}
		}
		return withQuery(m.endSession, request)
	case m.auth0:
		if postLogoutRedirectURI != "" {
			request.Set("returnTo", postLogoutRedirectURI)
		}
		return withQuery(c.opt.Issuer+"v2/logout", request)
	}
	return "", nil
}

// withQuery is a URL with parameters beside those of its own. None is there
// twice (RFC 6749 section 3.1).
func withQuery(endpoint string, parameters url.Values) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", unusable("an endpoint is no URL")
	}
	all, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", unusable("an endpoint's query is malformed")
	}
	maps.Copy(all, parameters)
	u.RawQuery = all.Encode()
	return u.String(), nil
}

// isVerifier reports whether a text may be a code verifier (RFC 7636 section 4.1).
func isVerifier(text string) bool {
	return len(text) >= 43 && len(text) <= 128 && !slices.ContainsFunc([]byte(text), func(b byte) bool {
		alphanumeric := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		return !alphanumeric && b != '-' && b != '.' && b != '_' && b != '~'
	})
}

// isPrintable reports whether a text is of printable ASCII characters alone.
func isPrintable(text string) bool {
	return !slices.ContainsFunc([]byte(text), func(b byte) bool { return b < ' ' || b > '~' })
}
