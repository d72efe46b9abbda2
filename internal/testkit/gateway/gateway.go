// Package gateway knows how APISIX 3.18 treats a request, a route and a plugin
// runner, and is a double of it for tests: never kinder than the real one.
// It must not know any plugin of the runner's, nor what an answer means.
package gateway

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a Gateway is started. Exactly one of SocketPath and Cmd is
// set.
type Options struct {
	Addr       string   // where clients connect; 127.0.0.1:0 by default
	AdminAddr  string   // where the Admin API listens; 127.0.0.1:0 by default
	SocketPath string   // a side-car's socket, APISIX's ext-plugin.path_for_test
	Cmd        []string // the runner to start, APISIX's ext-plugin.cmd
	SocketDir  string   // where Cmd's socket is; a temporary directory by default
	Workers    int      // 2 by default; each has its own tokens and connections
	AdminKey   string   // X-API-KEY of the Admin API; empty: none is asked for
	// RespawnDelay is between a runner's exit and the next start, 3 s by default.
	RespawnDelay time.Duration
	// KillAfter is between SIGTERM and the kill of a runner, 1 s by default.
	KillAfter time.Duration
	// Overlap is what passes at a reload between the new workers' start and the
	// old ones' end. nginx sleeps 100 ms, and so does the default.
	Overlap func()
	Log     io.Writer // the double's log and Cmd's output; discarded by default
	// Trace is called with every exchange that a runner answered, before the
	// request goes on; nil is none. Many goroutines call it.
	Trace func(Exchange)
}

// Gateway is a running double.
type Gateway struct {
	options  Options
	socket   string
	tempDir  string // removed at Close
	front    net.Listener
	adminSrv *http.Server
	admin    net.Listener
	log      *log.Logger
	routes   routeTable
	tokens   *sharedTokens
	upstream upstreamPool
	node     atomic.Uint32 // the upstream's node that is next
	counters counters
	serving  sync.WaitGroup

	reloading sync.Mutex // held through a reload

	mu       sync.Mutex
	current  *generation
	next     *generation // while a reload has both serve
	clients  map[*client]struct{}
	accepted int
	closed   bool
}

// Start begins to serve, and starts the runner where Cmd is set. A runner that
// is not there yet is no error: requests get 503 until it is.
func Start(options Options) (*Gateway, error) {
	if (options.SocketPath == "") == (len(options.Cmd) == 0) {
		return nil, errors.New("gateway: set exactly one of SocketPath and Cmd")
	}
	g := &Gateway{
		options: options,
		tokens:  newSharedTokens(),
		clients: map[*client]struct{}{},
	}
	if g.options.Workers <= 0 {
		g.options.Workers = 2
	}
	if g.options.RespawnDelay <= 0 {
		g.options.RespawnDelay = 3 * time.Second
	}
	if g.options.KillAfter <= 0 {
		g.options.KillAfter = time.Second
	}
	if g.options.Overlap == nil {
		g.options.Overlap = func() { time.Sleep(100 * time.Millisecond) }
	}
	if g.options.Log == nil {
		g.options.Log = io.Discard
	}
	g.log = log.New(g.options.Log, "gateway: ", 0)
	g.routes.log = g.log
	if err := g.start(); err != nil {
		_ = g.Close()
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

func (g *Gateway) start() (err error) {
	if g.socket, err = g.socketPath(); err != nil {
		return err
	}
	if g.front, err = listen(g.options.Addr); err != nil {
		return err
	}
	if g.admin, err = listen(g.options.AdminAddr); err != nil {
		return err
	}
	first, err := g.newGeneration()
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.current = first
	g.mu.Unlock()
	g.adminSrv = &http.Server{Handler: g.adminHandler(), ReadHeaderTimeout: time.Minute}
	g.serving.Go(func() { _ = g.adminSrv.Serve(g.admin) })
	g.serving.Go(g.accept)
	return nil
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

func (g *Gateway) socketPath() (string, error) {
	if g.options.SocketPath != "" {
		return g.options.SocketPath, nil
	}
	dir := g.options.SocketDir
	if dir == "" {
		made, err := os.MkdirTemp("", "gateway-")
		if err != nil {
			return "", err
		}
		g.tempDir, dir = made, made
	}
	return filepath.Abs(filepath.Join(dir, "apisix-"+strconv.Itoa(os.Getpid())+".sock"))
}

func (g *Gateway) accept() {
	for {
		conn, err := g.front.Accept()
		if err != nil {
			return
		}
		c, open := g.remember(conn)
		if !open {
			_ = conn.Close()
			return
		}
		g.serving.Go(func() {
			defer g.forget(c)
			g.serveConn(c)
		})
	}
}

// URL is where clients connect, without a trailing slash.
func (g *Gateway) URL() string { return "http://" + g.front.Addr().String() }

// AdminURL is where the Admin API listens, without a trailing slash.
func (g *Gateway) AdminURL() string { return "http://" + g.admin.Addr().String() }

// RunnerPID is the process started by Cmd, during a reload the newer one, or 0
// while there is none.
func (g *Gateway) RunnerPID() int {
	serving := g.generations()
	if newest := serving[len(serving)-1]; newest.agent != nil {
		return newest.agent.runningPID()
	}
	return 0
}

// Close ends the runner it started (SIGTERM, a kill after KillAfter), every
// connection, and waits for what it started.
func (g *Gateway) Close() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	g.mu.Lock()
	g.closed = true
	for c := range g.clients {
		_ = c.Close()
	}
	last := g.current
	g.mu.Unlock()
	var err error
	if g.front != nil {
		err = g.front.Close()
	}
	if g.adminSrv != nil {
		_ = g.adminSrv.Close()
	} else if g.admin != nil {
		_ = g.admin.Close()
	}
	if last != nil {
		last.end()
	}
	g.upstream.close()
	g.serving.Wait()
	if g.tempDir != "" {
		_ = os.RemoveAll(g.tempDir)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
