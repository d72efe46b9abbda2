package dashboardtest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// hang is how long anything may take before a test says that it hangs.
const hang = 2 * time.Minute

// stack is a gateway with a runner, three issuers, and a Prometheus that reads the
// runner.
type stack struct {
	t *testing.T
	// tenant is well, and is rotated; partner falls ill; away has never answered.
	tenant, partner, away *issuer.Issuer
	upstream              *upstream.Upstream
	gateway               *gateway.Gateway
	admin                 string // the runner's admin address
	prometheus            string // its base URL
}

const webClient = "web"

func startStack(t *testing.T, prometheus string) *stack {
	t.Helper()
	s := &stack{t: t, tenant: startIssuer(t), partner: startIssuer(t), away: startIssuer(t), admin: free(t), prometheus: "http://" + free(t)}
	secret := rand.Text()
	// Its tokens live so shortly that its sessions are refreshed all the time.
	app := issuer.Client{ID: webClient, Secret: secret, RedirectURIs: []string{webOrigin + "/app/callback"}, AccessTokenLifetime: 50}
	if err := s.tenant.Register(app); err != nil {
		t.Fatal(err)
	}
	s.tenant.Set(issuer.Settings{Headless: &issuer.Headless{}})
	if err := s.away.SetFault(issuer.Fault{Path: "discovery", Fault: "status", Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.upstream, err = upstream.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.upstream.Close() })

	dir := t.TempDir()
	binary, socket := filepath.Join(dir, "go-runner"), filepath.Join(dir, "runner.sock")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/go-runner").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	runner := exec.Command(binary, "run", "--listen", socket, "--allow-insecure", "--log-level", "error", "--admin-addr", s.admin)
	runner.Env = append(os.Environ(), "APP_SECRET="+secret, "SESSION_SECRET="+rand.Text()+rand.Text())
	start(t, runner)
	if s.gateway, err = gateway.Start(gateway.Options{SocketPath: socket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.gateway.Close() })
	settings := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: %s}\nscrape_configs:\n- job_name: auth0-jwt\n  static_configs: [{targets: [%q]}]\n", scrapeInterval, s.admin)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command(prometheus, "--config.file="+settings, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+s.prometheus[len("http://"):], "--log.level=error"))
	s.answers("http://" + s.admin + "/readyz")
	s.answers(s.prometheus + "/-/ready")
	return s
}

func startIssuer(t *testing.T) *issuer.Issuer {
	t.Helper()
	i, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

// start starts a process that ends with the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// free is an address of this machine that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers waits until a URL answers with 200.
func (s *stack) answers(url string) {
	s.t.Helper()
	hangs := time.After(hang)
	for {
		if resp, err := http.Get(url); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-hangs:
			s.t.Fatalf("%s does not answer", url)
		}
	}
}

// route puts a route /NAME/* with that name; policy is the rest of its configuration.
func (s *stack) route(name string, of *issuer.Issuer, policy map[string]any) {
	s.t.Helper()
	policy["name"], policy["issuer"], policy["audience"] = name, of.URL(), issuer.DefaultAudience
	value, err := json.Marshal(policy)
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(http.MethodPut, s.gateway.AdminURL()+"/apisix/admin/routes/"+name, map[string]any{
		"uri":      "/" + name + "/*",
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{s.upstream.Node(): 1}},
		"plugins":  map[string]any{"ext-plugin-pre-req": map[string]any{"conf": []any{map[string]string{"name": "auth0-jwt", "value": string(value)}}}},
	})
}

// revoke revokes a token at the runner.
func (s *stack) revoke(iss, jti string) {
	s.t.Helper()
	s.send(http.MethodPost, "http://"+s.admin+"/revocations", map[string]any{"issuer": iss, "jti": jti})
}

func (s *stack) send(method, url string, document any) {
	s.t.Helper()
	body, err := json.Marshal(document)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		s.t.Fatalf("%s %s: %s", method, url, resp.Status)
	}
}
