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

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
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
	// Loops is the number of event loops that the connections of a [Listener]
	// share, on Linux: a frame that can be answered without waiting is read,
	// answered and written there. 0, and anywhere else, is a goroutine for each
	// connection.
	Loops int
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
	loops          loops

	frameTimeout, writeTimeout time.Duration

	ctx      context.Context // of all requests
	cancel   context.CancelFunc
	draining atomic.Bool
	next     *successor // where connections go to; set before draining, nil is nowhere

	mu        sync.Mutex
	listeners []listening
	failure   error // of the first listener that failed
	conns     map[*conn]struct{}
	refusedAt time.Time // when a refused connection was logged last

	accepting sync.WaitGroup
	served    sync.WaitGroup
}

// servedPlugin is a plugin with what is counted of it.
type servedPlugin struct {
	plugin.Plugin
	now   inplace.Plugin // nil where it cannot decide at once
	tally tally
}

// New makes a server. The error names a plugin that is nameless or there
// twice, or a bound that is negative.
func New(opt Options) (*Server, error) {
	if opt.MaxConfs < 0 || opt.MaxConfBytes < 0 || opt.MaxConnections < 0 || opt.ConfTTL < 0 || opt.Loops < 0 {
		return nil, errors.New("a bound of configurations or connections, or the number of loops, is negative")
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Server{
		log: opt.Logger, plugins: map[string]*servedPlugin{}, conns: map[*conn]struct{}{}, loops: loops{wanted: opt.Loops},
		frameTimeout: frameTimeout, writeTimeout: writeTimeout,
	}
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
		now, _ := p.(inplace.Plugin)
		s.plugins[name] = &servedPlugin{Plugin: p, now: now}
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

// listening is a listener, whoever accepts from it.
type listening interface{ Close() error }

func (s *Server) accept(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		l.Close()
		return
	}
	if own, isOwn := l.(*Listener); isOwn {
		if s.acceptInLoops(own) {
			s.receive(own)
			return
		}
		s.receive(own)
		go s.watch(own, own)
	}
	s.listeners = append(s.listeners, l)
	s.accepting.Go(func() { s.acceptFrom(l) })
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
			pause = s.acceptFailed(pause, err)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				s.forget(l, nil)
				return
			}
		}
	}
}

// acceptFailed says how long to wait before the next try. It may be that there
// is no file descriptor left: that passes, and spinning would not help.
func (s *Server) acceptFailed(pause time.Duration, err error) time.Duration {
	pause = min(max(2*pause, 5*time.Millisecond), time.Second)
	s.log.Error("accepting a connection failed", "error", err.Error(), "next_try_in", pause.String())
	return pause
}

// forget closes a listener that accepts no more.
func (s *Server) forget(l listening, err error) {
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

// start serves a connection, and reports whether there is room for it.
func (s *Server) start(nc net.Conn) bool {
	c := newConn(s, nc)
	c.watched(nc)
	if !s.admit(c) {
		return false
	}
	s.served.Go(func() {
		if c.serve() {
			s.part(c)
			return
		}
		s.end(c)
	})
	return true
}

// admit takes a connection in, or closes it where there are too many.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) < s.maxConnections {
		s.conns[c] = struct{}{}
		return true
	}
	c.net.Close()
	refused := s.counters.connectionsRefused.Add(1)
	if now := time.Now(); now.Sub(s.refusedAt) >= refusedEvery {
		s.refusedAt = now
		s.log.Error("connections are refused; APISIX answers their requests with 503",
			"max_connections", s.maxConnections, "refused_so_far", refused)
	}
	return false
}

// end closes a connection that was admitted.
func (s *Server) end(c *conn) {
	c.net.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Reload reads all configurations again, in the background and one after the
// other: what they refer to may have changed. Requests are judged by what was
// read before until then.
func (s *Server) Reload() { go s.confs.reload() }
