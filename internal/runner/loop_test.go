package runner_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// declines is a plugin that decides at once unless its configuration says
// otherwise, and notes each call.
type declines struct {
	*filter
	calls chan string
}

func (p declines) FilterNow(conf any, w http.ResponseWriter, r inplace.View) bool {
	p.calls <- fmt.Sprint("now ", conf)
	if conf == "declines" {
		return false
	}
	p.run(exchange{conf, w, r})
	return true
}

func (p declines) RequestFilter(conf any, w http.ResponseWriter, r pkgHTTP.Request) {
	p.calls <- fmt.Sprint("later ", conf)
	p.run(exchange{conf, w, r})
}

func TestAPluginThatDeclinesRunsLaterAndThoseBeforeItRunOnce(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		p := declines{&filter{name: "p", run: func(x exchange) {
			x.r.Header().Set("X-Seen", x.r.Header().Get("X-Seen")+x.conf.(string)+" ")
		}}, make(chan string, 100)}
		path, _ := d.start(t, runner.Options{Plugins: []plugin.Plugin{p}})
		c := dial(t, path)
		r := get()
		r.ConfToken = c.prepare("r", entry("p", "first"), entry("p", "declines"), entry("p", "last"))
		for range 10 { // the connection comes and goes
			a := c.call(r)
			if a.Rewrite == nil || a.Rewrite.Headers[0].Value != "first declines last " {
				t.Fatalf("answer %+v", a)
			}
			for _, want := range []string{"now first", "now declines", "later declines", "later last"} {
				if got := <-p.calls; got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}
	})
}

func TestAPluginThatAsksInPlaceIsNotWaitedFor(t *testing.T) {
	failed := make(chan error, 1)
	p := atOnce{&filter{name: "p", run: func(x exchange) {
		_, err := x.r.Var("request_uri")
		failed <- err
	}}}
	path, _ := driver{loops: 1}.start(t, runner.Options{Plugins: []plugin.Plugin{p}})
	dial(t, path).route("p", "", get())
	if err := <-failed; err == nil {
		t.Error("the loop waits for APISIX")
	}
}

func TestKnownRequestsDoNotWaitForThoseThatTakeTime(t *testing.T) {
	gate := make(chan struct{})
	entered := make(chan struct{}, 100)
	slow := &filter{name: "slow", run: func(exchange) { entered <- struct{}{}; <-gate }}
	path, _ := driver{loops: 1}.start(t, runner.Options{Plugins: []plugin.Plugin{slow, atOnce{&filter{name: "fast", run: func(exchange) {}}}}})
	var waiting sync.WaitGroup
	for range 50 {
		c := dial(t, path)
		waiting.Go(func() { c.route("slow", "", get()) })
		<-entered
	}
	c := dial(t, path)
	for range 100 {
		c.route("fast", "", get())
	}
	close(gate)
	waiting.Wait()
}

func TestSeveralFramesInOneWriteAreAnsweredInOrder(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "p", run: func(exchange) {}}))
		c := dial(t, path)
		r := get(entry("x-pad", strings.Repeat("p", 1000)))
		r.ConfToken = c.prepare("r", entry("p", ""))
		var frames []byte
		const n = 100
		for id := range n {
			r.ID = uint32(id)
			payload, err := a6.EncodeRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			if frames, err = a6.AppendFrame(frames, a6.HTTPReqCall, payload); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _, _ = c.Write(frames) }() // the answers tell
		for id := range n {
			_, payload := c.receive()
			if a, err := a6.DecodeAnswer(payload); err != nil || a.ID != uint32(id) {
				t.Fatalf("answer %d: %+v, %v", id, a, err)
			}
		}
	})
}

// TestPeersOfEveryDriverThatStopInTheMiddleAreClosed is about real sockets; the
// minute that they have is in TestPeersThatStopInTheMiddleAreClosed.
func TestPeersOfEveryDriverThatStopInTheMiddleAreClosed(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		opt := only(&filter{name: "p", run: func(x exchange) {
			if x.conf == "big" {
				_, _ = x.w.Write(make([]byte, 8<<20))
			}
		}})
		opt.Logger = slog.New(slog.DiscardHandler)
		s, err := runner.New(d.options(opt))
		if err != nil {
			t.Fatal(err)
		}
		s.SetTimeouts(50 * time.Millisecond)
		socket := runner.Socket{Path: t.TempDir() + "/r.sock"}
		l := listen(t, socket)
		var served sync.WaitGroup
		served.Go(func() {
			if err := s.Serve(l); err != nil {
				t.Error(err)
			}
		})
		rest := dial(t, socket.Path)
		rest.route("p", "", get())
		half := dial(t, socket.Path)
		if _, err := half.Write([]byte{2, 0, 0, 9, 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := half.r.ReadByte(); err != io.EOF {
			t.Errorf("half a frame: %v", err)
		}
		deaf := dial(t, socket.Path)
		r := get()
		r.ConfToken = deaf.prepare("big", entry("p", "big"))
		payload, err := a6.EncodeRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		deaf.send(a6.HTTPReqCall, payload)
		for hangs := time.Now().Add(hangGuard); s.Connections() != 1; {
			if time.Now().After(hangs) {
				t.Fatalf("%d connections are left", s.Connections())
			}
		}
		if got, _ := io.ReadAll(deaf.r); len(got) >= 8<<20 {
			t.Error("an answer that nobody read was sent in full")
		}
		rest.route("p", "", get()) // at rest is no half frame
		ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
		defer cancel()
		s.Shutdown(ctx)
		served.Wait()
	})
}

func TestHalfOpenPeersHaveNoThreads(t *testing.T) {
	path, s := driver{loops: 1}.start(t, only(&filter{name: "p", run: func(exchange) {}}))
	const n = 200
	for range n {
		if _, err := dial(t, path).Write([]byte{2, 0}); err != nil {
			t.Fatal(err)
		}
	}
	for hangs := time.Now().Add(hangGuard); s.Connections() != n; {
		if time.Now().After(hangs) {
			t.Fatalf("%d connections", s.Connections())
		}
	}
	dial(t, path).route("p", "", get())
	if threads := threads(t); threads > n/2 {
		t.Errorf("%d threads for %d peers that wait", threads, n)
	}
}

func threads(t *testing.T) (n int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	_, rest, _ := bytes.Cut(status, []byte("Threads:"))
	if _, err := fmt.Sscan(string(rest), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
