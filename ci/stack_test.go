package ci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const defaultAdminKey = "edd1c9f034335f136f87ad84b625c8f1"

// stack is what the cases talk to.
type stack struct {
	name     string
	gateway  string // base URL, no slash at the end
	admin    string // base URL, no slash at the end
	adminKey string
	issuer   *issuer
	upstream *upstream

	// restart kills the runner and sees to it that it comes back; nil where
	// the suite cannot.
	restart func() error
	// restarts is how often a case may do it: the side-car is back at once, a
	// runner that the gateway starts after 3 s.
	restarts int
	// signal sends the runner a signal, and revive starts it again where
	// nothing else does; nil where the suite does not know the process.
	signal func(syscall.Signal) error
	revive func() error
	// reload has the gateway start its workers and its runner anew, and succeed
	// has another side-car take over from the one there is; nil where the suite
	// cannot.
	reload, succeed func() error
	// counts are the double's; nil with another gateway.
	counts func() (gatewayCounts, error)
	// pid is the runner's process; nil where the suite does not know it.
	pid func() (int, error)

	dir       string
	processes []*process
	secrets   secrets // of login
	metrics   string  // address of the runner's admin server; "" is none
}

func startStack() (s *stack, err error) {
	s = &stack{adminKey: defaultAdminKey}
	if key := os.Getenv("ADMIN_KEY"); key != "" {
		s.adminKey = key
	}
	if s.dir, err = os.MkdirTemp("", "e2e"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.printLogs(os.Stderr)
			s.stop()
		}
	}()
	if os.Getenv("GATEWAY") != "" {
		s.secrets = secretsOfGateway()
		return s, s.startAround(os.Getenv("GATEWAY"), os.Getenv("ADMIN"))
	}
	if s.secrets, err = ownSecrets(s.dir); err != nil {
		return nil, err
	}
	return s, s.startAll(os.Getenv("MODE"))
}

// startAll builds and starts everything on loopback.
func (s *stack) startAll(mode string) error {
	if err := s.build("go-runner", "playground"); err != nil {
		return err
	}
	if err := s.startIssuerAndUpstream(); err != nil {
		return err
	}
	socket := filepath.Join(s.dir, "runner.sock")
	args := []string{"gateway", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--workers", "2", "--admin-key", s.adminKey}
	switch mode {
	case "", "sidecar":
		s.name, s.restarts = "the gateway double with a side-car", 100
		if err := s.startSidecar(socket); err != nil {
			return err
		}
		args = append(args, "--socket", socket)
	case "cmd":
		s.name, s.restarts = "the gateway double with ext-plugin.cmd", 3
		// The hang guard instead of APISIX's 1 s: a busy machine loses nothing.
		args = append(args, "--cmd", s.binary("go-runner")+" run --allow-insecure", "--kill-after", "1m")
		s.reload = s.reloadDouble
		s.pid = s.child
		s.signal, s.revive = s.signalChild, func() error { return nil }
		s.restart = func() error { return s.signalChild(syscall.SIGKILL) }
	default:
		return fmt.Errorf("MODE=%s: want cmd, sidecar or nothing", mode)
	}
	if official() {
		s.name += ", official runner"
	}
	_, ready, err := s.start("gateway", nil, args...)
	if err != nil {
		return err
	}
	s.gateway, s.admin = strings.TrimSuffix(ready.URL, "/"), strings.TrimSuffix(ready.Admin, "/")
	s.counts = func() (c gatewayCounts, err error) { return c, getJSON(s.admin+"/double/counts", &c) }
	return nil
}

// startAround uses a gateway that runs already.
func (s *stack) startAround(gateway, admin string) error {
	if admin == "" {
		return errors.New("GATEWAY is set and ADMIN is not: give the Admin API's base URL, such as http://127.0.0.1:9180")
	}
	s.name, s.restarts = gateway, 3
	s.gateway = strings.TrimSuffix(gateway, "/")
	s.admin = strings.TrimSuffix(strings.TrimSuffix(admin, "/"), "/apisix/admin")
	s.restart, s.reload = command("RESTART"), command("RELOAD")
	issuerAt, upstreamAt := envOr("ISSUER", "http://127.0.0.1:9000"), envOr("UPSTREAM", "http://127.0.0.1:9001")
	issuerHealth, issuerErr := health(issuerAt, "issuer")
	_, upstreamErr := health(upstreamAt, "upstream")
	if issuerErr == nil && upstreamErr == nil {
		pages, err := pagesOf(strings.TrimSuffix(issuerAt, "/"))
		if err != nil {
			return err
		}
		s.issuer = &issuer{url: issuerHealth.URL, pages: pages, control: strings.TrimSuffix(issuerAt, "/")}
		u, err := url.Parse(upstreamAt)
		if err != nil {
			return fmt.Errorf("UPSTREAM: %w", err)
		}
		node := "upstream:9001"
		if os.Getenv("UPSTREAM") != "" {
			node = u.Host
		}
		s.upstream = &upstream{control: strings.TrimSuffix(upstreamAt, "/"), node: envOr("UPSTREAM_NODE", node)}
		return nil
	}
	for name, err := range map[string]error{"ISSUER": issuerErr, "UPSTREAM": upstreamErr} {
		if os.Getenv(name) != "" && err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := s.build("playground"); err != nil {
		return err
	}
	return s.startIssuerAndUpstream()
}

func (s *stack) startIssuerAndUpstream() error {
	_, ready, err := s.start("issuer", nil, "issuer", "--addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.issuer = &issuer{url: ready.URL, pages: ready.URL, control: strings.TrimSuffix(ready.URL, "/")}
	if _, ready, err = s.start("upstream", nil, "upstream", "--addr", "127.0.0.1:0"); err != nil {
		return err
	}
	u, err := url.Parse(ready.URL)
	if err != nil {
		return err
	}
	s.upstream = &upstream{control: strings.TrimSuffix(ready.URL, "/"), node: u.Host}
	return nil
}

func (s *stack) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
	os.RemoveAll(s.dir)
}

func (s *stack) binary(name string) string { return filepath.Join(s.dir, name) }

// official reports whether the plugin runs in the official runner, by RUNNER.
func official() bool { return os.Getenv("RUNNER") == "official" }

func (s *stack) build(names ...string) error {
	for _, name := range names {
		source := "./cmd/" + name
		if name == "go-runner" && official() {
			source = "./ci/official"
		}
		cmd := exec.Command("go", "build", "-o", s.binary(name), source)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
	}
	return nil
}

type healthz struct {
	Kind string `json:"kind"`
	URL  string `json:"url"`
}

func health(base, kind string) (h healthz, err error) {
	if err := getJSON(strings.TrimSuffix(base, "/")+"/healthz", &h); err != nil {
		return h, err
	}
	if h.Kind != kind {
		return h, fmt.Errorf("%s/healthz is not an %s of this project", base, kind)
	}
	return h, nil
}

// pagesOf is where an issuer has browsers find its pages: in containers, it is
// elsewhere than where the runner finds the issuer.
func pagesOf(control string) (string, error) {
	var metadata struct {
		Endpoint string `json:"authorization_endpoint"`
	}
	if err := getJSON(control+"/.well-known/openid-configuration", &metadata); err != nil {
		return "", err
	}
	pages, is := strings.CutSuffix(metadata.Endpoint, "authorize")
	if !is {
		return "", fmt.Errorf("%s has its login page at %q", control, metadata.Endpoint)
	}
	return pages, nil
}

func getJSON(from string, into any) error {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(from)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", from, resp.Status)
	}
	return json.Unmarshal(body, into)
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func shell(command string) ([]byte, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = ".."
	return cmd.CombinedOutput()
}
