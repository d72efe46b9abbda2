package revocation_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// server is a redis-server of the test's own, which can be killed and started
// again at the same address.
type server struct {
	url, address string
	persistent   bool // it writes every change to a file at once
	path, dir    string
	cmd          *exec.Cmd
}

func startRedis(t testing.TB) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		const needs = "this test needs redis-server (Debian: apt-get install redis-server)"
		if os.Getenv("REDIS_REQUIRED") != "" {
			t.Fatal(needs)
		}
		t.Skip(needs)
	}
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	s := &server{path: path, dir: t.TempDir(), address: l.Addr().String()}
	s.url = "redis://" + s.address + "/0"
	_ = l.Close()
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", s.dir}
	if s.persistent {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	s.cmd = exec.Command(s.path, args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "redis-server answers", func() bool {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			return false
		}
		defer conn.Close()
		if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
			return false
		}
		answer := make([]byte, 5)
		_, err = io.ReadFull(conn, answer)
		return err == nil && string(answer) == "+PONG"
	})
}

// stop kills it, as a crash does.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// proxy stands before a Redis, and can be cut.
type proxy struct {
	address, to string
	listener    net.Listener
	all         sync.WaitGroup

	mu    sync.Mutex
	off   bool
	conns map[net.Conn]bool
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	p := &proxy{address: l.Addr().String(), to: to, listener: l, conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil || !p.keep(in, out) {
			_ = in.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			p.all.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].Close()
			})
		}
	}
}

func (p *proxy) keep(in, out net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		_ = out.Close()
		return false
	}
	p.conns[in], p.conns[out] = true, true
	return true
}

// cut ends all connections and lets no new one through.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}
