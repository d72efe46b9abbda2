package runner_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// heap is what is in use once garbage and pools are gone.
func heap() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// idlePerConnection is more than a connection at rest may keep, both ends and
// the test's own buffers in it.
const idlePerConnection = 24 << 10

// TestConnectionsAtRestKeepNextToNothing sends one large frame of each kind on
// every connection. IDLE_CONNECTIONS=1000 takes the figure in full.
func TestConnectionsAtRestKeepNextToNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		connections := 20
		if n, err := strconv.Atoi(os.Getenv("IDLE_CONNECTIONS")); err == nil {
			connections = n
		}
		path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) {
			x.r.Header().Get("x-token")
			if x.conf == "refuses" {
				x.w.WriteHeader(401)
			}
		}}))
		var tokens []a6.Entry
		for n := range 900 {
			tokens = append(tokens, entry(fmt.Sprint("x-token-", n), fmt.Sprint(strings.Repeat("j", 800), n)))
		}
		for _, tt := range []struct {
			name, conf string
			headers    []a6.Entry
		}{
			{"a frame of 16 MiB", "", []a6.Entry{entry("x-big", strings.Repeat("b", a6.MaxPayload-1024))}},
			{"65,000 headers", "", manyHeaders(65_000)},
			{"900 junk tokens", "refuses", tokens},
		} {
			t.Run(tt.name, func(t *testing.T) {
				all := make([]*client, connections)
				r := get(tt.headers...)
				for i := range all {
					all[i] = dial(t, path)
					r.ConfToken = all[i].prepare("r", entry("p", tt.conf))
				}
				payload, err := a6.EncodeRequest(r)
				if err != nil {
					t.Fatal(err)
				}
				before := heap()
				for _, c := range all {
					c.exchange(a6.HTTPReqCall, payload)
				}
				hangs := time.Now().Add(time.Minute)
				for { // the runner may still be busy putting the memory away
					grown := heap() - before
					if grown <= int64(connections)*idlePerConnection {
						t.Logf("%d connections at rest: %d bytes more than before", connections, grown)
						break
					}
					if time.Now().After(hangs) {
						t.Fatalf("%d connections at rest keep %d bytes", connections, grown)
					}
				}
				runtime.KeepAlive(payload)
			})
		}
	})
}

func manyHeaders(n int) (all []a6.Entry) {
	for i := range n {
		all = append(all, entry(fmt.Sprint("h", i), "v"))
	}
	return all
}

func TestRefusedTokensAreNotKept(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		var given []string
		path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) {
			given = append(given, x.r.Header().Get("x-token"))
			x.w.WriteHeader(401)
		}}))
		c := dial(t, path)
		for range 3 {
			c.route("p", "", get(entry("x-token", "junk")))
		}
		for i := range given {
			for j := range given[:i] {
				if unsafe.StringData(given[i]) == unsafe.StringData(given[j]) {
					t.Error("a refused token is given out again from memory")
				}
			}
		}
	})
}

func TestConnectionsBeyondTheLimitAreRefusedCountedAndLogged(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		lines, logger := logged()
		opt := only(&filter{name: "p", run: func(exchange) {}})
		opt.MaxConnections, opt.Logger = 2, logger
		path, s := d.start(t, opt)
		first, second := dial(t, path), dial(t, path)
		first.route("p", "", get())
		second.route("p", "", get())
		if _, err := dial(t, path).r.ReadByte(); err == nil {
			t.Error("a third connection is served")
		}
		lines.wait(t, "connections are refused")
		if n := s.Stats().ConnectionsRefused; n != 1 {
			t.Errorf("%d refused connections are counted", n)
		}
		first.route("p", "", get()) // the others are served on
	})
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// inMemory runs a test with a server on a clock of its own.
func inMemory(t *testing.T, opt runner.Options, test func(t *testing.T, s *runner.Server, connect func() *client)) {
	synctest.Test(t, func(t *testing.T) {
		if opt.Logger == nil {
			opt.Logger = slog.New(slog.DiscardHandler)
		}
		s, err := runner.New(opt)
		if err != nil {
			t.Fatal(err)
		}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		test(t, s, func() *client {
			ours, theirs := net.Pipe()
			l.conns <- theirs
			return newClient(t, ours)
		})
		s.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestPeersThatStopInTheMiddleAreClosed(t *testing.T) {
	for name, misbehave := range map[string]func(*client){
		"half a head":  func(c *client) { _, _ = c.Write([]byte{2, 0}) },
		"half a frame": func(c *client) { _, _ = c.Write([]byte{2, 0, 0, 9, 1, 2}) },
		"never reads": func(c *client) {
			c.send(a6.PrepareConf, a6.EncodePrepareConf("r", []a6.Entry{entry("p", "")}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, only(&filter{name: "p", run: func(exchange) {}}), func(t *testing.T, s *runner.Server, connect func() *client) {
				good := connect()
				c := connect()
				misbehave(c)
				<-time.After(61 * time.Second)
				synctest.Wait()
				if n := s.Connections(); n != 1 {
					t.Errorf("%d connections after a minute", n)
				}
				if a := good.route("p", "", get()); a.Stop != nil {
					t.Errorf("another connection was answered %+v", a)
				}
			})
		})
	}
}

func TestAConnectionAtRestStays(t *testing.T) {
	inMemory(t, only(&filter{name: "p", run: func(exchange) {}}), func(t *testing.T, _ *runner.Server, connect func() *client) {
		c := connect()
		c.route("p", "", get())
		<-time.After(24 * time.Hour)
		if a := c.route("p", "", get()); a.Stop != nil {
			t.Errorf("answer %+v", a)
		}
	})
}

// TestHalfFramesHaveNoWorkspace has many peers send a part of a frame. What
// they sent is kept, and not the memory of an exchange.
func TestHalfFramesHaveNoWorkspace(t *testing.T) {
	const peers, each = 500, 8 << 10
	onEachDriver(t, func(t *testing.T, d driver) {
		path, s := d.start(t, only(&filter{name: "p", run: func(exchange) {}}))
		payload, err := a6.EncodeRequest(get(entry("x-pad", strings.Repeat("p", 2000))))
		if err != nil {
			t.Fatal(err)
		}
		frame, err := a6.AppendFrame(nil, a6.HTTPReqCall, payload)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]net.Conn, peers)
		before := heap()
		for i := range all {
			if all[i], err = net.Dial("unix", path); err != nil {
				t.Fatal(err)
			}
			defer all[i].Close()
			if _, err := all[i].Write(frame[:len(frame)/2]); err != nil {
				t.Fatal(err)
			}
		}
		hangs := time.Now().Add(time.Minute)
		for { // the runner may still be busy with them
			grown := heap() - before
			if s.Connections() == peers && grown <= peers*each {
				t.Logf("%d bytes for each half frame", grown/peers)
				break
			}
			if time.Now().After(hangs) {
				t.Fatalf("%d half frames keep %d bytes each", peers, grown/peers)
			}
		}
		for _, c := range all[:10] { // they are frames still
			if _, err := c.Write(frame[len(frame)/2:]); err != nil {
				t.Fatal(err)
			}
			kind, answer, err := a6.ReadFrame(bufio.NewReader(c), nil)
			if err != nil || kind != a6.Error {
				t.Fatalf("%d, %v", kind, err)
			}
			if code, err := a6.DecodeError(answer); err != nil || code != a6.ConfTokenNotFound {
				t.Errorf("%v, %v", code, err)
			}
		}
	})
}
