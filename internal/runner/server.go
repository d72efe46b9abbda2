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
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
)

// What Options say where they say nothing.
const (
	DefaultMaxConfs       = 10_000
	DefaultMaxConfBytes   = 256 << 20
	DefaultMaxConnections = 10_000
)

// Options are what a server is made with.
type Options struct {
	// Plugins are those that routes may name; no name twice.
	Plugins []plugin.Plugin
	// MaxConfs bounds the configurations kept; beyond it those used longest ago
	// are dropped, and APISIX prepares them again. 0 is DefaultMaxConfs.
	MaxConfs int
	// MaxConfBytes bounds the text of the configurations kept, in bytes, in the
	// same way. One configuration is always kept, whatever its size. 0 is
	// DefaultMaxConfBytes.
	MaxConfBytes int64
	// ConfTTL is how long a configuration is kept that nobody used; 0 is for
	// as long as there is room.
	ConfTTL time.Duration
	// MaxConnections bounds the connections served at a time; one more is
	// closed. 0 is DefaultMaxConnections.
	MaxConnections int
	// TokenKey keys the hash that configurations get their tokens by. Runners
	// with the same key give the same configuration the same token. nil is a
	// random key.
	TokenKey []byte
	// Logger is told of configurations that deny, panics and peers that break
	// the protocol; nil is slog.Default.
	Logger *slog.Logger
}

// Server serves plugins to APISIX.
type Server struct {
	log            *slog.Logger
	plugins        map[string]*servedPlugin
	confs          *confStore
	counters       counters
	maxConnections int

	ctx      context.Context // of all requests
	cancel   context.CancelFunc
	draining atomic.Bool

	mu        sync.Mutex
	listeners []net.Listener
	failure   error // of the first listener that failed
	conns     map[*conn]struct{}
	refusedAt time.Time // when a refused connection was logged last

	accepting sync.WaitGroup
	served    sync.WaitGroup
}

// servedPlugin is a plugin with what is counted of it.
type servedPlugin struct {
	plugin.Plugin
	tally tally
}

// New makes a server. The error names a plugin that is nameless or there
// twice, or a bound that is negative.
func New(opt Options) (*Server, error) {
	if opt.MaxConfs < 0 || opt.MaxConfBytes < 0 || opt.MaxConnections < 0 || opt.ConfTTL < 0 {
		return nil, errors.New("a bound of configurations or connections is negative")
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Server{log: opt.Logger, plugins: map[string]*servedPlugin{}, conns: map[*conn]struct{}{}}
	if s.maxConnections = opt.MaxConnections; s.maxConnections == 0 {
		s.maxConnections = DefaultMaxConnections
	}
	for _, p := range opt.Plugins {
		name := p.Name()
		if name == "" {
			return nil, fmt.Errorf("a plugin of type %T has no name", p)
		}
		if _, taken := s.plugins[name]; taken {
			return nil, fmt.Errorf("two plugins are named %q", name)
		}
		s.plugins[name] = &servedPlugin{Plugin: p}
	}
	s.confs = newConfStore(s.plugins, &s.counters, opt)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until Shutdown, and then returns nil. Where l is a
// Listener, it also watches whether the socket's path is still its own.
func (s *Server) Serve(l net.Listener) error {
	s.accept(l)
	if ttl := s.confs.ttl; ttl > 0 {
		go s.sweep(ttl)
	}
	s.accepting.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *Server) accept(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		l.Close()
		return
	}
	s.listeners = append(s.listeners, l)
	s.accepting.Go(func() { s.acceptFrom(l) })
	if own, ok := l.(*Listener); ok {
		go s.watch(own)
	}
}

func (s *Server) acceptFrom(l net.Listener) {
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(c)
		case errors.Is(err, os.ErrDeadlineExceeded): // after Leave: whoever was on the way is in
			s.forget(l, nil)
			return
		case errors.Is(err, net.ErrClosed):
			s.forget(l, err)
			return
		default:
			// Out of file descriptors, say: it passes, and spinning would not
			// help.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("accepting a connection failed", "error", err.Error(), "next_try_in", pause.String())
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				s.forget(l, nil)
				return
			}
		}
	}
}

// forget closes a listener that accepts no more.
func (s *Server) forget(l net.Listener, err error) {
	l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.listeners {
		if s.listeners[i] == l {
			s.listeners = append(s.listeners[:i], s.listeners[i+1:]...)
			break
		}
	}
	if err != nil && !s.draining.Load() && s.failure == nil {
		s.failure = err
	}
}

// refusedEvery is how often a refused connection is logged at most.
const refusedEvery = 10 * time.Second

func (s *Server) start(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.maxConnections {
		nc.Close()
		refused := s.counters.connectionsRefused.Add(1)
		if now := time.Now(); now.Sub(s.refusedAt) >= refusedEvery {
			s.refusedAt = now
			s.log.Error("connections are refused; APISIX answers their requests with 503",
				"max_connections", s.maxConnections, "refused_so_far", refused)
		}
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.served.Go(func() {
		c.serve()
		nc.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
}

// Reload reads all configurations again, in the background and one after the
// other: what they refer to may have changed. Requests are judged by what was
// read before until then.
func (s *Server) Reload() { go s.confs.reload() }
