package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

func notGood(why string) error { return fmt.Errorf("%w: %s", ErrToken, why) }

// verified checks what ID and logout tokens have in common: the form, the
// algorithm, the type, the issuer, the signature by a key of that issuer's own,
// the dates and the audience.
func (c *Client) verified(ctx context.Context, raw string, types []string, now time.Time) (*token.Untrusted, error) {
	t, err := token.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	switch {
	case !slices.Contains(c.opt.Algorithms, t.Alg):
		return nil, notGood("its algorithm is not one of the route's")
	case !isOfType(t, types):
		return nil, notGood("its typ says that it is for something else")
	case t.Claims["iss"] != c.opt.Issuer:
		return nil, notGood("its issuer is another one")
	}
	if err := c.signed(ctx, t, now); err != nil {
		return nil, err
	}
	if err := t.CheckTimes(now, c.opt.Leeway, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if _, there := t.Claims["iat"]; !there {
		return nil, notGood("iat is missing")
	}
	return t, nil
}

// isOfType reports whether a token's typ is one of types, or absent. Media types
// compare without case, and may leave out "application/" (RFC 7515 section
// 4.1.9).
func isOfType(t *token.Untrusted, types []string) bool {
	typ := strings.ToLower(t.Typ)
	return typ == "" || slices.Contains(types, strings.TrimPrefix(typ, "application/"))
}

// signed verifies the signature. What the header says of keys beside kid is not
// looked at.
func (c *Client) signed(ctx context.Context, t *token.Untrusted, now time.Time) error {
	if jwk.IsHMAC(t.Alg) {
		for _, secret := range c.opt.Secrets {
			value := secret(now)
			if len(value) >= jwk.MinSecret(t.Alg) && jwk.VerifyMAC(t.Alg, t.SigningInput, t.Signature, value) == nil {
				return nil
			}
		}
		return notGood("its signature is not valid")
	}
	key, err := c.opt.Keys.Key(ctx, t.Kid, t.HasKid, t.Alg)
	switch {
	case errors.Is(err, jwks.ErrUnavailable):
		return unavailable(err)
	case err != nil:
		return notGood("no key of the issuer fits it")
	case jwk.Verify(t.Alg, t.SigningInput, t.Signature, key.Public) != nil:
		return notGood("its signature is not valid")
	}
	return nil
}

// audience is aud as a list (RFC 7519 section 4.1.3).
func audience(t *token.Untrusted) ([]string, error) {
	if one, ok := t.Claims["aud"].(string); ok {
		return []string{one}, nil
	}
	list, _ := t.Claims["aud"].([]any)
	names := make([]string, 0, len(list))
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			return nil, notGood("aud is not a list of strings")
		}
		names = append(names, name)
	}
	return names, nil
}

// claimTexts reads claims that must be strings with something in them if they
// are there.
func claimTexts(t *token.Untrusted, into map[string]*string) error {
	for name, text := range into {
		v, there := t.Claims[name]
		if !there {
			continue
		}
		var ok bool
		if *text, ok = v.(string); !ok || *text == "" {
			return notGood(name + " is not a string, or empty")
		}
	}
	return nil
}

// claimDates reads claims that must be dates if they are there.
func claimDates(t *token.Untrusted, into map[string]*time.Time) error {
	for name, date := range into {
		at, there, err := t.Date(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrToken, err)
		}
		if there {
			*date = at
		}
	}
	return nil
}
