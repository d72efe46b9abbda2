// Package jwks holds issuers' verification keys: it finds, fetches and
// refreshes them, and keeps the last good ones. It must not know tokens'
// claims.
package jwks

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"
	"weak"
)

const defaultStale = 24 * time.Hour

// Options are the operator's settings.
type Options struct {
	// Transport makes the requests. Nil means the registry's own: proxies of
	// the environment, TLS 1.2 at least, no private addresses.
	Transport http.RoundTripper
	// AllowInsecure admits a http:// jwks_uri from discovery, private and
	// loopback addresses, and sources without SSLVerify.
	AllowInsecure bool
	// MaxStale is how long keys stay in use after the last good fetch; 0
	// means 24 h.
	MaxStale time.Duration
	// RootCAs are trusted for issuers' certificates; nil is the system's. The
	// registry's own transport alone heeds them.
	RootCAs *x509.CertPool
	// Logger gets one line for each change between healthy and failing; nil
	// means slog.Default.
	Logger *slog.Logger
}

// Registry shares providers between routes. Its methods may be called by any
// goroutine.
type Registry struct {
	opt        Options
	ctx        context.Context
	cancel     context.CancelFunc
	goroutines sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	providers map[Source]weak.Pointer[Provider] // of whoever still holds one
	own       map[bool]*ownTransport            // by whether it verifies certificates
}

// NewRegistry makes an empty registry.
func NewRegistry(opt Options) *Registry {
	if opt.MaxStale <= 0 {
		opt.MaxStale = defaultStale
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Registry{
		opt: opt, ctx: ctx, cancel: cancel,
		providers: map[Source]weak.Pointer[Provider]{}, own: map[bool]*ownTransport{},
	}
}

// Provider is the provider of a source. A new one starts its first fetch in the
// background; the call itself does no I/O. A provider that nobody holds any
// more is let go after an hour.
func (r *Registry) Provider(src Source) *Provider {
	p := r.shared(src)
	p.touch(time.Now())
	return p
}

func (r *Registry) shared(src Source) *Provider {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.providers[src].Value(); p != nil {
		return p
	}
	p := &Provider{source: src, registry: r, client: r.client(src), kick: make(chan struct{}, 1)}
	p.asleep.Store(true)
	r.providers[src] = weak.Make(p)
	runtime.AddCleanup(p, r.forget, src)
	return p
}

// Statuses are the states of all providers in use, by issuer.
func (r *Registry) Statuses() []Status {
	r.mu.Lock()
	var awake []*Provider
	for _, held := range r.providers {
		if p := held.Value(); p != nil && !p.asleep.Load() {
			awake = append(awake, p)
		}
	}
	r.mu.Unlock()
	statuses := make([]Status, len(awake))
	for i, p := range awake {
		statuses[i] = p.Status()
	}
	slices.SortFunc(statuses, func(a, b Status) int { return cmp.Compare(a.Issuer, b.Issuer) })
	return statuses
}

// forget drops a source whose provider is gone, unless it has a new one.
func (r *Registry) forget(src Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.providers[src].Value() == nil {
		delete(r.providers, src)
	}
}

// start runs a provider's goroutine, unless the registry is closed.
func (r *Registry) start(run func(context.Context)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.goroutines.Go(func() { run(r.ctx) })
	return true
}

// Close ends the fetches under way and waits for that; there are no more
// afterwards. Providers go on with the keys at hand until those are too old.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.goroutines.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, transport := range r.own {
		transport.closeIdle()
	}
}
