// Package redisserver starts a real redis-server for a test, and has it crash,
// come back, lose everything or be out of reach. It must not know what a test
// keeps there.
package redisserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const needs = "this test needs redis-server (Debian: apt-get install redis-server)"

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 5 * time.Minute

// Server is a redis-server of a test's own on loopback. It keeps its address when
// it is killed and started again. Its methods are called by one goroutine.
type Server struct {
	// Address is its host and port, and URL what --redis-url takes.
	Address, URL string

	program, dir string
	persists     bool
	cmd          *exec.Cmd
}

// Start starts a server that forgets everything when it ends. Where redis-server is
// not installed the test is skipped, and with CI set in the environment it fails.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, false)
}

// StartPersistent starts a server that writes every change to a file at once, and
// reads the file when it comes back.
func StartPersistent(t testing.TB) *Server {
	t.Helper()
	return start(t, true)
}

func start(t testing.TB, persists bool) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(needs)
		}
		t.Skip(needs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := &Server{Address: address, URL: "redis://" + address + "/0", program: program, dir: t.TempDir(), persists: persists}
	s.Revive(t)
	t.Cleanup(s.Kill)
	return s
}

// Revive starts a server that was killed, at the same address, and waits until it
// answers.
func (s *Server) Revive(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.Address)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", s.dir}
	if s.persists {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	s.cmd = exec.Command(s.program, args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hangs := time.After(hangGuard)
	for {
		err := s.command("PING", "+PONG")
		if err == nil {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond): // another process: nothing to wait on
		case <-hangs:
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// Kill ends the server as a crash does. One that is dead stays so.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Flush has the server forget everything, while it runs.
func (s *Server) Flush(t testing.TB) {
	t.Helper()
	if err := s.command("FLUSHALL", "+OK"); err != nil {
		t.Fatal(err)
	}
}

// command sends one command, and wants one line as its answer.
func (s *Server) command(command, want string) error {
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, command+"\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(line); got != want {
		return fmt.Errorf("redis answers %s with %s", command, got)
	}
	return nil
}
