package browsertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// front ends the TLS of every host, as a load balancer does. __Host- cookies and
// Secure are worth nothing without it.
type front struct {
	server http.Server
	listen net.Listener
	served chan struct{}

	mu    sync.Mutex
	hosts map[string]http.Handler
	rest  http.Handler
}

// startFront sends the requests of each host to its base URL, and all others to
// rest.
func startFront(hosts map[string]string, rest string) (*front, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	f := &front{hosts: map[string]http.Handler{}, served: make(chan struct{})}
	for host, to := range hosts {
		if f.hosts[host], err = forward(to); err != nil {
			return nil, err
		}
	}
	if f.rest, err = forward(rest); err != nil {
		return nil, err
	}
	if f.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	f.server = http.Server{
		Handler: f, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: hang, ErrorLog: log.New(io.Discard, "", 0), // browsers drop connections
	}
	go func() {
		defer close(f.served)
		_ = f.server.ServeTLS(f.listen, "", "") // ends at close
	}()
	return f, nil
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	handler := f.hosts[r.Host]
	f.mu.Unlock()
	if handler == nil {
		handler = f.rest
	}
	handler.ServeHTTP(w, r)
}

// serve answers a host by a page of a test's own.
func (f *front) serve(host, html string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[host] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, html)
	})
}

func (f *front) address() string { return f.listen.Addr().String() }

func (f *front) close() error {
	err := f.server.Close()
	<-f.served
	return err
}

func forward(to string) (http.Handler, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0), // a browser that went away
	}, nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
