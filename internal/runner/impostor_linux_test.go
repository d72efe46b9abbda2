package runner_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"golang.org/x/sys/unix"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// impostor listens on a socket's inbox, does something with whoever connects,
// and then takes whatever descriptors it gets.
func impostor(t *testing.T, socket string, listen func(path string) *net.UnixListener, do func(c *net.UnixConn)) (got <-chan int) {
	t.Helper()
	takePath(t, socket)
	path := runner.InboxOf(socket)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l := listen(path)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	descriptors := make(chan int, 1)
	go func() {
		c, err := l.AcceptUnix()
		if err != nil {
			descriptors <- 0
			return
		}
		defer c.Close()
		do(c)
		n := 0
		for {
			fd, err := runner.ReceiveConnection(c)
			if err != nil {
				descriptors <- n
				return
			}
			n++
			unix.Close(fd)
		}
	}()
	return descriptors
}

// takePath puts another socket into the place of a runner's.
func takePath(t *testing.T, socket string) {
	t.Helper()
	beside := socket + ".new"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: beside})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	if err := os.Rename(beside, socket); err != nil {
		t.Fatal(err)
	}
}

func listenPackets(t *testing.T) func(string) *net.UnixListener {
	return func(path string) *net.UnixListener {
		l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: path})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// listenAsNobody has the listener's peers see another user, and the file of the
// socket be the runner's own.
func listenAsNobody(t *testing.T) func(string) *net.UnixListener {
	return func(path string) *net.UnixListener {
		if os.Geteuid() != 0 {
			t.Skip("not root")
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "impostor")
		defer f.Close()
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
		const nobody = 65534
		as := func(uid uintptr) { // this thread alone
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uid, ^uintptr(0)); errno != 0 {
				panic(errno)
			}
		}
		runtime.LockOSThread()
		as(nobody)
		err = unix.Listen(fd, 1)
		as(0)
		runtime.UnlockOSThread()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		return l.(*net.UnixListener)
	}
}

func TestAnImpostorGetsNoConnection(t *testing.T) {
	read := func(c *net.UnixConn) []byte {
		b := make([]byte, 1000)
		n, _ := c.Read(b) // what matters is what comes after it
		return b[:n]
	}
	for _, tt := range []struct {
		name   string
		listen func(*testing.T) func(string) *net.UnixListener
		do     func(c *net.UnixConn, socket string)
	}{
		{"says nothing", listenPackets, func(c *net.UnixConn, _ string) { read(c) }},
		{"hangs up", listenPackets, func(c *net.UnixConn, _ string) { c.Close() }},
		{"half a nonce", listenPackets, func(c *net.UnixConn, _ string) { _, _ = c.Write(make([]byte, 16)) }},
		{"a long nonce", listenPackets, func(c *net.UnixConn, _ string) { _, _ = c.Write(make([]byte, 33)) }},
		{"no proof", listenPackets, func(c *net.UnixConn, _ string) {
			_, _ = c.Write(make([]byte, 32))
			read(c)
		}},
		{"a made-up proof", listenPackets, func(c *net.UnixConn, _ string) {
			_, _ = c.Write(make([]byte, 32))
			read(c)
			_, _ = c.Write(make([]byte, 32))
		}},
		{"the predecessor's own proof", listenPackets, func(c *net.UnixConn, _ string) {
			_, _ = c.Write(make([]byte, 32))
			_, _ = c.Write(read(c)[32:])
		}},
		{"another key", listenPackets, func(c *net.UnixConn, socket string) {
			_ = runner.AdmitPredecessor(c, socket, bytes.Repeat([]byte{8}, 32))
		}},
		{"the proof for another socket", listenPackets, func(c *net.UnixConn, socket string) {
			_ = runner.AdmitPredecessor(c, filepath.Join(filepath.Dir(socket), "b.sock"), tokenKey)
		}},
		{"another user with the key", listenAsNobody, func(c *net.UnixConn, socket string) {
			_ = runner.AdmitPredecessor(c, socket, tokenKey)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, d driver) {
				socket := handsOver(t)
				s := serving(t, d, socket)
				c := dial(t, socket.Path)
				who(c)
				got := impostor(t, socket.Path, tt.listen(t), func(c *net.UnixConn) { tt.do(c, socket.Path) })
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				s.Shutdown(ctx)
				if _, err := c.r.ReadByte(); err != io.EOF {
					t.Errorf("the connection is not closed: %v", err)
				}
				if n := <-got; n > 0 {
					t.Errorf("the impostor has %d connections", n)
				}
			})
		})
	}
}

// serving serves until the test's end, or until it is shut down.
func serving(t *testing.T, d driver, socket runner.Socket) *runner.Server {
	t.Helper()
	s, err := runner.New(d.options(runner.Options{Plugins: []plugin.Plugin{named("first")}, TokenKey: tokenKey}))
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, socket)
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
	return s
}

func TestTheInboxOfAnotherRunnerGetsNoConnection(t *testing.T) {
	for name, put := range map[string]func(from, to string) error{"a symlink": os.Symlink, "a link": os.Link, "renamed": os.Rename} {
		t.Run(name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, d driver) {
				socket := handsOver(t)
				s := serving(t, d, socket)
				c := dial(t, socket.Path)
				who(c)
				takePath(t, socket.Path)
				if err := os.Remove(runner.InboxOf(socket.Path)); err != nil {
					t.Fatal(err)
				}
				other := socket
				other.Path = filepath.Join(filepath.Dir(socket.Path), "b.sock")
				theirs := serving(t, d, other)
				if err := put(runner.InboxOf(other.Path), runner.InboxOf(socket.Path)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
				defer cancel()
				s.Shutdown(ctx)
				if _, err := c.r.ReadByte(); err != io.EOF {
					t.Errorf("the connection is not closed: %v", err)
				}
				if n := theirs.Connections(); n > 0 {
					t.Errorf("the other runner has %d connections", n)
				}
			})
		})
	}
}

func TestASuccessorThatDiesInTheMiddleHoldsNothingUp(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		socket := handsOver(t)
		s := serving(t, d, socket)
		all := make([]*client, 100)
		for i := range all {
			all[i] = dial(t, socket.Path)
			who(all[i])
		}
		before := descriptors(t) - 2*len(all) + 2 // the impostor's two sockets
		got := impostor(t, socket.Path, listenPackets(t), func(c *net.UnixConn) {
			_ = runner.AdmitPredecessor(c, socket.Path, tokenKey) // it has the key
			fd, err := runner.ReceiveConnection(c)
			if err != nil {
				t.Error(err)
			}
			unix.Close(fd)
			c.Close()
		})
		ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
		defer cancel()
		s.Shutdown(ctx)
		if ctx.Err() != nil {
			t.Error("the shutdown took all of its time")
		}
		for _, c := range all {
			if _, err := c.r.ReadByte(); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("a connection is not closed: %v", err)
			}
			c.Close()
		}
		<-got
		noneLeak(t, before)
	})
}
