package fetch

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const connectAtMost = 3 * time.Second

// trust is whether a transport verifies certificates.
type trust int

const (
	verify trust = iota
	trustAnything
)

// transport goes through the environment's proxy where there is one for the
// URL. The proxy resolves the name then, and its own address may be a private
// one, so that there is no address to judge. Otherwise it dials itself, and the
// guard looks at the address.
type transport struct {
	proxy           func(*http.Request) (*url.URL, error)
	direct, proxied *http.Transport
}

func newTransport(opt Options, certificates trust) *transport {
	dialer := &net.Dialer{Timeout: connectAtMost}
	if !opt.AllowInsecure {
		dialer.Control = NewGuard(opt.AllowNetworks).control
	}
	direct := &http.Transport{
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            opt.RootCAs,
			InsecureSkipVerify: certificates == trustAnything,
		},
		TLSHandshakeTimeout:    connectAtMost,
		ResponseHeaderTimeout:  RequestAtMost,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        time.Minute,
	}
	proxied := direct.Clone()
	proxied.DialContext = (&net.Dialer{Timeout: connectAtMost}).DialContext
	proxied.Proxy = http.ProxyFromEnvironment
	return &transport{proxy: http.ProxyFromEnvironment, direct: direct, proxied: proxied}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(r)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		return t.proxied.RoundTrip(r)
	}
	return t.direct.RoundTrip(r)
}

func (t *transport) closeIdle() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}
