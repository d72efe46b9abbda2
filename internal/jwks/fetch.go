package jwks

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/discovery"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

const (
	fetchAtMost = 5 * time.Second // discovery and keys together

	atDiscovery = "discovery"
	atJWKS      = "jwks"
)

// Fetcher makes the requests; [fetch.Client] is one.
type Fetcher = discovery.Fetcher

// validators are those of the answer that a URL gave.
type validators struct {
	uri string
	fetch.Validators
}

// fetchSet asks for the keys once, discovery included.
func (p *Provider) fetchSet(ctx context.Context) (set *keySet, failed *fetchError) {
	// A panic over what an issuer wrote must not end the process.
	defer func() {
		if recover() != nil {
			set, failed = nil, &fetchError{kind: FailedMalformed, at: atJWKS}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, fetchAtMost)
	defer cancel()
	uri := p.source.JWKSURI
	if uri == "" {
		if uri, failed = p.discover(ctx); failed != nil {
			return nil, failed
		}
	}
	previous := p.set.Load()
	var known fetch.Validators
	if previous != nil && previous.validators.uri == uri {
		known = previous.validators.Validators
	}
	answer, err := p.get(ctx, uri, known)
	if err != nil {
		return nil, failedAt(atJWKS, err)
	}
	if answer.Status == http.StatusNotModified { // the same keys, as of now
		same := *previous
		if fresh := maxAge(answer.Header); fresh != nil {
			same.maxAge = fresh
		}
		return &same, nil
	}
	set, err = readSet(answer.Body)
	if err != nil {
		if !errors.As(err, &failed) {
			failed = &fetchError{kind: FailedMalformed, at: atJWKS}
		}
		return nil, failed
	}
	set.validators = validators{uri, answer.Validators()}
	set.maxAge = maxAge(answer.Header)
	return set, nil
}

func (p *Provider) get(ctx context.Context, uri string, known fetch.Validators) (*fetch.Response, error) {
	return p.registry.opt.Fetch.Get(ctx, fetch.Request{
		URL: uri, Accept: "application/json", Known: known, Unverified: !p.source.SSLVerify,
	})
}

// discover reads jwks_uri from the discovery document.
func (p *Provider) discover(ctx context.Context) (string, *fetchError) {
	document, err := discovery.Read(ctx, p.registry.opt.Fetch, discovery.Source{
		Issuer: p.source.Issuer, URL: p.source.DiscoveryURL, Unverified: !p.source.SSLVerify,
	})
	var uri string
	if err == nil {
		uri, err = document.URL("jwks_uri")
	}
	switch {
	case errors.Is(err, discovery.ErrMalformed):
		return "", &fetchError{kind: FailedMalformed, at: atDiscovery}
	case errors.Is(err, discovery.ErrIssuer):
		return "", &fetchError{kind: FailedIssuer, at: atDiscovery}
	case errors.Is(err, discovery.ErrURL):
		return "", &fetchError{kind: fetch.FailedURL, at: atDiscovery}
	case err != nil:
		return "", failedAt(atDiscovery, err)
	}
	return uri, nil
}

// maxAge is how long an answer stays fresh (RFC 9111 sections 4.2.1 and 4.2.3),
// nil if it does not say.
func maxAge(header http.Header) *time.Duration {
	var fresh *time.Duration
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-cache", "no-store":
			return new(time.Duration)
		case "max-age":
			if s, ok := seconds(strings.Trim(value, `"`)); ok && fresh == nil {
				fresh = &s
			}
		}
	}
	if age, ok := seconds(header.Get("Age")); ok && fresh != nil {
		*fresh -= age
	}
	return fresh
}

func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}
