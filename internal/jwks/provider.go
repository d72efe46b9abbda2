package jwks

import (
	"context"
	"crypto"
	"sync"
	"sync/atomic"
	"time"
)

const (
	waitAtMost = 2 * time.Second // how long a request may wait for a fetch
	idleAfter  = time.Hour       // without use, a provider's goroutine ends
)

// Source is where an issuer's keys come from. Equal sources share a provider.
type Source struct {
	Issuer       string // the discovery document's issuer must equal it
	DiscoveryURL string // not asked where JWKSURI is set
	JWKSURI      string
	SSLVerify    bool // false works only where the [Fetcher] admits it
}

// Key is a key that fits a token's header.
type Key struct {
	Public     crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	Generation uint64           // of the key set it came from; grows when the set changes
}

// Provider finds the keys of one issuer. Its methods may be called by any
// goroutine.
type Provider struct {
	source   Source
	registry *Registry // nil for keys of the configuration

	set    atomic.Pointer[keySet] // the last good keys; replaced, never changed
	used   atomic.Int64           // when Key was called last, Unix ns
	asleep atomic.Bool            // no goroutine; changed under mu
	kick   chan struct{}          // a fetch was asked for

	mu       sync.Mutex
	stopped  bool    // the registry was closed
	fetching *asking // asked for or under way
	begun    uint64  // fetches so far
	failures int     // since the last success
	failed   string  // kind of the last failure
	warned   string  // what the log said last of a failure
	due      time.Time
	unknown  unknownKids
}

// Static makes a provider of the keys in a JWKS document (RFC 7517 section 5).
// It needs no network. A document without a usable key is an error.
func Static(document []byte) (*Provider, error) {
	set, err := readSet(document)
	if err != nil {
		return nil, err
	}
	set.generation = 1
	p := &Provider{}
	p.set.Store(set)
	return p, nil
}

// Key finds the key for a token's header: by kid where there is one, and
// otherwise the only key that fits alg. Its errors are [ErrUnavailable] (always
// an [*UnavailableError]) and [ErrUnknownKey]. It waits at most 2 s, and only
// for the first fetch or for one that may bring an unknown kid.
func (p *Provider) Key(ctx context.Context, kid string, hasKid bool, alg string) (Key, error) {
	if p.registry == nil {
		return p.set.Load().find(kid, hasKid, alg)
	}
	now := time.Now()
	p.touch(now)
	set := p.usable(now)
	if set == nil {
		wait(ctx, p.firstFetch(), now.Add(waitAtMost))
		now = time.Now()
		if set = p.usable(now); set == nil {
			return Key{}, p.unavailable(now)
		}
	}
	key, err := set.find(kid, hasKid, alg)
	if err == nil || !hasKid || set.has(kid) {
		return key, err
	}
	// Counting from the fetch's start, so that an issuer that hangs does not
	// hold each request that a flood sends at it.
	if f := p.askFor(kid, now); f != nil && wait(ctx, f, f.asked.Add(waitAtMost)) {
		return p.set.Load().find(kid, hasKid, alg)
	}
	return Key{}, ErrUnknownKey
}

// Generation is that of the present keys; false where there are none, or they
// are too old by now. Asking counts as a use and never waits: whoever remembers that
// a key verified something asks whether that still holds.
func (p *Provider) Generation(now time.Time) (uint64, bool) {
	if p.registry == nil {
		return p.set.Load().generation, true
	}
	p.touch(now)
	set := p.usable(now)
	if set == nil {
		return 0, false
	}
	return set.generation, true
}

// usable is the present key set, nil where there is none or it is too old.
func (p *Provider) usable(now time.Time) *keySet {
	set := p.set.Load()
	if set == nil || p.registry != nil && now.Sub(set.fetched) > p.registry.opt.MaxStale {
		return nil
	}
	return set
}

// touch notes a use, and wakes a provider that sleeps.
func (p *Provider) touch(now time.Time) {
	// Once a second is enough, and spares the processors a shared write.
	if now.UnixNano()-p.used.Load() > int64(time.Second) {
		p.used.Store(now.UnixNano())
	}
	if p.asleep.Load() {
		p.wake(now)
	}
}

func (p *Provider) wake(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asleep.Load() {
		return
	}
	p.asleep.Store(false)
	if !p.registry.start(p.run) {
		p.stopped = true
		return
	}
	if p.usable(now) == nil || !now.Before(p.due) {
		p.begin(now, true)
	}
}

// firstFetch is the fetch under way that a request without keys waits for: the
// first one since the provider woke. Later ones follow a failure, and waiting
// for an issuer that fails would pile requests up.
func (p *Provider) firstFetch() *asking {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetching == nil || !p.fetching.first {
		return nil
	}
	return p.fetching
}

// askFor is the fetch that may bring an unknown kid, nil if none may be
// started and none is under way.
func (p *Provider) askFor(kid string, now time.Time) *asking {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unknown.seen(kid, p.begun, now) {
		return nil
	}
	if p.fetching != nil {
		return p.fetching
	}
	backingOff := p.failures > 0 && now.Before(p.due)
	if p.stopped || p.asleep.Load() || backingOff || !p.unknown.mayAsk(now) {
		return nil
	}
	return p.begin(now, false)
}

// unavailable says that there are no usable keys, why, and how long to wait.
func (p *Provider) unavailable(now time.Time) *UnavailableError {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &UnavailableError{RetryAfter: max(time.Second, p.due.Sub(now)), Last: p.failed}
}

// wait waits for a fetch until a deadline and reports whether it ended.
func wait(ctx context.Context, f *asking, until time.Time) bool {
	if f == nil {
		return false
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
