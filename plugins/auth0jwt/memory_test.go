package auth0jwt_test

import (
	"context"
	"io"
	"log/slog"
	"net"
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
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler)})
	defer p.Close()
	for _, bb := range []struct{ name, plugin, conf string }{
		{"nothing", "nothing", ""},
		{"known token", "auth0-jwt", benchConf("")},
		{"known token, 5 headers", "auth0-jwt", benchConf(`,"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-A","X-B"]`)},
	} {
		b.Run(bb.name, func(b *testing.B) {
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
			frame := frameOf(conf, benchToken(benchKey(), 1))
			warm := newMemoryConn(1, frame)
			l.conns <- warm
			<-warm.done

			b.ReportAllocs()
			b.ResetTimer()
			c := newMemoryConn(b.N, frame)
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

// memoryConn is a worker that sends one frame again and again and takes every
// answer.
type memoryConn struct {
	net.Conn // nil: what is not below is not used
	left     int
	frame    []byte
	answer   []byte // the first
	done     chan struct{}
}

func newMemoryConn(times int, frame []byte) *memoryConn {
	return &memoryConn{left: times, frame: frame, done: make(chan struct{})}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.frame), nil
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
