package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/discovery"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// maxURL bounds each URL of a discovery document, and a request_uri, in bytes.
const maxURL = 2048

// metadata is what a client needs of the discovery document (OpenID Connect
// Discovery 1.0 section 3, RFC 8414 section 2).
type metadata struct {
	authorization, token           string // URLs
	revocation, pushed, endSession string // URLs; "" where there is none
	tokenAuth, revocationAuth      authMethod
	requiresPushed, issInAnswers   bool
	auth0                          bool // its issuer is Auth0
}

func (c *Client) metadata(ctx context.Context) (*metadata, error) { return c.issuer.get(ctx) }

// readMetadata fetches the document. One endpoint that may not be named spoils
// all: whoever wrote it may have written the others.
func (c *Client) readMetadata(ctx context.Context) (*metadata, error) {
	document, err := discovery.Read(ctx, c.opt.Fetch, discovery.Source{
		Issuer: c.opt.Issuer, URL: c.opt.DiscoveryURL, Unverified: !c.opt.SSLVerify,
	})
	if err != nil {
		return nil, atDiscovery(err)
	}
	m := &metadata{
		requiresPushed: document.True("require_pushed_authorization_requests"),
		issInAnswers:   document.True("authorization_response_iss_parameter_supported"),
	}
	for _, endpoint := range []struct {
		name     string
		into     *string
		required bool
	}{
		{"authorization_endpoint", &m.authorization, true},
		{"token_endpoint", &m.token, true},
		{"revocation_endpoint", &m.revocation, false},
		{"pushed_authorization_request_endpoint", &m.pushed, false},
		{"end_session_endpoint", &m.endSession, false},
	} {
		if !endpoint.required && !document.Has(endpoint.name) {
			continue
		}
		if *endpoint.into, err = document.URL(endpoint.name); err != nil {
			return nil, atDiscovery(err)
		}
		// A fragment belongs to no endpoint (RFC 6749 section 3.1).
		if len(*endpoint.into) > maxURL || strings.Contains(*endpoint.into, "#") {
			return nil, atDiscovery(fmt.Errorf("%w: %s", discovery.ErrURL, endpoint.name))
		}
	}
	m.tokenAuth = c.authMethod(document, "token_endpoint_auth_methods_supported")
	m.revocationAuth = m.tokenAuth
	if document.Has("revocation_endpoint_auth_methods_supported") {
		m.revocationAuth = c.authMethod(document, "revocation_endpoint_auth_methods_supported")
	}
	m.auth0 = isAuth0(c.opt.Issuer, m.token)
	return m, nil
}

// isAuth0 reports whether an issuer is Auth0, also under a domain of its
// customer's: its issuers end in a slash, and its token endpoint is in one place.
func isAuth0(issuer, tokenEndpoint string) bool {
	u, err := url.Parse(issuer)
	return err == nil && u.Path == "/" &&
		(u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".auth0.com") || tokenEndpoint == issuer+"oauth/token")
}

// atDiscovery is the error of a document that was not got.
func atDiscovery(err error) error { return fmt.Errorf("discovery: %w", failedRequest(err)) }

// failedRequest tells an issuer that did not answer from one whose answer cannot
// be used.
func failedRequest(err error) error {
	failed, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	switch failed.Kind {
	case fetch.FailedURL, fetch.FailedRedirect, fetch.FailedTooLarge:
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	case fetch.FailedStatus:
		if failed.Status/100 != 5 {
			return fmt.Errorf("%w: %w", ErrAnswer, err)
		}
	}
	return unavailable(err)
}
