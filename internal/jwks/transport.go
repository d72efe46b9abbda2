package jwks

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const connectAtMost = 3 * time.Second

var errForbiddenAddress = errors.New("the address is not public")

// carriers is 100.64.0.0/10, carriers' own addresses (RFC 6598), which netip
// does not count as private.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// client is for the requests of one source. The caller holds the registry's mu.
func (r *Registry) client(src Source) *http.Client {
	transport := r.opt.Transport
	if transport == nil {
		own := r.own[src.SSLVerify]
		if own == nil {
			own = newOwnTransport(src.SSLVerify, r.opt)
			r.own[src.SSLVerify] = own
		}
		transport = own
	}
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // and its status is not 200
		},
	}
}

// ownTransport goes through the environment's proxy where there is one for the
// URL. Otherwise it dials, and looks at the address after the name was
// resolved, so that a name cannot lead it into the network it stands in.
type ownTransport struct {
	proxy           func(*http.Request) (*url.URL, error)
	direct, proxied *http.Transport
}

func newOwnTransport(verify bool, opt Options) *ownTransport {
	dialer := &net.Dialer{Timeout: connectAtMost}
	if !opt.AllowInsecure {
		dialer.Control = publicOnly
	}
	direct := &http.Transport{
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            opt.RootCAs,
			InsecureSkipVerify: !verify && opt.AllowInsecure,
		},
		TLSHandshakeTimeout:    connectAtMost,
		ResponseHeaderTimeout:  fetchAtMost,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        time.Minute,
	}
	proxied := direct.Clone()
	proxied.DialContext = (&net.Dialer{Timeout: connectAtMost}).DialContext
	proxied.Proxy = http.ProxyFromEnvironment
	return &ownTransport{proxy: http.ProxyFromEnvironment, direct: direct, proxied: proxied}
}

// RoundTrip implements http.RoundTripper.
func (t *ownTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(r)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		return t.proxied.RoundTrip(r)
	}
	return t.direct.RoundTrip(r)
}

func (t *ownTransport) closeIdle() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}

func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errForbiddenAddress
	}
	if ip := at.Addr().Unmap(); !ip.IsGlobalUnicast() || ip.IsPrivate() || carriers.Contains(ip) {
		return errForbiddenAddress
	}
	return nil
}
