package issuer

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Client is an application that sends browsers here. One with a public key
// authenticates with private_key_jwt, one with a secret with
// client_secret_basic or client_secret_post, and one with neither is public and
// must use PKCE.
type Client struct {
	ID                   string   `json:"client_id"`
	Secret               string   `json:"client_secret"`
	PublicKey            string   `json:"public_key"` // PEM (PKIX)
	RedirectURIs         []string `json:"redirect_uris"`
	LogoutURIs           []string `json:"logout_uris"` // Auth0's Allowed Logout URLs
	BackchannelLogoutURI string   `json:"backchannel_logout_uri"`
	RequirePAR           bool     `json:"require_par"`
	Consent              bool     `json:"consent"` // a user is asked, as for a third party's application
	// IDTokenAlg signs its ID tokens: RS256 (default), HS256 with the secret, or
	// another alg that Mint knows.
	IDTokenAlg string `json:"id_token_alg"`
	// NonRotating refresh tokens stay the same. Those that rotate may come again
	// for Leeway seconds (Auth0's rotation overlap period), the last one before
	// the present one alone; any other repeat ends them all.
	NonRotating bool `json:"non_rotating"`
	Leeway      int  `json:"leeway"`
	// Lifetimes in seconds; 0 is Auth0's: 86400 and 36000.
	AccessTokenLifetime int64 `json:"access_token_lifetime"`
	IDTokenLifetime     int64 `json:"id_token_lifetime"`

	key crypto.PublicKey
}

// Register adds an application, or replaces the one with its ID. The error says
// what is missing.
func (i *Issuer) Register(c Client) error {
	if c.ID == "" {
		return errors.New("client_id: give one")
	}
	if c.PublicKey != "" {
		block, _ := pem.Decode([]byte(c.PublicKey))
		if block == nil {
			return errors.New("public_key: it is no PEM")
		}
		var err error
		if c.key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return fmt.Errorf("public_key: %w", err)
		}
	}
	if c.IDTokenAlg == "HS256" && c.Secret == "" {
		return errors.New("client_secret: HS256 needs one")
	}
	if c.AccessTokenLifetime == 0 {
		c.AccessTokenLifetime = 86400
	}
	if c.IDTokenLifetime == 0 {
		c.IDTokenLifetime = 36000
	}
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	i.books.clients[c.ID] = &c
	return nil
}

func (i *Issuer) client(id string) *Client {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	return i.books.clients[id]
}

func (c *Client) public() bool { return c.Secret == "" && c.key == nil }

// assertionType is RFC 7523 section 2.2's.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

var errClient = &oauthFailure{status: http.StatusUnauthorized, code: "invalid_client", description: "the client is unknown, or did not authenticate as it is registered"}

// authenticate finds the client of a request by one of the ways of RFC 6749
// section 2.3 and RFC 7523.
func (i *Issuer) authenticate(r *http.Request, form params) (*Client, *oauthFailure) {
	id, secret := form["client_id"], form["client_secret"]
	user, password, basic := r.BasicAuth()
	assertion := form["client_assertion"]
	ways := 0
	for _, there := range []bool{basic, secret != "", assertion != ""} {
		if there {
			ways++
		}
	}
	if ways > 1 {
		return nil, invalidRequest("a client authenticates in one way (RFC 6749 section 2.3)")
	}
	switch {
	case basic:
		// RFC 6749 section 2.3.1: both were form-encoded.
		var errs [2]error
		id, errs[0] = url.QueryUnescape(user)
		secret, errs[1] = url.QueryUnescape(password)
		if errors.Join(errs[:]...) != nil {
			return nil, errClient
		}
	case assertion != "":
		return i.asserted(form)
	}
	c := i.client(id)
	if c == nil || c.key != nil || c.Secret != secret {
		return nil, errClient
	}
	return c, nil
}

// asserted is private_key_jwt (OpenID Connect Core 1.0 section 9).
func (i *Issuer) asserted(form params) (*Client, *oauthFailure) {
	if form["client_assertion_type"] != assertionType {
		return nil, invalidRequest("client_assertion_type: give " + assertionType)
	}
	var claims jwt.RegisteredClaims
	var c *Client
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "RS384", "PS256", "ES256", "EdDSA"}),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(i.now),
	)
	_, err := parser.ParseWithClaims(form["client_assertion"], &claims, func(*jwt.Token) (any, error) {
		if c = i.client(claims.Subject); c == nil || c.key == nil {
			return nil, errClient
		}
		return c.key, nil
	})
	named := form["client_id"]
	good := err == nil && claims.Issuer == claims.Subject && (named == "" || named == c.ID) && claims.ID != "" &&
		(slices.Contains(claims.Audience, i.url) || slices.Contains(claims.Audience, i.url+"oauth/token")) &&
		claims.ExpiresAt.Before(i.now().Add(5*time.Minute))
	if !good || !i.books.first("assertion "+c.ID+" "+claims.ID) {
		return nil, errClient
	}
	return c, nil
}

// oauthFailure is an error that is answered (RFC 6749 sections 4.1.2.1 and 5.2).
type oauthFailure struct {
	status            int
	code, description string
}

func (f *oauthFailure) Error() string { return f.code + ": " + f.description }

func invalidRequest(description string) *oauthFailure {
	return &oauthFailure{http.StatusBadRequest, "invalid_request", description}
}

func (f *oauthFailure) write(w http.ResponseWriter, r *http.Request) {
	if _, _, basic := r.BasicAuth(); basic && f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="issuer"`)
	}
	refuse(w, f.status, f.code, f.description)
}

// params are the parameters of a request, each there once.
type params map[string]string

// once makes params of values. A parameter that repeats is an error (RFC 6749
// sections 3.1 and 3.2); one without a value counts as left out.
func once(values url.Values) (params, *oauthFailure) {
	p := params{}
	for name, all := range values {
		if len(all) > 1 {
			return nil, invalidRequest("a parameter repeats")
		}
		if all[0] != "" {
			p[name] = all[0]
		}
	}
	return p, nil
}

// has reports whether a list of words, such as scope or prompt, holds one.
func (p params) has(name, word string) bool { return slices.Contains(strings.Fields(p[name]), word) }
