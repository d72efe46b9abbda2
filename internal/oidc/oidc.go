// Package oidc is an OpenID Connect client of one application at one issuer: it
// knows the endpoints of discovery, PKCE, pushed authorization requests, the
// token endpoint with its four kinds of client authentication, and how ID and
// logout tokens are checked. It must not know cookies, nor who asks.
package oidc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/discovery"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

// atMost bounds each method that waits.
const atMost = fetch.RequestAtMost

// The errors of a [Client] beside login's: answers that cannot be used. The text
// around them says why and holds nothing that the issuer wrote.
var (
	// ErrAnswer is wrapped by the errors of what an endpoint or discovery said.
	ErrAnswer = errors.New("the issuer's answer cannot be used")
	// ErrToken is wrapped by the errors of ID and logout tokens.
	ErrToken = errors.New("the issuer's token is not good")
)

// Secret is a secret's value at a time: the method Value of a secret.Secret.
type Secret = func(now time.Time) []byte

// Fetcher makes the requests; [fetch.Client] is one.
type Fetcher interface {
	discovery.Fetcher
	Post(ctx context.Context, f fetch.Form) (*fetch.Response, error)
}

// Keys finds the issuer's verification keys; [jwks.Provider] is one.
type Keys interface {
	Key(ctx context.Context, kid string, hasKid bool, alg string) (jwks.Key, error)
}

// Options are what a client is made of.
type Options struct {
	Issuer       string // as in iss, byte for byte
	DiscoveryURL string // "" is the issuer's well-known one
	SSLVerify    bool   // false works only where the [Fetcher] admits it

	ClientID         string
	ClientSecret     Secret // nil is none
	ClientPrivateKey Secret // PEM; nil is none, and with neither the client is public

	RedirectURI    string
	Scope          string            // holds openid
	Audience       string            // "" is none
	Params         map[string]string // of each authorization request; those of a login take their place
	PushedRequests config.PushedRequests

	// Algorithms are those that ID and logout tokens may be signed with: either
	// some of [jwk.Algorithms] with Keys, or HS ones with Secrets.
	Algorithms []string
	Keys       Keys
	Secrets    []Secret
	Leeway     time.Duration // of the clocks

	Fetch  Fetcher
	Now    func() time.Time // nil is time.Now
	Random io.Reader        // nil is crypto/rand's
	Logger *slog.Logger     // of discovery that fails and recovers; nil is slog.Default
}

// Client is an OpenID client. It satisfies [login.Provider], where its methods
// are described; they may be called by any goroutine.
type Client struct {
	opt      Options
	issuer   *remembered
	assertor *assertor // nil where the client has no private key
}

// New makes a client; it does no I/O but for reading the secrets. The error
// names an option that cannot be used, and holds no secret.
func New(opt Options) (*Client, error) {
	if opt.DiscoveryURL == "" {
		opt.DiscoveryURL = discovery.WellKnown(opt.Issuer)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if err := opt.check(); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	c := &Client{opt: opt}
	if opt.ClientPrivateKey != nil {
		c.assertor = &assertor{pem: opt.ClientPrivateKey}
		if _, err := c.assertor.key(opt.Now()); err != nil {
			return nil, fmt.Errorf("oidc: %w", err)
		}
	}
	c.issuer = newRemembered(c.readMetadata, opt.Now, opt.Logger.With("issuer", opt.Issuer))
	return c, nil
}

func (o *Options) check() error {
	hmac, public := slices.ContainsFunc(o.Algorithms, jwk.IsHMAC), slices.ContainsFunc(o.Algorithms, jwk.IsAsymmetric)
	unknown := slices.ContainsFunc(o.Algorithms, func(a string) bool { return !jwk.IsHMAC(a) && !jwk.IsAsymmetric(a) })
	switch {
	case o.Issuer == "" || o.ClientID == "" || o.RedirectURI == "" || o.Fetch == nil:
		return errors.New("an issuer, a client, a redirect URI and a fetcher are needed")
	case o.ClientSecret != nil && o.ClientPrivateKey != nil:
		return errors.New("a client has a secret or a private key, not both")
	case unknown || hmac == public:
		return errors.New("the algorithms are not known, none, or mix secrets with public keys")
	case public && o.Keys == nil, hmac && len(o.Secrets) == 0:
		return errors.New("nothing is there to verify tokens with")
	}
	return nil
}

// Close ends a fetch of discovery that is under way, and waits for that. There
// are none afterwards.
func (c *Client) Close() { c.issuer.close() }

// Issuer implements [login.Provider].
func (c *Client) Issuer(ctx context.Context) (issuer string, issInAnswers bool, err error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return "", false, err
	}
	return c.opt.Issuer, m.issInAnswers, nil
}

// unavailable is the error of a request that may succeed later.
func unavailable(why error) error { return fmt.Errorf("%w: %w", login.ErrUnavailable, why) }

// unusable is the error of an answer that cannot be used.
func unusable(why string) error { return fmt.Errorf("%w: %s", ErrAnswer, why) }
