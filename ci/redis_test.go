package ci_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// redisServer is a redis-server of a test's own, which forgets everything when
// it ends.
type redisServer struct {
	address string
	path    string
	cmd     *exec.Cmd
}

func startRedis(t testing.TB) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		const needs = "this test needs redis-server (Debian: apt-get install redis-server)"
		if os.Getenv("REDIS_REQUIRED") != "" {
			t.Fatal(needs)
		}
		t.Skip(needs)
	}
	s := &redisServer{path: path, address: freeAddress(t)}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// freeAddress is one that nobody listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *redisServer) start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	s.cmd = exec.Command(s.path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := eventually(hangGuard, func() error { return s.command("PING", "+PONG") }); err != nil {
		t.Fatal(err)
	}
}

func (s *redisServer) url() string { return "redis://" + s.address }

// kill ends it as a crash does.
func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// command sends one command and wants one answer.
func (s *redisServer) command(command, want string) error {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, command+"\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if got := strings.TrimSpace(line); err == nil && got != want {
		err = fmt.Errorf("redis answers %s with %s", command, got)
	}
	return err
}

// cable leads to an address, and can be cut.
type cable struct {
	address, to string
	all         sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

func startCable(t testing.TB, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{address: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	c.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			c.carry(in)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.all.Wait()
	})
	return c
}

func (c *cable) carry(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = in.Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		_, _ = in.Close(), out.Close()
		return
	}
	c.conns[in], c.conns[out] = true, true
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		c.all.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = in.Close(), out.Close()
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.conns, way[0])
		})
	}
}

// cut ends all connections, and lets no new one through until mend.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}
