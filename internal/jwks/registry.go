// Package jwks holds issuers' verification keys: it finds, fetches and
// refreshes them, and keeps the last good ones. It must not know tokens'
// claims.
package jwks

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"
	"weak"
)

const defaultStale = 24 * time.Hour

// Options are the operator's settings.
type Options struct {
	// Fetch makes the requests; there is no default.
	Fetch Fetcher
	// MaxStale is how long keys stay in use after the last good fetch; 0
	// means 24 h.
	MaxStale time.Duration
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
		providers: map[Source]weak.Pointer[Provider]{},
	}
}

// Provider is the provider of a source. A new one starts its first fetch in the
// background; the call itself does no I/O. The registry drops a provider
// that nobody has held for an hour.
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
	p := &Provider{source: src, registry: r, kick: make(chan struct{}, 1)}
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
// afterwards. Providers keep using the keys that they have until those are too old.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.goroutines.Wait()
}
