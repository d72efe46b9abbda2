package runner_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// lines of a log, as they come.
type logLines chan string

func (l logLines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func logged() (logLines, *slog.Logger) {
	lines := make(logLines, 1000)
	return lines, slog.New(slog.NewTextHandler(lines, nil))
}

// wait waits for a line that holds text.
func (l logLines) wait(t *testing.T, text string) {
	t.Helper()
	hangs := time.After(hangGuard)
	for {
		select {
		case line := <-l:
			if bytes.Contains([]byte(line), []byte(text)) {
				return
			}
		case <-hangs:
			t.Fatalf("no line of the log says %q", text)
		}
	}
}

func listen(t *testing.T, s runner.Socket) *runner.Listener {
	t.Helper()
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func named(name string) plugin.Plugin {
	return &filter{name: "who", run: func(x exchange) { x.r.Header().Set("X-Who", name) }}
}

func who(c *client) string { return c.route("who", "", get()).Rewrite.Headers[0].Value }

func (d driver) serveOn(t *testing.T, l net.Listener, opt runner.Options) (stop func()) {
	t.Helper()
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := runner.New(d.options(opt))
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
		defer cancel()
		s.Shutdown(ctx)
		served.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func TestASuccessorTakesTheSocketOverWithoutAGap(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := runner.Socket{Path: filepath.Join(t.TempDir(), "a.sock"), TakeOver: true}
		lines, logger := logged()
		stopFirst := d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("first")}, Logger: logger})
		old := dial(t, socket.Path)
		if got := who(old); got != "first" {
			t.Fatalf("%s answers", got)
		}
		stopSecond := d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("second")}})
		if got := who(dial(t, socket.Path)); got != "second" {
			t.Errorf("a new connection is answered by the %s runner", got)
		}
		lines.wait(t, "another runner took the socket over")
		if got := who(old); got != "first" {
			t.Errorf("the old connection is answered by the %s runner", got)
		}
		stopFirst()
		if got := who(dial(t, socket.Path)); got != "second" {
			t.Errorf("after the first runner's end the %s runner answers", got)
		}
		stopSecond()
		if _, err := os.Lstat(socket.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the last runner left its socket: %v", err)
		}
	})
}

func TestALiveSocketIsRespectedUnlessItIsToBeTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	first := listen(t, runner.Socket{Path: path})
	if l, err := (runner.Socket{Path: path}).Listen(); err == nil {
		l.Close()
		t.Fatal("two runners listen")
	}
	if err := first.Check(); err != nil {
		t.Errorf("the first one's path: %v", err)
	}
	second := listen(t, runner.Socket{Path: path, TakeOver: true})
	if err := first.Check(); !errors.Is(err, runner.ErrTakenOver) {
		t.Errorf("the first one's path: %v", err)
	}
	first.Close()
	if err := second.Check(); err != nil {
		t.Errorf("the second one's path after the first one's end: %v", err)
	}
}

func TestTakingOverReplacesNothingButSockets(t *testing.T) {
	dir := t.TempDir()
	file, link, directory := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "directory")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.Symlink(file, link), os.Mkdir(directory, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, directory} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := (runner.Socket{Path: path, TakeOver: true}).Listen(); err == nil {
			l.Close()
			t.Errorf("%s: listens", path)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestWhoIsOnTheWayIsTakenInBeforeTheListenerLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	l := listen(t, runner.Socket{Path: path})
	early, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if err := l.Leave(hangGuard); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if late, err := net.Dial("unix", path); err == nil {
		late.Close()
		t.Error("somebody new comes in")
	}
}

func TestASocketThatIsDeletedIsMadeAgain(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := runner.Socket{Path: filepath.Join(t.TempDir(), "a.sock")}
		lines, logger := logged()
		d.serveOn(t, listen(t, socket), runner.Options{Plugins: []plugin.Plugin{named("it")}, Logger: logger})
		if err := os.Remove(socket.Path); err != nil {
			t.Fatal(err)
		}
		lines.wait(t, "made again")
		if got := who(dial(t, socket.Path)); got != "it" {
			t.Errorf("%s answers", got)
		}
	})
}
