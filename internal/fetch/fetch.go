// Package fetch asks for documents over HTTPS: within bounds of size and time,
// without following redirects, and only at addresses that are allowed. It must
// not know what is fetched.
package fetch

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	// RequestAtMost bounds one request, from the look-up of the name to the
	// last byte of the body.
	RequestAtMost = 5 * time.Second
	// MaxBody bounds a body in bytes, after decompression.
	MaxBody = 1 << 20
)

// Options are the operator's settings.
type Options struct {
	// Transport makes the requests. Nil means the client's own: proxies of the
	// environment, TLS 1.2 at least, and only addresses that are allowed.
	Transport http.RoundTripper
	// AllowInsecure admits http:// URLs, every address, and requests that do
	// not verify certificates.
	AllowInsecure bool
	// AllowNetworks admits addresses in these networks as if they were public.
	// A network of IPv4-mapped IPv6 addresses means the IPv4 network.
	AllowNetworks []netip.Prefix
	// RootCAs are trusted for servers' certificates; nil is the system's. The
	// client's own transport alone heeds them.
	RootCAs *x509.CertPool
}

// Client makes requests. Its methods may be called by any goroutine.
type Client struct {
	allowInsecure       bool
	verifying, trusting *http.Client
	own                 []*transport // none with a transport of the caller's
}

// New makes a client.
func New(opt Options) *Client {
	c := &Client{allowInsecure: opt.AllowInsecure}
	if opt.Transport != nil {
		c.verifying = withoutRedirects(opt.Transport)
		c.trusting = c.verifying
		return c
	}
	c.verifying = c.ownClient(opt, verify)
	c.trusting = c.verifying
	if opt.AllowInsecure {
		c.trusting = c.ownClient(opt, trustAnything)
	}
	return c
}

func (c *Client) ownClient(opt Options, certificates trust) *http.Client {
	t := newTransport(opt, certificates)
	c.own = append(c.own, t)
	return withoutRedirects(t)
}

func withoutRedirects(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // its status becomes FailedRedirect
		},
	}
}

// Close closes connections that no request uses.
func (c *Client) Close() {
	for _, t := range c.own {
		t.closeIdle()
	}
}

// Validators make a request conditional (RFC 9110 section 13.1). They are what
// an earlier answer said of itself; the zero value is none.
type Validators struct {
	ETag, LastModified string
}

// Request says what to ask for.
type Request struct {
	URL        string
	Accept     string // media type
	Known      Validators
	Unverified bool // certificates are not verified; works only with [Options].AllowInsecure
}

// Response is a whole answer.
type Response struct {
	// Status of [Client.Get] is 200, or 304 where the request was conditional;
	// every other one is an error. [Client.Post] says what it may be there.
	Status int
	Header http.Header
	Body   []byte // at most [MaxBody] bytes; empty with 304
}

// Validators are those to ask with next time.
func (r *Response) Validators() Validators {
	return Validators{ETag: r.Header.Get("ETag"), LastModified: r.Header.Get("Last-Modified")}
}

// Get makes a GET request. Its errors are always [*Error].
func (c *Client) Get(ctx context.Context, r Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestAtMost)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, r.URL, nil, map[string]string{
		"Accept": r.Accept, "If-None-Match": r.Known.ETag, "If-Modified-Since": r.Known.LastModified,
	})
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req, r.Unverified, func(status int) bool { return status == http.StatusOK })
	switch {
	case err != nil:
		return nil, err
	case resp.Status == http.StatusOK:
		return resp, nil
	case resp.Status == http.StatusNotModified && r.Known != Validators{}:
		return resp, nil
	case resp.Status/100 == 3:
		return nil, &Error{Kind: FailedRedirect, Status: resp.Status}
	}
	return nil, &Error{Kind: FailedStatus, Status: resp.Status}
}

// request makes a request with the headers that have a value.
func (c *Client) request(ctx context.Context, method, target string, body io.Reader, header map[string]string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil || !c.admits(req.URL) {
		return nil, &Error{Kind: FailedURL}
	}
	for name, value := range header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

func (c *Client) admits(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && c.allowInsecure)
}

// do makes a request, and reads the body where reads says so of the status.
func (c *Client) do(req *http.Request, unverified bool, reads func(status int) bool) (*Response, error) {
	client := c.verifying
	if unverified {
		client = c.trusting
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, failure(req.Context(), err)
	}
	defer resp.Body.Close()
	whole := &Response{Status: resp.StatusCode, Header: resp.Header}
	if !reads(resp.StatusCode) {
		return whole, nil
	}
	whole.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, failure(req.Context(), err)
	case len(whole.Body) > MaxBody:
		return nil, &Error{Kind: FailedTooLarge}
	}
	return whole, nil
}
