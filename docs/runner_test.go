package docs_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// module makes a module of somebody else's, which requires this one.
func module(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root := filepath.Dir(open(t, "../go.mod").path)
	mod := strings.Replace(open(t, "../go.mod").text, "module github.com/apisix-auth0-jwt/apisix-auth0-jwt\n", "module example.com/runner\n", 1)
	mod += "\nrequire github.com/apisix-auth0-jwt/apisix-auth0-jwt v0.0.0\n\nreplace github.com/apisix-auth0-jwt/apisix-auth0-jwt => " + root + "\n"
	files["go.mod"], files["go.sum"] = mod, open(t, "../go.sum").text
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestARunnerWithASecondPluginNeedsNoFork builds the programs of docs/runner.md
// in a module of its own, and has the gateway start them.
func TestARunnerWithASecondPluginNeedsNoFork(t *testing.T) {
	page := open(t, "runner.md")
	// The issuer of the test speaks http.
	insecure := strings.NewReplacer("auth0jwt.Options{}", "auth0jwt.Options{AllowInsecure: true}")
	for _, name := range []string{"engine.go", "official.go"} {
		t.Run(name, func(t *testing.T) {
			dir := module(t, map[string]string{"region.go": page.file(t, "region.go"), "main.go": insecure.Replace(page.file(t, name))})
			cmd := exec.Command("go", "build", "-mod=mod", "-o", "runner", ".")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			s := startSite(t)
			own, err := gateway.Start(gateway.Options{
				Cmd: []string{filepath.Join(dir, "runner")}, AdminKey: "key-of-the-test", KillAfter: hangGuard, Log: io.Discard,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = own.Close() })
			s.gateway = own
			route := strings.NewReplacer(
				`\"domain\": \"tenant.eu.auth0.com\"`, `\"issuer\": \"`+s.issuer.URL()+`\"`, "127.0.0.1:8080", s.upstream.Node(),
			).Replace(page.file(t, "route.json"))
			s.put(t, route)
			s.answers(t, "/api/x")
			token, err := s.issuer.Mint(issuer.MintRequest{Claims: stockClaims(s)})
			if err != nil {
				t.Fatal(err)
			}
			if status, _ := s.ask(t, "/api/x", "none"); status != http.StatusUnauthorized {
				t.Errorf("a bad token: status %d", status)
			}
			status, body := s.ask(t, "/api/x", token)
			var echo struct{ Headers map[string][]string }
			if err := json.Unmarshal(body, &echo); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if status != http.StatusOK || strings.Join(echo.Headers["X-Region"], ",") != "eu-central" {
				t.Errorf("status %d, the upstream received %s", status, body)
			}
		})
	}
}

func TestCheckKnowsAPluginThatItIsTold(t *testing.T) {
	binary, file := filepath.Join(bin, "go-runner"), filepath.Join(t.TempDir(), "route.json")
	if err := os.WriteFile(file, []byte(open(t, "runner.md").file(t, "route.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "check", "--plugin", "region", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command(binary, "check", file).CombinedOutput(); err == nil {
		t.Errorf("a plugin that go-runner does not have was not reported:\n%s", out)
	}
}
