package ci_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
