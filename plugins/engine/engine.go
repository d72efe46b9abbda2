// Package engine serves plugins to APISIX as go-runner does, in a program of
// your own: auth0-jwt, your plugins, or both. It knows the socket, its handover
// and the bounds of what is kept; it must not know what a plugin decides.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

const (
	addressEnv = "APISIX_LISTEN_ADDRESS"
	confTTLEnv = "APISIX_CONF_EXPIRE_TIME"
	// defaultConfTTL is how long APISIX keeps the token of a configuration.
	defaultConfTTL = time.Hour
	// drainTime is less than the second that APISIX gives a runner from SIGTERM
	// until it kills it.
	drainTime = 900 * time.Millisecond
)

// Options say what is served, and where.
type Options struct {
	// Plugins are those that routes may name; no name twice.
	Plugins []plugin.Plugin
	// Address is the Unix socket, as "unix:PATH". "" is $APISIX_LISTEN_ADDRESS,
	// which APISIX sets for a runner that it starts: such a runner takes the
	// socket of its predecessor over, and ends when APISIX is gone.
	Address string
	// TakeOver takes the socket of a live runner over where Address is given.
	// Without it a live runner's socket is an error.
	TakeOver bool
	// SocketGroup is the group that may connect, by name or number. "" is the
	// process's own or, for root, that of the user nobody.
	SocketGroup string
	// MaxConfs bounds the configurations kept; 0 is 10,000. Those used longest
	// ago are dropped first, and APISIX prepares them again.
	MaxConfs int
	// MaxConnections bounds the connections served at a time; 0 is 10,000. One
	// more is closed, and APISIX answers its request with 503.
	MaxConnections int
	// Logger is told of configurations that deny, of panics and of peers that
	// break the protocol; nil is slog.Default.
	Logger *slog.Logger
}

// Stats are counts for your metrics.
type Stats = runner.Stats

// Engine serves plugins.
type Engine struct {
	server *runner.Server
	socket runner.Socket
	log    *slog.Logger
	// parent reports the process that started this one; nil where it does not
	// matter.
	parent func() int
}

// New makes an engine that does not listen yet. The error names a plugin
// without a name, a name that is there twice, or an address that is missing or
// wrong.
func New(opt Options) (*Engine, error) {
	e := &Engine{log: opt.Logger}
	if e.log == nil {
		e.log = slog.Default()
	}
	address, takeOver := opt.Address, opt.TakeOver
	if address == "" {
		if address = os.Getenv(addressEnv); address == "" {
			return nil, errors.New("no address to listen on: give Options.Address, or have APISIX start this program, which sets " + addressEnv)
		}
		takeOver, e.parent = true, os.Getppid
	}
	path, err := runner.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	ttl, err := confTTL(os.Getenv(confTTLEnv))
	if err != nil {
		return nil, err
	}
	key, err := runner.TokenKey(path)
	if err != nil {
		e.log.Warn("the key of the configurations' tokens cannot be kept: after a restart APISIX prepares its configurations again", "error", err.Error())
	}
	e.socket = runner.Socket{Path: path, Group: opt.SocketGroup, TakeOver: takeOver, HandoverKey: key}
	e.server, err = runner.New(runner.Options{
		Plugins: opt.Plugins, MaxConfs: opt.MaxConfs, MaxConnections: opt.MaxConnections,
		// A fifth longer than APISIX keeps the token of a configuration.
		ConfTTL: ttl + ttl/5, Loops: 1, TokenKey: key, Logger: e.log,
	})
	return e, err
}

// confTTL reads the number of seconds that APISIX gives.
func confTTL(text string) (time.Duration, error) {
	if text == "" {
		return defaultConfTTL, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<31 {
		return 0, fmt.Errorf("environment variable %s: want a number of seconds", confTTLEnv)
	}
	return time.Duration(n) * time.Second, nil
}

// Serve listens and answers until ctx is done. It then answers what is in
// flight, hands its connections to a successor where there is one, and returns
// nil within 900 ms. An error says why it cannot listen, or what happened to the
// socket.
func (e *Engine) Serve(ctx context.Context) error {
	if e.parent != nil {
		var cancel context.CancelFunc
		ctx, cancel = runner.WithParent(ctx, e.parent)
		defer cancel()
	}
	listener, err := e.socket.Listen()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(listener) }()
	e.log.Info("listening", "socket", e.socket.Path)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		e.server.Shutdown(drain)
		<-served
		return nil
	}
}

// Stats are the counts so far.
func (e *Engine) Stats() Stats { return e.server.Stats() }

// Check is nil as long as requests are served and the socket's path is the
// engine's own: a readiness probe may ask it.
func (e *Engine) Check() error { return e.server.Check() }
