package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

const (
	maxValues  = 1000                      // of the JSON in an answer
	maxExpires = 10 * 365 * 24 * time.Hour // what expires_in may say
)

// registered are the error codes that an endpoint may answer with: RFC 6749
// sections 4.1.2.1 and 5.2, OpenID Connect Core 1.0 section 3.1.2.6, RFC 7009
// section 2.2.1 and RFC 8707 section 2.
var registered = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
	"interaction_required", "login_required", "account_selection_required", "consent_required", "invalid_request_uri",
	"invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
	"unsupported_token_type", "invalid_target",
}

// needs says which tokens an answer must hold beside the access token.
type needs int

const (
	needsNothing needs = iota
	needsIDToken
)

// Exchange implements [login.Provider].
func (c *Client) Exchange(ctx context.Context, code, verifier string) (login.Tokens, error) {
	return c.tokens(ctx, needsIDToken, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.opt.RedirectURI}, "code_verifier": {verifier},
	})
}

// Refresh implements [login.Provider].
func (c *Client) Refresh(ctx context.Context, refreshToken string) (login.Tokens, error) {
	return c.tokens(ctx, needsNothing, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

func (c *Client) tokens(ctx context.Context, need needs, form url.Values) (login.Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	m, err := c.metadata(ctx)
	if err != nil {
		return login.Tokens{}, err
	}
	answer, err := c.post(ctx, m.token, m.tokenAuth, form)
	if err != nil {
		return login.Tokens{}, err
	}
	t, err := readTokens(answer, need)
	if err == nil && t.ExpiresIn == 0 {
		t.ExpiresIn = lifeOf(t.AccessToken, c.opt.Now())
	}
	return t, err
}

// lifeOf is how long an access token lives yet by its own word, where it is a JWT
// and its answer did not say (RFC 6749 section 5.1 does not ask for expires_in);
// 0 is not known. It decides nothing but when the token is refreshed.
func lifeOf(accessToken string, now time.Time) time.Duration {
	t, err := token.Parse(accessToken)
	if err != nil {
		return 0
	}
	at, _, err := t.Date("exp")
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxExpires)
}

// Revoke implements [login.Provider].
func (c *Client) Revoke(ctx context.Context, refreshToken string) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	m, err := c.metadata(ctx)
	if err != nil || m.revocation == "" {
		return err
	}
	_, err = c.post(ctx, m.revocation, m.revocationAuth, url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}})
	return err
}

// post sends a form with the client's authentication. The answer has a status of
// 2xx; another is an error.
func (c *Client) post(ctx context.Context, endpoint string, method authMethod, form url.Values) (*fetch.Response, error) {
	authorization, err := c.authenticate(method, form)
	if err != nil {
		return nil, err
	}
	answer, err := c.opt.Fetch.Post(ctx, fetch.Form{
		URL: endpoint, Accept: "application/json", Authorization: authorization, Values: form, Unverified: !c.opt.SSLVerify,
	})
	switch {
	case err != nil:
		return nil, failedRequest(err)
	case answer.Status/100 == 2:
		return answer, nil
	}
	return nil, refused(answer)
}

// refused is the error that an answer of 4xx says (RFC 6749 section 5.2).
func refused(answer *fetch.Response) error {
	members, err := object(answer.Body)
	if err != nil {
		return unusable("a refusal that is no JSON object")
	}
	code, _ := members["error"].(string)
	switch {
	case code == "":
		return unusable("a refusal without an error")
	case !slices.Contains(registered, code):
		code = "other"
	}
	return &login.ProviderError{Code: code}
}

func object(body []byte) (map[string]any, error) {
	v, err := strictjson.Parse(body, strictjson.Options{MaxValues: maxValues})
	members, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, unusable("it is no JSON object")
	}
	return members, nil
}

// readObject is the JSON object of an answer of 200, or of 201 where something
// was made.
func readObject(answer *fetch.Response) (map[string]any, error) {
	if answer.Status != http.StatusOK && answer.Status != http.StatusCreated {
		return nil, unusable("its status is neither 200 nor 201")
	}
	return object(answer.Body)
}

// readTokens reads an answer of RFC 6749 section 5.1.
func readTokens(answer *fetch.Response, need needs) (t login.Tokens, err error) {
	members, err := readObject(answer)
	if err != nil {
		return login.Tokens{}, err
	}
	// Anything else would be sent as what it is not: DPoP and MAC tokens
	// prove nothing without a key.
	if kind, _ := members["token_type"].(string); !strings.EqualFold(kind, "Bearer") {
		return login.Tokens{}, unusable("its token_type is not Bearer")
	}
	for name, into := range map[string]*string{"access_token": &t.AccessToken, "id_token": &t.IDToken, "refresh_token": &t.RefreshToken} {
		if *into, err = tokenOf(members, name); err != nil {
			return login.Tokens{}, err
		}
	}
	switch {
	case strings.Contains(t.AccessToken, " "): // RFC 6750 section 2.1
		return login.Tokens{}, unusable("its access_token is none that a header can carry")
	case t.AccessToken == "":
		return login.Tokens{}, unusable("it has no access_token")
	case t.IDToken == "" && need == needsIDToken:
		return login.Tokens{}, unusable("it has no id_token")
	}
	if t.ExpiresIn, err = expiresIn(members); err != nil {
		return login.Tokens{}, err
	}
	return t, nil
}

// tokenOf is a token of an answer; null is none. Printable ASCII characters alone
// may stand in one (RFC 6749 appendix A). One that no policy would read, because
// it is too long, is [login.ErrTooLarge].
func tokenOf(members map[string]any, name string) (string, error) {
	v := members[name]
	if v == nil {
		return "", nil
	}
	text, ok := v.(string)
	switch {
	case !ok || text == "" || !isPrintable(text):
		return "", unusable("its " + name + " is not a text of printable ASCII characters")
	case len(text) > token.MaxLen:
		return "", fmt.Errorf("%w: its %s is longer than 16 KiB", login.ErrTooLarge, name)
	}
	return text, nil
}

// expiresIn is the lifetime of an access token, 0 where it is not said.
func expiresIn(members map[string]any) (time.Duration, error) {
	v := members["expires_in"]
	if v == nil {
		return 0, nil
	}
	n, _ := v.(json.Number)
	seconds, ok := strictjson.Finite(n)
	if !ok || seconds < 1 || seconds > maxExpires.Seconds() {
		return 0, unusable("its expires_in is not a number of seconds from 1 to ten years")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
