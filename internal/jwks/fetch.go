package jwks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

const (
	fetchAtMost = 5 * time.Second
	maxBody     = 1 << 20 // bytes, after decompression
)

func (r *Registry) client(src Source) *http.Client {
	transport := r.opt.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !src.SSLVerify},
			TLSHandshakeTimeout:   fetchAtMost,
			ResponseHeaderTimeout: fetchAtMost,
			ForceAttemptHTTP2:     true,
			IdleConnTimeout:       time.Minute,
		}
	}
	return &http.Client{
		Transport: transport,
		Timeout:   fetchAtMost,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // and its status is not 200
		},
	}
}

func (p *Provider) fetch(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchAtMost)
	defer cancel()
	uri := p.source.JWKSURI
	if uri == "" {
		var err error
		if uri, err = p.discover(ctx); err != nil {
			return nil, err
		}
	}
	document, err := p.get(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	set, err := readSet(document)
	if err != nil {
		return nil, err
	}
	set.fetched = time.Now()
	return set, nil
}

// discover reads jwks_uri from the discovery document (OpenID Connect
// Discovery 1.0 section 4.3: its issuer must be ours, byte for byte).
func (p *Provider) discover(ctx context.Context) (string, error) {
	document, err := p.get(ctx, p.source.DiscoveryURL)
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	v, err := strictjson.Parse(document, strictjson.Options{})
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	members, _ := v.(map[string]any)
	if members["issuer"] != p.source.Issuer {
		return "", errors.New("discovery: the document is another issuer's")
	}
	uri, _ := members["jwks_uri"].(string)
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !p.registry.opt.AllowInsecure) {
		return "", errors.New("discovery: jwks_uri is not an https URL")
	}
	return uri, nil
}

func (p *Provider) get(ctx context.Context, uri string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cut short: %w", err)
	case len(body) > maxBody:
		return nil, errors.New("longer than 1 MiB")
	}
	return body, nil
}
