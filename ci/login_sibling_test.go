package ci_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// sibling starts another gateway with a runner of its own, which has these
// flags, for the time of a test. Issuer, upstream and secrets are the suite's.
func sibling(t *testing.T, name string, flags ...string) *stack {
	t.Helper()
	switch {
	case os.Getenv("GATEWAY") != "":
		t.Skip("not run: with GATEWAY the suite starts no runner")
	case official():
		t.Skip("not run: the official runner takes no flags")
	}
	s := &stack{
		name: name, adminKey: under.adminKey, issuer: under.issuer, upstream: under.upstream, secrets: under.secrets, dir: under.dir,
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.printLogs(os.Stderr)
		}
		for i := len(s.processes) - 1; i >= 0; i-- {
			s.processes[i].stop()
		}
	})
	s.metrics = freeAddress(t)
	run := append([]string{"run", "--allow-insecure", "--admin-addr", s.metrics}, flags...)
	args := []string{"gateway", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--workers", "2", "--admin-key", s.adminKey}
	if os.Getenv("MODE") == "cmd" {
		args = append(args, "--cmd", strings.Join(append([]string{s.binary("go-runner")}, run...), " "), "--kill-after", "1m")
	} else {
		socket := filepath.Join(s.dir, name+".sock")
		if _, err := s.launch(name, s.binary("go-runner"), []string{"APISIX_LISTEN_ADDRESS=unix:" + socket}, nil, run...); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--socket", socket)
	}
	_, ready, err := s.startLogging("gateway", name, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	s.gateway, s.admin = strings.TrimSuffix(ready.URL, "/"), strings.TrimSuffix(ready.Admin, "/")
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// scrape is what the runner's admin server says of itself.
func (s *stack) scrape(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v", resp.Status, err)
	}
	return string(text)
}

// redisServer is a Redis of a test's own.
type redisServer struct {
	path, address string
	cmd           *exec.Cmd
	once          *sync.Once
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		const needs = "this test needs redis-server (Debian: apt-get install redis-server)"
		if os.Getenv("REDIS_REQUIRED") != "" {
			t.Fatal(needs)
		}
		t.Skip("not run: " + needs)
	}
	r := &redisServer{path: path, address: freeAddress(t)}
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) url() string { return "redis://" + r.address }

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.address)
	r.cmd, r.once = exec.Command(r.path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir()), new(sync.Once)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := eventually(hangGuard, func() error {
		conn, err := net.DialTimeout("tcp", r.address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}); err != nil {
		t.Fatal(fmt.Errorf("redis-server does not listen: %w", err))
	}
}

func (r *redisServer) kill() {
	r.once.Do(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
}
