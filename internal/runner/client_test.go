package runner_test

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 5 * time.Minute

// start serves plugins on a socket of its own.
func (d driver) start(t testing.TB, opt runner.Options) (path string, s *runner.Server) {
	t.Helper()
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := runner.New(d.options(opt))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "r.sock")
	l, err := runner.Socket{Path: path}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return path, s
}

// client is a worker of APISIX with one connection.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
	// asked answers questions in the middle of an exchange.
	asked func(a6.Question) []byte
}

func dial(t testing.TB, path string) *client {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

func newClient(t testing.TB, c net.Conn) *client {
	t.Cleanup(func() { c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) send(kind a6.Type, payload []byte) {
	c.t.Helper()
	if err := a6.WriteFrame(c, kind, payload); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads the answer, and answers what is asked before it.
func (c *client) receive() (a6.Type, []byte) {
	c.t.Helper()
	for {
		kind, payload, err := a6.ReadFrame(c.r, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		if kind != a6.ExtraInfo || c.asked == nil {
			return kind, payload
		}
		q, err := a6.DecodeExtraInfoReq(payload)
		if err != nil {
			c.t.Fatal(err)
		}
		c.send(a6.ExtraInfo, a6.EncodeExtraInfoResp(c.asked(q)))
	}
}

func (c *client) exchange(kind a6.Type, payload []byte) (a6.Type, []byte) {
	c.t.Helper()
	c.send(kind, payload)
	return c.receive()
}

func (c *client) prepare(key string, entries ...a6.Entry) uint32 {
	c.t.Helper()
	kind, payload := c.exchange(a6.PrepareConf, a6.EncodePrepareConf(key, entries))
	if kind != a6.PrepareConf {
		c.t.Fatalf("PrepareConf was answered with a frame of type %d", kind)
	}
	token, err := a6.DecodePrepareConfResp(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

func (c *client) call(r a6.Request) a6.Answer {
	c.t.Helper()
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		c.t.Fatal(err)
	}
	kind, payload := c.exchange(a6.HTTPReqCall, payload)
	if kind != a6.HTTPReqCall {
		code, err := a6.DecodeError(payload)
		c.t.Fatalf("HTTPReqCall was answered with a frame of type %d, %v, %v", kind, code, err)
	}
	a, err := a6.DecodeAnswer(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// route prepares one plugin, and calls with it.
func (c *client) route(name, conf string, r a6.Request) a6.Answer {
	c.t.Helper()
	r.ConfToken = c.prepare(name+conf, entry(name, conf))
	return c.call(r)
}

func entry(name, value string) a6.Entry { return a6.Entry{Name: name, Value: value, HasValue: true} }

func get(headers ...a6.Entry) a6.Request {
	return a6.Request{ID: 7, SrcIP: []byte{127, 0, 0, 1}, Method: "GET", Path: "/", Headers: headers}
}

func isDenied(a a6.Answer) bool { return a.Stop != nil && a.Stop.Status == 500 }

// filter is a plugin of one function.
type filter struct {
	plugin.DefaultPlugin
	name  string
	parse func([]byte) (any, error)
	run   func(exchange)
	waits bool // it asks APISIX, or waits for the test
}
