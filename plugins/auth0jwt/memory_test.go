package auth0jwt_test

import (
	"context"
	"io"
	"log/slog"
	"net"
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
	for _, bb := range []struct {
		name, plugin, conf string
		cache              int64
		tokens             int
	}{
		{"nothing", "nothing", "", 0, 1},
		{"known token", "auth0-jwt", benchConf(""), 0, 1},
		{"known token, 5 headers", "auth0-jwt", benchConf(`,"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-A","X-B"]`), 0, 1},
		{"new token", "auth0-jwt", benchConf(""), 64 << 10, 1000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := auth0jwt.New(auth0jwt.Options{CacheSize: bb.cache, Logger: slog.New(slog.DiscardHandler)})
			defer p.Close()
			defer runtime.KeepAlive(auth0jwt.Ballast())
			s, err := runner.New(runner.Options{Plugins: []plugin.Plugin{&nothing{}, p}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			l := &memoryListener{conns: make(chan net.Conn, 1)}
			var serving sync.WaitGroup
			serving.Go(func() { _ = s.Serve(l) })

			prepare := newMemoryConn(1, mustFrame(a6.PrepareConf, a6.EncodePrepareConf("bench", []a6.Entry{{Name: bb.plugin, Value: bb.conf, HasValue: true}})))
			l.conns <- prepare
			<-prepare.done
			conf, err := a6.DecodePrepareConfResp(prepare.answer[4:])
			if err != nil {
				b.Fatal(err)
			}
			frames := make([][]byte, bb.tokens)
			for i := range frames {
				frames[i] = frameOf(conf, benchToken(benchKey(), i))
			}
			warm := newMemoryConn(1, frames...)
			l.conns <- warm
			<-warm.done

			b.ReportAllocs()
			b.ResetTimer()
			c := newMemoryConn(b.N, frames...)
			l.conns <- c
			<-c.done
			b.StopTimer()
			close(l.conns)
			s.Shutdown(context.Background())
			serving.Wait()
		})
	}
}

func mustFrame(t a6.Type, payload []byte) []byte {
	frame, err := a6.AppendFrame(nil, t, payload)
	if err != nil {
		panic(err)
	}
	return frame
}

type memoryListener struct{ conns chan net.Conn }

func (l *memoryListener) Accept() (net.Conn, error) {
	if c, open := <-l.conns; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *memoryListener) Close() error   { return nil }
func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{} }

// memoryConn is a worker that sends its frames again and again and takes every
// answer.
type memoryConn struct {
	net.Conn // nil: what is not below is not used
	left     int
	frames   [][]byte
	answer   []byte // the first
	done     chan struct{}
}

func newMemoryConn(times int, frames ...[]byte) *memoryConn {
	return &memoryConn{left: times, frames: frames, done: make(chan struct{})}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.frames[c.left%len(c.frames)]), nil
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

func (c *memoryConn) SetReadDeadline(time.Time) error { return nil }
