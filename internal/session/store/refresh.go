package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	// successorFor is how long what a refresh brought is there for whoever comes
	// late with the session before it.
	successorFor = time.Minute
	// knownAtMost bounds what is remembered of refreshes, in bytes.
	knownAtMost = 16 << 20
)

// errAborted is a refresh whose function did not return.
var errAborted = errors.New("the refresh did not end")

// flightKey names a refresh: of one session by one refresh token. Without token
// it is the session's end.
type flightKey struct {
	binding [32]byte
	session [16]byte
	token   [32]byte
}

// flight is a refresh under way. What stands after done is written before it is
// closed.
type flight struct {
	done     chan struct{}
	session  *session.Session
	err      error
	panicked any
}

// outcome is what became of a session: its successor, or nil where it was
// deleted.
type outcome struct {
	successor *session.Session
	until     time.Time
}

// refreshes are those of all stores of the process.
type refreshes struct {
	mu      sync.Mutex
	running map[flightKey]*flight
	known   map[flightKey]outcome
	order   []dated // of known, the oldest first
	bytes   int
}

type dated struct {
	key   flightKey
	until time.Time
	bytes int
}

// Refresh implements [login.Sessions]. It is [login.ErrInvalidGrant] for a session
// that was deleted, before the refresh or while it was under way. Every caller
// waits no longer than its own context lives, and that ends the wait of no other;
// the refresh has up to 10 s of its own. A failure is shared by those that waited
// for it and not remembered.
//
// With a Redis nothing is refreshed while it is away: the error is
// [ErrUnavailable]. If it goes away during a refresh, the callers here get the
// successor and other processes keep away until the lease has ended.
func (b *base) Refresh(ctx context.Context, s *session.Session, now time.Time, refresh func(context.Context) (*session.Session, error)) (*session.Session, error) {
	key := flightKey{b.binding, s.ID, sha256.Sum256([]byte(s.RefreshToken))}
	all := &b.memory.refreshes
	all.mu.Lock()
	if o, there := all.recall(key, now); there {
		all.mu.Unlock()
		return o.result()
	}
	f := all.running[key]
	if f == nil {
		f = &flight{done: make(chan struct{}), err: errAborted}
		all.running[key] = f
		go b.fly(context.WithoutCancel(ctx), key, f, now, refresh)
	}
	all.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if f.panicked != nil {
		panic(f.panicked) // in the request's goroutine, where panics are caught and counted
	}
	return f.session, f.err
}

// fly refreshes and gives the outcome to whoever waits.
func (b *base) fly(ctx context.Context, key flightKey, f *flight, now time.Time, refresh func(context.Context) (*session.Session, error)) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, b.limits.refresh)
	defer cancel()
	defer func() {
		f.panicked = recover()
		b.memory.refreshes.land(key, f, now.Add(time.Since(began)))
	}()
	if b.lease == nil {
		f.session, f.err = refresh(ctx)
	} else {
		f.session, f.err = b.lease.once(ctx, key, now, refresh)
	}
	if f.session == nil && f.err == nil {
		f.err = errAborted
	}
}

func (o outcome) result() (*session.Session, error) {
	if o.successor == nil {
		return nil, login.ErrInvalidGrant
	}
	return o.successor, nil
}

// land ends a flight.
func (r *refreshes) land(key flightKey, f *flight, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(f.done)
	delete(r.running, key)
	if o, there := r.recall(key, now); there { // deleted meanwhile
		f.session, f.err = o.result()
	} else if f.err == nil {
		r.remember(key, outcome{f.session, now.Add(successorFor)})
	}
}

// end notes that a session was deleted, so that no refresh brings it back. What
// was noted a moment ago stays as it is: a cookie that ended may come as often as
// its holder likes, and must not fill the room of others' successors.
func (r *refreshes) end(key flightKey, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, there := r.known[key]; there && now.Add(successorFor/2).Before(o.until) {
		return
	}
	r.remember(key, outcome{nil, now.Add(successorFor)})
}

// recall is what became of a session. The caller holds the lock.
func (r *refreshes) recall(key flightKey, now time.Time) (outcome, bool) {
	if o, there := r.known[flightKey{binding: key.binding, session: key.session}]; there && now.Before(o.until) {
		return o, true
	}
	o, there := r.known[key]
	return o, there && now.Before(o.until)
}

// remember drops what is too old, and the oldest where there is no room: all are
// kept for the same time. The caller holds the lock.
func (r *refreshes) remember(key flightKey, o outcome) {
	entry := dated{key, o.until, seenOverhead + size(o.successor)}
	r.known[key] = o
	r.order = append(r.order, entry)
	r.bytes += entry.bytes
	for len(r.order) > 1 && (r.bytes > knownAtMost || !o.until.Add(-successorFor).Before(r.order[0].until)) {
		oldest := r.order[0]
		r.order = r.order[1:]
		r.bytes -= oldest.bytes
		if r.known[oldest.key].until.Equal(oldest.until) { // not remembered again since
			delete(r.known, oldest.key)
		}
	}
}
