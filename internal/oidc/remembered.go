package oidc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// When discovery is read again, on use.
const (
	refreshEvery = 10 * time.Minute
	retryAfter   = time.Second
)

var (
	errClosed = errors.New("the runner is stopping")
	errPanic  = errors.New("reading it panicked")
)

// remembered keeps the last good metadata. Nobody waits but for the first.
type remembered struct {
	read func(context.Context) (*metadata, error)
	now  func() time.Time
	log  *slog.Logger

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	last     *metadata
	failed   error     // of the last attempt; nil after a good one
	due      time.Time // nothing is read before
	underWay *reading
}

// reading is one read, shared by all who wait for it. Its results are there when
// done is closed.
type reading struct {
	done     chan struct{}
	metadata *metadata
	err      error
}

func newRemembered(read func(context.Context) (*metadata, error), now func() time.Time, log *slog.Logger) *remembered {
	r := &remembered{read: read, now: now, log: log}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *remembered) get(ctx context.Context) (*metadata, error) {
	last, underWay, failed := r.look()
	switch {
	case last != nil:
		return last, nil
	case underWay == nil:
		return nil, failed
	}
	select {
	case <-underWay.done:
		return underWay.metadata, underWay.err
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

// look is what is remembered, and starts a read where that is due.
func (r *remembered) look() (last *metadata, underWay *reading, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); r.underWay == nil && !now.Before(r.due) {
		if r.closed {
			return r.last, nil, unavailable(errClosed)
		}
		r.underWay = &reading{done: make(chan struct{})}
		r.running.Go(r.run)
	}
	return r.last, r.underWay, r.failed
}

func (r *remembered) run() {
	ctx, cancel := context.WithTimeout(r.ctx, atMost)
	defer cancel()
	m, err := r.safely(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.failed == nil && !r.closed {
			r.log.Warn("the issuer's discovery document could not be read; "+r.meanwhile(), "error", err.Error())
		}
		r.failed, r.due = err, r.now().Add(retryAfter)
	} else {
		if r.failed != nil {
			r.log.Info("the issuer's discovery document was read again")
		}
		r.last, r.failed, r.due = m, nil, r.now().Add(refreshEvery)
	}
	r.underWay.metadata, r.underWay.err = m, err
	close(r.underWay.done)
	r.underWay = nil
}

// meanwhile says what a failed read means for logins. The caller holds mu.
func (r *remembered) meanwhile() string {
	if r.last == nil {
		return "there is none, so nobody can log in"
	}
	return "the last good one stays in use"
}

// safely reads. A panic over what an issuer wrote must not end the process.
func (r *remembered) safely(ctx context.Context) (m *metadata, err error) {
	defer func() {
		if recover() != nil {
			m, err = nil, atDiscovery(errPanic)
		}
	}()
	return r.read(ctx)
}

func (r *remembered) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.running.Wait()
}
