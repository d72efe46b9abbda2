// Package jwks holds issuers' verification keys: it finds, fetches and
// refreshes them, and keeps the last good ones. It must not know tokens'
// claims.
package jwks

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// How long things may take or stay.
const (
	refreshEvery = 10 * time.Minute
	waitAtMost   = 2 * time.Second
	unknownEvery = 10 * time.Second
	retryFirst   = time.Second
	retryLast    = time.Minute
	defaultStale = 24 * time.Hour
)

// The errors of [Provider.Key].
var (
	// ErrUnavailable means that no usable keys are at hand.
	ErrUnavailable = errors.New("the issuer's keys are not available")
	// ErrUnknownKey means that no key of the issuer fits the token's header.
	ErrUnknownKey = errors.New("no key of the issuer fits")
)

// UnavailableError is an [ErrUnavailable] that says when to try again.
type UnavailableError struct{ RetryAfter time.Duration }

func (e *UnavailableError) Error() string { return ErrUnavailable.Error() }
func (e *UnavailableError) Unwrap() error { return ErrUnavailable }

// Source is where an issuer's keys come from. Equal sources share a provider.
type Source struct {
	Issuer       string
	DiscoveryURL string // not asked where JWKSURI is set
	JWKSURI      string
	SSLVerify    bool
}

// Options are the operator's settings.
type Options struct {
	Transport     http.RoundTripper // nil: one of the registry's own
	AllowInsecure bool              // admit an http:// jwks_uri from discovery
	MaxStale      time.Duration     // 0: 24 h
	Logger        *slog.Logger      // nil: slog.Default
}

// Registry shares providers between routes.
type Registry struct {
	opt       Options
	ctx       context.Context
	cancel    context.CancelFunc
	mu        sync.Mutex
	providers map[Source]*Provider
}

// NewRegistry makes an empty registry.
func NewRegistry(opt Options) *Registry {
	if opt.MaxStale == 0 {
		opt.MaxStale = defaultStale
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Registry{opt: opt, ctx: ctx, cancel: cancel, providers: map[Source]*Provider{}}
}

// Close ends the fetches under way and starts no more.
func (r *Registry) Close() { r.cancel() }

// Provider is the provider of a source; a new one starts its first fetch in
// the background. It does no I/O itself.
func (r *Registry) Provider(src Source) *Provider {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.providers[src]
	if p == nil {
		p = &Provider{source: src, registry: r, client: r.client(src)}
		r.providers[src] = p
		p.refresh()
	}
	return p
}

// Key is a key that fits a token's header.
type Key struct {
	Public     crypto.PublicKey
	Generation uint64 // of the key set it came from
}

// Provider finds the keys of one issuer.
type Provider struct {
	source   Source
	registry *Registry // nil for keys of the configuration
	client   *http.Client
	set      atomic.Pointer[keySet]

	mu       sync.Mutex
	fetching chan struct{} // closed when the fetch under way ends; nil: none
	failures int
	nextTry  time.Time // after a failure
	asked    time.Time // the last fetch for an unknown kid
}

// Static makes a provider of the keys in a JWKS document; it needs no network.
func Static(document []byte) (*Provider, error) {
	set, err := readSet(document)
	if err != nil {
		return nil, err
	}
	p := &Provider{}
	p.set.Store(set)
	return p, nil
}

// Key finds the key for a token's header: by kid where there is one, and
// otherwise the only key that fits alg. It waits at most 2 s, for the very
// first fetch and for one that may bring an unknown kid.
func (p *Provider) Key(ctx context.Context, kid string, hasKid bool, alg string) (Key, error) {
	set := p.usable()
	if set == nil {
		p.wait(ctx, p.refresh())
		if set = p.usable(); set == nil {
			return Key{}, &UnavailableError{RetryAfter: p.retryAfter()}
		}
	}
	key, err := set.find(kid, hasKid, alg)
	if p.registry == nil {
		return key, err
	}
	if time.Since(set.fetched) > refreshEvery {
		p.refresh()
	}
	if err != nil && hasKid && !set.has(kid) {
		if p.wait(ctx, p.refreshUnknown()) {
			return p.set.Load().find(kid, hasKid, alg)
		}
	}
	return key, err
}

// usable is the key set at hand, nil where there is none or it is too old.
func (p *Provider) usable() *keySet {
	set := p.set.Load()
	if set == nil || p.registry != nil && time.Since(set.fetched) > p.registry.opt.MaxStale {
		return nil
	}
	return set
}

// wait waits for a fetch and tells whether it ended in time.
func (p *Provider) wait(ctx context.Context, done <-chan struct{}) bool {
	if done == nil {
		return false
	}
	timer := time.NewTimer(waitAtMost)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// refresh starts a fetch unless one is under way or a failure was just now,
// and gives the channel that its end closes.
func (p *Provider) refresh() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start()
}

// refreshUnknown is refresh for a kid nobody knows: one in ten seconds.
func (p *Provider) refreshUnknown() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetching == nil && time.Since(p.asked) < unknownEvery {
		return nil
	}
	if p.fetching == nil {
		p.asked = time.Now()
	}
	return p.start()
}

func (p *Provider) start() <-chan struct{} {
	if p.fetching != nil {
		return p.fetching
	}
	if time.Now().Before(p.nextTry) || p.registry.ctx.Err() != nil {
		return nil
	}
	done := make(chan struct{})
	p.fetching = done
	go func() {
		set, err := p.fetch(p.registry.ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended(set, err)
		p.fetching = nil
		close(done)
	}()
	return done
}

func (p *Provider) ended(set *keySet, err error) {
	log := p.registry.opt.Logger.With("issuer", p.source.Issuer)
	if err != nil {
		p.failures++
		pause := min(retryFirst<<min(p.failures-1, 6), retryLast)
		p.nextTry = time.Now().Add(pause)
		if p.failures == 1 {
			log.Warn("the issuer's keys could not be fetched; the last good ones stay in use", "error", err.Error())
		}
		return
	}
	if p.failures > 0 {
		log.Info("the issuer's keys were fetched again")
	}
	p.failures, p.nextTry = 0, time.Time{}
	if previous := p.set.Load(); previous != nil {
		set.generation = previous.generation + 1
	}
	p.set.Store(set)
}

func (p *Provider) retryAfter() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(time.Second, time.Until(p.nextTry))
}
