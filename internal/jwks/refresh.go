package jwks

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// When the keys are fetched again.
const (
	refreshEvery = 10 * time.Minute
	refreshLeast = time.Minute // bounds of what Cache-Control may ask for
	refreshMost  = 24 * time.Hour
	retryFirst   = time.Second
	retryLast    = time.Minute
)

// asking is one fetch of the keys, shared by all who wait for it.
type asking struct {
	number uint64
	first  bool // since the provider woke
	asked  time.Time
	done   chan struct{} // closed at its end
}

// begin asks the provider's goroutine for a fetch. The caller holds mu.
func (p *Provider) begin(now time.Time, first bool) *asking {
	p.begun++
	p.fetching = &asking{number: p.begun, first: first, asked: now, done: make(chan struct{})}
	select {
	case p.kick <- struct{}{}:
	default:
	}
	return p.fetching
}

// run is the provider's only goroutine. It ends when the provider was not used
// for an hour, or with the registry.
func (p *Provider) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(p.untilNext(time.Now()))
		select {
		case <-ctx.Done():
			p.stop()
			return
		case <-p.kick:
		case <-timer.C:
		}
		f, asleep := p.next(time.Now())
		if asleep {
			return
		}
		if f != nil {
			set, err := p.fetchSet(ctx)
			p.ended(ctx, f, set, err)
		}
	}
}

func (p *Provider) untilNext(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := time.Unix(0, p.used.Load()).Add(idleAfter)
	return max(0, min(p.due.Sub(now), idle.Sub(now)))
}

// next is the fetch to make now, if any, and whether it is time to sleep.
func (p *Provider) next(now time.Time) (f *asking, asleep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fetching != nil:
		return p.fetching, false
	case p.idle(now):
		return nil, true
	case now.Before(p.due):
		return nil, false
	}
	return p.begin(now, false), false
}

// idle lets the provider sleep if it is unused. The caller holds mu.
func (p *Provider) idle(now time.Time) bool {
	unused := func() bool { return now.UnixNano()-p.used.Load() >= int64(idleAfter) }
	if !unused() {
		return false
	}
	// touch stores used before it loads asleep: whoever comes now either
	// sees asleep, or is seen here.
	p.asleep.Store(true)
	if !unused() {
		p.asleep.Store(false)
		return false
	}
	return true
}

func (p *Provider) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.fetching != nil {
		close(p.fetching.done)
		p.fetching = nil
	}
}

// ended takes the outcome of a fetch: good keys replace the present ones, a
// failure never does.
func (p *Provider) ended(ctx context.Context, f *asking, set *keySet, err *fetchError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(f.done)
	p.fetching = nil
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	log := p.registry.opt.Logger.With(slog.String("issuer", p.source.Issuer))
	if err != nil {
		p.failures++
		pause := backoff(p.failures)
		p.due, p.failed = now.Add(pause), err.kind
		if meanwhile := p.meanwhile(now); p.failures == 1 || meanwhile != p.warned {
			p.warned = meanwhile
			log.LogAttrs(ctx, slog.LevelWarn, "the issuer's keys could not be fetched; "+meanwhile, err.attrs(pause)...)
		}
		return
	}
	if p.failures > 0 {
		log.Info("the issuer's keys were fetched again", "failures", p.failures)
	}
	p.failures, p.failed = 0, ""
	set.fetched = now
	p.due = now.Add(min(set.refreshIn(), max(p.registry.opt.MaxStale/2, time.Second)))
	set.generation = 1
	if previous := p.set.Load(); previous != nil {
		set.generation = previous.generation
		if previous.fingerprint != set.fingerprint {
			set.generation++
		}
	}
	p.set.Store(set)
	p.unknown.answered(f.number, now)
}

// meanwhile says what a failed fetch means for requests.
func (p *Provider) meanwhile(now time.Time) string {
	switch {
	case p.set.Load() == nil:
		return "there are none, so its tokens are answered with 503"
	case p.usable(now) == nil:
		return "the last good ones are older than --max-stale, so its tokens are answered with 503"
	}
	return "the last good keys stay in use"
}

// refreshIn is how long the set may go without a refresh.
func (s *keySet) refreshIn() time.Duration {
	if s.maxAge == nil {
		return jitter(refreshEvery)
	}
	return min(max(*s.maxAge, refreshLeast), refreshMost)
}

// backoff is the pause after that many failures in a row.
func backoff(failures int) time.Duration {
	pause := jitter(retryFirst << min(failures-1, 6))
	return min(max(pause, retryFirst), retryLast)
}

// jitter is d and up to a tenth more or less, so that runners that started
// together do not ask together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
