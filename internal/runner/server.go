// Package runner is the engine: it serves any plugin of the official runner's
// interfaces over APISIX's Unix socket, and denies where it cannot judge. It
// knows the wire and the plugins' life; it must not know what they decide.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
)

const (
	// requestTimeout ends a request's context. APISIX gives up after 60 s
	// (rpc_call in apisix/plugins/ext-plugin/init.lua); a plugin that heeds
	// its context can still answer.
	requestTimeout = 56 * time.Second
	// frameTimeout is how long the rest of a frame may take to arrive.
	frameTimeout = 60 * time.Second
	// drainGrace is how long a connection without a request stays open after
	// Shutdown began, for a request that was already on its way.
	drainGrace = 100 * time.Millisecond
	// lastCall is how long before the end of Shutdown the contexts of requests
	// in flight are cancelled, so that their plugins can still answer.
	lastCall = 200 * time.Millisecond
)

// DefaultMaxConfs is how many configurations are kept where Options say
// nothing.
const DefaultMaxConfs = 10_000

// Options are what a server is made with.
type Options struct {
	// Plugins are those that routes may name; no name twice.
	Plugins []plugin.Plugin
	// MaxConfs bounds the configurations kept; beyond it the one used longest
	// ago goes, and APISIX prepares it again. 0 is DefaultMaxConfs.
	MaxConfs int
	// ConfTTL is how long a configuration is kept that nobody used; 0 is for
	// as long as there is room.
	ConfTTL time.Duration
	// Logger is told of configurations that deny, panics and peers that break
	// the protocol; nil is slog.Default.
	Logger *slog.Logger
}

// Server serves plugins to APISIX.
type Server struct {
	log     *slog.Logger
	plugins map[string]plugin.Plugin
	confs   *confStore

	ctx      context.Context // of all requests
	cancel   context.CancelFunc
	draining atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	served   sync.WaitGroup
}

// New makes a server. The error names a plugin that is nameless or there
// twice.
func New(opt Options) (*Server, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.MaxConfs <= 0 {
		opt.MaxConfs = DefaultMaxConfs
	}
	s := &Server{log: opt.Logger, plugins: map[string]plugin.Plugin{}, conns: map[*conn]struct{}{}}
	for _, p := range opt.Plugins {
		name := p.Name()
		if name == "" {
			return nil, fmt.Errorf("a plugin of type %T has no name", p)
		}
		if _, taken := s.plugins[name]; taken {
			return nil, fmt.Errorf("two plugins are named %q", name)
		}
		s.plugins[name] = p
	}
	s.confs = newConfStore(s.plugins, opt)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	if s.draining.Load() {
		l.Close()
	}
	s.mu.Unlock()
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(c)
		case s.draining.Load() || errors.Is(err, net.ErrClosed):
			if s.draining.Load() {
				return nil
			}
			return err
		default:
			// Out of file descriptors, say: it passes, and spinning would not
			// help.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("accepting a connection failed", "error", err.Error(), "next_try_in", pause.String())
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
		}
	}
}

// Configurations is the number of configurations kept.
func (s *Server) Configurations() int { return s.confs.len() }

// Connections is the number of connections being served.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) start(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.served.Add(1)
	go func() {
		defer s.served.Done()
		c.serve()
		nc.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Shutdown stops accepting, answers the requests in flight, and returns when
// all is answered or ctx is done; then whatever is left is cut off.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.draining.Store(true)
	if s.listener != nil {
		s.listener.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.net.Close()
	}
}
