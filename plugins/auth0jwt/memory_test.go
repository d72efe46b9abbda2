package auth0jwt_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// BenchmarkEngine is one exchange without a kernel in between: what is left is
// the engine's and the plugin's own work.
func BenchmarkEngine(b *testing.B) {
	rich := benchConf(`,"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-A","X-B"]`)
	several := make([]string, 1000)
	for i := range several {
		several[i] = benchToken(benchKey(), i)
	}
	for _, bb := range []struct {
		name, plugin, conf string
		cache              int64
		tokens             []string
	}{
		{"nothing", "nothing", "", 0, several[:1]},
		{"known token", "auth0-jwt", benchConf(""), 0, several[:1]},
		{"known token of 16 KiB", "auth0-jwt", benchConf(""), 0, []string{paddedToken(1, 11_800)}},
		{"known token, 5 headers", "auth0-jwt", rich, 0, several[:1]},
		{"new token", "auth0-jwt", benchConf(""), 64 << 10, several},
	} {
		b.Run(bb.name, func(b *testing.B) {
			e := startInMemory(b, bb.cache, bb.plugin, bb.conf)
			defer runtime.KeepAlive(auth0jwt.Ballast())
			e.exchange(len(bb.tokens), bb.tokens...)
			b.ReportAllocs()
			b.ResetTimer()
			e.exchange(b.N, bb.tokens...)
		})
	}
}

func TestAKnownTokenAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("allocations are counted without the race detector, as make unit does: go test -run AllocatesNothing ./plugins/auth0jwt")
	}
	e := startInMemory(t, 0, "auth0-jwt", benchConf(""))
	for _, token := range []string{benchToken(benchKey(), 1), paddedToken(1, 11_800)} {
		e.exchange(1, token)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const n = 10_000
		answer := e.exchange(n, token)
		runtime.ReadMemStats(&after)
		// Fewer than one in a hundred requests are the connection's own and other
		// goroutines'.
		if allocations := after.Mallocs - before.Mallocs; allocations >= n/100 {
			t.Errorf("%d allocations for %d requests with a token of %d bytes", allocations, n, len(token))
		}
		if a, err := a6.DecodeAnswer(answer[4:]); err != nil || a.Rewrite == nil || a.Rewrite.Headers[0].Value != "auth0|user-1" {
			t.Errorf("answered %+v, %v", a, err)
		}
	}
}

func TestAKnownTokenAllocatesNothingInTheLoopEither(t *testing.T) {
	if underRace {
		t.Skip("allocations are counted without the race detector, as make unit does: go test -run AllocatesNothing ./plugins/auth0jwt")
	}
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler)})
	defer p.Close()
	s, err := runner.New(runner.Options{Plugins: []plugin.Plugin{p}, Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.sock")
	l, err := runner.Socket{Path: path}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	defer serving.Wait()
	defer s.Shutdown(context.Background())
	w := dial(t, path)
	defer w.Close()
	frame := frameOf(w.prepare(t, "auth0-jwt", benchConf("")), benchToken(benchKey(), 1))
	for range 10 {
		if !w.passes(frame) {
			t.Fatal("refused")
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 10_000
	for range n {
		w.do(frame)
	}
	runtime.ReadMemStats(&after)
	if allocations := after.Mallocs - before.Mallocs; allocations >= n/100 {
		t.Errorf("%d allocations for %d requests", allocations, n)
	}
}

// inMemory is the engine with one route and no sockets.
type inMemory struct {
	conns chan net.Conn
	conf  uint32
}

func startInMemory(tb testing.TB, cache int64, plugins, conf string) *inMemory {
	tb.Helper()
	p := auth0jwt.New(auth0jwt.Options{CacheSize: cache, Logger: slog.New(slog.DiscardHandler)})
	s, err := runner.New(runner.Options{Plugins: []plugin.Plugin{&nothing{}, p}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	e := &inMemory{conns: make(chan net.Conn, 1)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(memoryListener{e.conns}) })
	tb.Cleanup(func() {
		close(e.conns)
		s.Shutdown(context.Background())
		serving.Wait()
		p.Close()
	})
	answer := e.send(1, mustFrame(a6.PrepareConf, a6.EncodePrepareConf("route", []a6.Entry{{Name: plugins, Value: conf, HasValue: true}})))
	if e.conf, err = a6.DecodePrepareConfResp(answer[4:]); err != nil {
		tb.Fatal(err)
	}
	return e
}

// exchange sends so many requests with these tokens, round about, and gives the
// first answer.
func (e *inMemory) exchange(times int, tokens ...string) (answer []byte) {
	frames := make([][]byte, len(tokens))
	for i, token := range tokens {
		frames[i] = frameOf(e.conf, token)
	}
	return e.send(times, frames...)
}

func (e *inMemory) send(times int, frames ...[]byte) (answer []byte) {
	c := &memoryConn{left: times, frames: frames, done: make(chan struct{})}
	e.conns <- c
	<-c.done
	return c.answer
}

func mustFrame(t a6.Type, payload []byte) []byte {
	frame, err := a6.AppendFrame(nil, t, payload)
	if err != nil {
		panic(err)
	}
	return frame
}

type memoryListener struct{ conns chan net.Conn }

func (l memoryListener) Accept() (net.Conn, error) {
	if c, open := <-l.conns; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l memoryListener) Close() error   { return nil }
func (l memoryListener) Addr() net.Addr { return &net.UnixAddr{} }

// memoryConn is a worker that sends its frames again and again and takes every
// answer.
type memoryConn struct {
	net.Conn // nil: what is not below is not used
	left     int
	frames   [][]byte
	rest     []byte // of the frame being read
	answer   []byte // the first
	done     chan struct{}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		c.left--
		c.rest = c.frames[c.left%len(c.frames)]
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *memoryConn) Write(p []byte) (int, error) {
	if c.answer == nil {
		c.answer = append([]byte{}, p...)
	}
	return len(p), nil
}

func (c *memoryConn) Close() error {
	close(c.done)
	return nil
}

func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
