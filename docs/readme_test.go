package docs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// site is a gateway with the real runner, an issuer and an upstream.
type site struct {
	issuer   *issuer.Issuer
	upstream *upstream.Upstream
	gateway  *gateway.Gateway
}

// bin is the directory of the go-runner that TestMain built.
var bin string

func TestMain(m *testing.M) { os.Exit(withRunner(m)) }

func withRunner(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "docs"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "go-runner"), "../cmd/go-runner").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	socket := filepath.Join(t.TempDir(), "runner.sock")
	serve(t, exec.Command(filepath.Join(bin, "go-runner"), "run", "--allow-insecure", "--listen", "unix:"+socket))
	var err error
	if s.issuer, err = issuer.Start(issuer.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.issuer.Close() })
	if s.upstream, err = upstream.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.upstream.Close() })
	if s.gateway, err = gateway.Start(gateway.Options{SocketPath: socket, AdminKey: "key-of-the-test", Log: io.Discard}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.gateway.Close() })
	return s
}

// serve starts a runner and waits until it logs that it listens. It ends at stop,
// or with the test.
func serve(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan struct{}), make(chan string, 1)
	go func() {
		var log strings.Builder
		told := false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if !told && strings.Contains(lines.Text(), "listening") {
				told = true
				close(listening)
			}
		}
		ended <- log.String()
	}()
	select {
	case <-listening:
	case log := <-ended:
		t.Fatalf("the runner ended:\n%s", log)
	}
	stop = sync.OnceFunc(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("the runner ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// here replaces what a page names by what there is on this machine.
func (s *site) here() []string {
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	return []string{
		`"domain": "tenant.eu.auth0.com"`, `"issuer": "` + s.issuer.URL() + `"`,
		"https://tenant.eu.auth0.com/", s.issuer.URL(),
		"go-runner check ", "go-runner check --allow-insecure ",
		"go-runner route ", "go-runner route --allow-insecure ",
		"go-runner explain ", "go-runner explain --allow-insecure ",
		"127.0.0.1:9180", host(s.gateway.AdminURL()),
		"127.0.0.1:9080", host(s.gateway.URL()),
		"127.0.0.1:8080", s.upstream.Node(),
	}
}

func environment(more ...string) []string {
	return append([]string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "ADMIN_KEY=key-of-the-test"}, more...)
}

func TestTheREADMEProtectsAFirstRoute(t *testing.T) {
	need(t, "curl")
	need(t, "jq")
	s := startSite(t)
	open(t, "../README.md").runs(t, t.TempDir(), environment("CLIENT_ID=machine", "CLIENT_SECRET=its-secret"), s.here()...)
}

var installBlock = regexp.MustCompile(`(?s)\n    make build\n(.*?)\n\n`)

// The block of commands installs the runner and starts it. The test leaves out make
// build, whose binary TestMain made, and installs below a directory of its own.
func TestTheREADMEInstallsARunnerThatServes(t *testing.T) {
	m := installBlock.FindStringSubmatch(open(t, "../README.md").text)
	if m == nil {
		t.Fatal("README.md does not say how to install")
	}
	dir := t.TempDir()
	local := strings.NewReplacer("sudo ", "", " bin/go-runner ", " "+filepath.Join(bin, "go-runner")+" ",
		"/usr/local/bin", dir, "/run/auth0-jwt", filepath.Join(dir, "run"))
	lines := strings.Split(strings.TrimSpace(m[1]), "\n")
	if len(lines) != 3 {
		t.Fatalf("the commands are %q", lines)
	}
	for _, line := range lines[:2] {
		words := strings.Fields(local.Replace(line))
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	words := strings.Fields(local.Replace(strings.TrimSpace(lines[2])))
	binary := filepath.Join(dir, words[0])
	serve(t, exec.Command(binary, words[1:]...))
	if out, err := exec.Command(binary, "ping", "--listen", words[3]).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// stockClaims are those that Auth0 puts into the access token of a person for an
// API, in a tenant without Actions.
func stockClaims(s *site) map[string]any {
	return map[string]any{
		"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": []string{"https://api.example.com", s.issuer.URL() + "userinfo"},
		"azp": "my_client_id", "scope": "openid profile email read:orders",
	}
}

func TestTheREADMEsPoliciesJudgeTokensOfATenantAsItSays(t *testing.T) {
	s := startSite(t)
	readme := open(t, "../README.md")
	verified, unverified, unscoped := stockClaims(s), stockClaims(s), stockClaims(s)
	with := func(claims map[string]any, event, scope string) {
		set, _ := flow(t, postLogin, event, readme.file(t, "action.js"))
		maps.Copy(claims, kept(set, scope))
	}
	emailless := stockClaims(s)
	with(verified, `{"user": {"email_verified": true}}`, "openid email")
	with(unscoped, `{"user": {"email_verified": true}}`, "openid email")
	with(unverified, `{"user": {"email_verified": false}}`, "openid email")
	with(emailless, `{"user": {"email_verified": true}}`, "openid read:orders")
	unscoped["scope"] = "openid"
	for _, c := range []struct {
		policy, token string
		claims        map[string]any
		want          int
	}{
		{"policy.json", "as Auth0 makes it", stockClaims(s), http.StatusOK},
		{"policy.json", "with the Action's claim", verified, http.StatusOK},
		{"verified.json", "as Auth0 makes it", stockClaims(s), http.StatusForbidden},
		{"verified.json", "with the Action's claim", verified, http.StatusOK},
		{"verified.json", "of an address that is not verified", unverified, http.StatusForbidden},
		{"verified.json", "without the scope", unscoped, http.StatusForbidden},
		{"verified.json", "whose application did not ask for email", emailless, http.StatusForbidden},
	} {
		t.Run(c.policy+" "+c.token, func(t *testing.T) {
			token, err := s.issuer.Mint(issuer.MintRequest{Claims: c.claims})
			if err != nil {
				t.Fatal(err)
			}
			policy := strings.NewReplacer(s.here()...).Replace(readme.file(t, c.policy))
			s.putRoute(t, "/judged/*", policy)
			if got, _ := s.ask(t, "/judged/x", token); got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
		})
	}
}

func (s *site) putRoute(t *testing.T, uri, policy string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"uri": uri, "upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{s.upstream.Node(): 1}},
		"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{"conf": []any{map[string]string{"name": "auth0-jwt", "value": policy}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, string(body))
}

func (s *site) put(t *testing.T, route string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.gateway.AdminURL()+"/apisix/admin/routes/judged", strings.NewReader(route))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", "key-of-the-test")
	if status, body := send(t, req); status != http.StatusOK && status != http.StatusCreated {
		t.Fatalf("the Admin API answered %d %s", status, body)
	}
}

func (s *site) ask(t *testing.T, path, token string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.gateway.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return send(t, req)
}

// answers waits until the gateway reaches its runner.
func (s *site) answers(t *testing.T, path string) {
	t.Helper()
	hangs := time.After(hangGuard)
	for {
		if status, _ := s.ask(t, path, "none"); status != http.StatusServiceUnavailable {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-hangs:
			t.Fatal("the gateway never reached its runner")
		}
	}
}

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 5 * time.Minute

func send(t *testing.T, req *http.Request) (status int, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(req.Context(), hangGuard)
	defer cancel()
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
