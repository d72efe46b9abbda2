package runner_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"golang.org/x/sys/unix"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

var tokenKey = bytes.Repeat([]byte{7}, 32)

// handsOver is a socket whose servers hand their connections over.
func handsOver(t *testing.T) runner.Socket {
	return runner.Socket{Path: filepath.Join(t.TempDir(), "a.sock"), TakeOver: true, HandoverKey: tokenKey}
}

// descriptors is how many the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(all)
}

// noneLeak waits until no more descriptors are open than before.
func noneLeak(t *testing.T, before int) {
	t.Helper()
	for hangs := time.Now().Add(hangGuard); descriptors(t) > before; runtime.Gosched() {
		if time.Now().After(hangs) {
			t.Fatalf("%d descriptors are open, %d were before", descriptors(t), before)
		}
	}
}

func TestConnectionsGoToTheSuccessorAfterTheirAnswer(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := handsOver(t)
		entered, gate := make(chan struct{}), make(chan struct{})
		slow := &filter{name: "slow", waits: true, run: func(x exchange) {
			if x.conf == "waits" {
				close(entered)
				<-gate
			}
			x.r.Header().Set("X-Who", "first")
		}}
		stop := d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("first"), slow}, TokenKey: tokenKey})
		rest, new, busy, settled := dial(t, socket.Path), dial(t, socket.Path), dial(t, socket.Path), dial(t, socket.Path)
		r := get()
		r.ConfToken = rest.prepare("who", entry("who", ""))
		rest.call(r)
		for range 8 { // it stays with its goroutine
			settled.route("slow", "", get())
		}
		answers := make(chan a6.Answer)
		go func() { answers <- busy.route("slow", "waits", get()) }()
		<-entered
		half := dial(t, socket.Path)
		frame, err := a6.AppendFrame(nil, a6.PrepareConf, a6.EncodePrepareConf("who", []a6.Entry{entry("who", "")}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := half.Write(frame[:len(frame)/2]); err != nil {
			t.Fatal(err)
		}
		d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("second")}, TokenKey: tokenKey})
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		// The successor has not seen the configuration, and gives it the same token.
		payload, err := a6.EncodeRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		kind, code := rest.exchange(a6.HTTPReqCall, payload)
		for kind != a6.Error { // the predecessor was asked
			kind, code = rest.exchange(a6.HTTPReqCall, payload)
		}
		if got, err := a6.DecodeError(code); err != nil || got != a6.ConfTokenNotFound {
			t.Errorf("%v, %v", got, err)
		}
		if token := rest.prepare("who", entry("who", "")); token != r.ConfToken {
			t.Errorf("the token is %d, and was %d", token, r.ConfToken)
		}
		for name, c := range map[string]*client{"at rest": rest, "settled": settled} {
			if got := who(c); got != "second" {
				t.Errorf("the connection %s is answered by the %s runner", name, got)
			}
		}
		close(gate)
		if got := (<-answers).Rewrite.Headers[0].Value; got != "first" {
			t.Errorf("what was in flight is answered by the %s runner", got)
		}
		if _, err := half.Write(frame[len(frame)/2:]); err != nil {
			t.Fatal(err)
		}
		if kind, _ := half.receive(); kind != a6.PrepareConf {
			t.Errorf("the rest of a frame is answered with a frame of type %d", kind)
		}
		<-stopped
		for name, c := range map[string]*client{"new": new, "busy": busy, "half": half} {
			if got := who(c); got != "second" {
				t.Errorf("the connection %s is answered by the %s runner", name, got)
			}
		}
	})
}

func TestNoRequestIsLostHoweverOftenRunnersFollowOneAnother(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := handsOver(t)
		opt := runner.Options{Plugins: []plugin.Plugin{named("it")}, TokenKey: tokenKey}
		before := descriptors(t)
		stop := d.serveOn(t, listen(t, socket), opt)
		over := make(chan struct{})
		var sent atomic.Int64
		var load sync.WaitGroup
		for range 8 {
			c := dial(t, socket.Path)
			load.Go(func() {
				defer c.Close()
				r := get()
				r.ConfToken = c.prepare("who", entry("who", ""))
				for {
					select {
					case <-over:
						return
					default:
					}
					payload, err := a6.EncodeRequest(r)
					if err != nil {
						t.Error(err)
						return
					}
					if err := a6.WriteFrame(c, a6.HTTPReqCall, payload); err != nil {
						t.Errorf("a request could not be sent: %v", err)
						return
					}
					kind, _, err := a6.ReadFrame(c.r, nil)
					if err != nil {
						t.Errorf("a request has no answer: %v", err)
						return
					}
					sent.Add(1)
					if kind == a6.Error {
						_ = a6.WriteFrame(c, a6.PrepareConf, a6.EncodePrepareConf("who", []a6.Entry{entry("who", "")})) // the answer tells
						if _, _, err := a6.ReadFrame(c.r, nil); err != nil {
							t.Errorf("a configuration has no answer: %v", err)
							return
						}
					}
				}
			})
		}
		for range 20 {
			for target := sent.Load() + 50; sent.Load() < target && !t.Failed(); runtime.Gosched() {
			}
			next := d.serveOn(t, listen(t, socket), opt)
			stop()
			stop = next
		}
		close(over)
		load.Wait()
		stop()
		noneLeak(t, before)
	})
}

func TestTheInboxIsItsUsersAlone(t *testing.T) {
	socket := handsOver(t)
	l := listen(t, socket)
	info, err := os.Lstat(runner.InboxOf(socket.Path))
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	l.Close()
	if _, err := os.Lstat(runner.InboxOf(socket.Path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the inbox stays behind: %v", err)
	}
}

func TestWithoutAnInboxARunnerServes(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := handsOver(t)
		precious := runner.InboxOf(socket.Path)
		if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, logger := logged()
		stop := d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("it")}, Logger: logger})
		lines.wait(t, "cannot be taken over")
		if got := who(dial(t, socket.Path)); got != "it" {
			t.Errorf("%s answers", got)
		}
		stop()
		if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// pair are two ends of a connection; the second one is to be handed over.
func pair(t *testing.T) (*client, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "ours")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	return newClient(t, c), fds[1]
}

func TestAThousandConnectionsAreTakenOverUpToTheLimit(t *testing.T) {
	const n, limit = 1000, 900
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := handsOver(t)
		d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("it")}, MaxConnections: limit})
		predecessor, err := runner.Predecessor(socket.Path, tokenKey)
		if err != nil {
			t.Fatal(err)
		}
		before := descriptors(t) - 1
		all := make([]*client, n)
		for i := range all {
			var fd int
			all[i], fd = pair(t)
			if _, _, err := predecessor.WriteMsgUnix([]byte{runner.HandoverMark}, unix.UnixRights(fd), nil); err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
		}
		predecessor.Close()
		served := 0
		for _, c := range all {
			err := a6.WriteFrame(c, a6.PrepareConf, a6.EncodePrepareConf("who", []a6.Entry{entry("who", "")}))
			if err == nil {
				_, _, err = a6.ReadFrame(c.r, nil)
			}
			if err == nil {
				served++
			}
		}
		if served != limit {
			t.Errorf("%d are served, want %d", served, limit)
		}
		for _, c := range all {
			c.Close()
		}
		noneLeak(t, before)
	})
}
