package runner

import (
	"context"
	"time"
)

const (
	// acceptGrace is for connections that were made before the socket's path
	// was removed.
	acceptGrace = 20 * time.Millisecond
	// drainGrace is how long a connection without a request stays open after
	// Shutdown began, for a request that was already on its way.
	drainGrace = 100 * time.Millisecond
	// lastCall is how long before the end of Shutdown the contexts of requests
	// in flight are cancelled, so that their plugins can still answer.
	lastCall = 200 * time.Millisecond
)

// leaver is a listener that can take in who is already on the way.
type leaver interface {
	Leave(grace time.Duration) error
}

// Shutdown stops accepting, answers the requests in flight, and returns when
// all is answered or ctx is done; then whatever is left is cut off. Where a
// successor has the socket's path, it gets the connections as soon as they are
// at rest.
func (s *Server) Shutdown(ctx context.Context) {
	next := s.meetSuccessor(ctx)
	s.mu.Lock()
	if !s.draining.Load() {
		s.next = next
	}
	s.draining.Store(true)
	for _, l := range s.listeners {
		if own, ok := l.(leaver); ok && own.Leave(acceptGrace) == nil {
			continue
		}
		l.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.drainLoops()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.accepting.Wait()
		s.served.Wait()
		close(done)
	}()
	warn := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		warn, cancel = context.WithDeadline(ctx, deadline.Add(-lastCall))
		defer cancel()
	}
	select {
	case <-done:
	case <-warn.Done():
		s.cancel()
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	s.cancel()
	s.cutAll()
	if next != nil {
		handed, err := next.close()
		if err != nil {
			s.log.Warn("not all connections could be handed over to the successor", "handed_over", handed, "error", err.Error())
			return
		}
		s.log.Info("the connections were handed over to the successor", "connections", handed)
	}
}

func (s *Server) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.cut()
	}
}
