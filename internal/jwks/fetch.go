package jwks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

const (
	fetchAtMost = 5 * time.Second // discovery and keys together
	maxBody     = 1 << 20         // bytes, after decompression

	atDiscovery = "discovery"
	atJWKS      = "jwks"
)

// validators make a request conditional (RFC 9110 section 13.1).
type validators struct {
	uri, etag, lastModified string
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
	var known validators
	if previous != nil && previous.validators.uri == uri {
		known = previous.validators
	}
	header, document, failed := p.get(ctx, uri, known)
	if failed != nil {
		failed.at = atJWKS
		return nil, failed
	}
	if document == nil { // 304: the same keys, as of now
		same := *previous
		if fresh := maxAge(header); fresh != nil {
			same.maxAge = fresh
		}
		return &same, nil
	}
	set, err := readSet(document)
	if err != nil {
		if !errors.As(err, &failed) {
			failed = &fetchError{kind: FailedMalformed, at: atJWKS}
		}
		return nil, failed
	}
	set.validators = validators{uri, header.Get("ETag"), header.Get("Last-Modified")}
	set.maxAge = maxAge(header)
	return set, nil
}

// discover reads jwks_uri from the discovery document (OpenID Connect
// Discovery 1.0 section 4.3: its issuer must be ours, byte for byte).
func (p *Provider) discover(ctx context.Context) (string, *fetchError) {
	_, document, failed := p.get(ctx, p.source.DiscoveryURL, validators{})
	if failed != nil {
		failed.at = atDiscovery
		return "", failed
	}
	v, err := strictjson.Parse(document, strictjson.Options{})
	members, ok := v.(map[string]any)
	if err != nil || !ok {
		return "", &fetchError{kind: FailedMalformed, at: atDiscovery}
	}
	if members["issuer"] != p.source.Issuer {
		return "", &fetchError{kind: FailedIssuer, at: atDiscovery}
	}
	uri, _ := members["jwks_uri"].(string)
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !p.registry.opt.AllowInsecure) {
		return "", &fetchError{kind: FailedURL, at: atDiscovery}
	}
	return uri, nil
}

// get asks for one document. It is nil after 304, which comes only where the
// request was conditional.
func (p *Provider) get(ctx context.Context, uri string, known validators) (http.Header, []byte, *fetchError) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, nil, &fetchError{kind: FailedURL}
	}
	req.Header.Set("Accept", "application/json")
	conditional := known.etag != "" || known.lastModified != ""
	if known.etag != "" {
		req.Header.Set("If-None-Match", known.etag)
	}
	if known.lastModified != "" {
		req.Header.Set("If-Modified-Since", known.lastModified)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, nil, &fetchError{kind: kindOf(ctx, err)}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusNotModified && conditional:
		return resp.Header, nil, nil
	case resp.StatusCode/100 == 3:
		return nil, nil, &fetchError{kind: FailedRedirect, status: resp.StatusCode}
	default:
		return nil, nil, &fetchError{kind: FailedStatus, status: resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, &fetchError{kind: kindOf(ctx, err)}
	case len(body) > maxBody:
		return nil, nil, &fetchError{kind: FailedTooLarge}
	}
	return resp.Header, body, nil
}

func kindOf(ctx context.Context, err error) string {
	certificate := (*tls.CertificateVerificationError)(nil)
	unknown, hostname, invalid := x509.UnknownAuthorityError{}, x509.HostnameError{}, x509.CertificateInvalidError{}
	record, alert := tls.RecordHeaderError{}, tls.AlertError(0)
	timeout, isTimeout := interface{ Timeout() bool }(nil), false
	if errors.As(err, &timeout) {
		isTimeout = timeout.Timeout()
	}
	switch {
	case errors.Is(err, errForbiddenAddress):
		return FailedAddress
	case ctx.Err() != nil || isTimeout:
		return FailedTimeout
	case errors.As(err, &certificate), errors.As(err, &unknown), errors.As(err, &hostname),
		errors.As(err, &invalid), errors.As(err, &record), errors.As(err, &alert):
		return FailedTLS
	}
	return FailedConnection
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
