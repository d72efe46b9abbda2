package docs_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// host is a directory that stands for a host's root, with what install.md puts
// there.
func host(t *testing.T) (root string, here *strings.Replacer) {
	t.Helper()
	root, clone := t.TempDir(), t.TempDir()
	repository := filepath.Dir(open(t, "../go.mod").path)
	for name, at := range map[string]string{"bin": bin, "apisix-conf": filepath.Join(repository, "apisix-conf")} {
		if err := os.Symlink(at, filepath.Join(clone, name)); err != nil {
			t.Fatal(err)
		}
	}
	paths := []string{"/usr/local/bin", root + "/usr/local/bin", "/usr/lib", root + "/usr/lib", "/etc/", root + "/etc/"}
	open(t, "install.md").runs(t, clone, nil, paths...)
	if err := os.MkdirAll(filepath.Join(root, "run/auth0-jwt"), 0o750); err != nil {
		t.Fatal(err)
	}
	return root, strings.NewReplacer(append(paths, "/run/auth0-jwt", root+"/run/auth0-jwt", "127.0.0.1:9100", "127.0.0.1:0")...)
}

// installed is a file of the host, with the paths of the test.
func installed(t *testing.T, root, path string, here *strings.Replacer) string {
	t.Helper()
	text := here.Replace(open(t, filepath.Join(root, path)).text)
	if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

var execStart = regexp.MustCompile(`(?m)^ExecStart=(.*)$`)

// TestTheUnitsOfSystemdServeAndTakeOver runs what the unit runs, twice.
func TestTheUnitsOfSystemdServeAndTakeOver(t *testing.T) {
	need(t, "install")
	root, here := host(t)
	installed(t, root, "etc/auth0-jwt/config.yaml", here)
	command := strings.Fields(execStart.FindStringSubmatch(installed(t, root, "etc/systemd/system/go-runner@.service", here))[1])
	ping := func() {
		t.Helper()
		out, err := exec.Command(command[0], "ping", "--timeout", "5m", "--listen", "unix:"+root+"/run/auth0-jwt/runner.sock").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	stop := serve(t, exec.Command(command[0], command[1:]...))
	ping()
	serve(t, exec.Command(command[0], command[1:]...))
	ping()
	stop()
	ping()
}

func TestSystemdTakesTheUnit(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	root, here := host(t)
	installed(t, root, "etc/systemd/system/go-runner@.service", here)
	unit := filepath.Join(root, "etc/systemd/system/go-runner@.service")
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	rated := regexp.MustCompile("`systemd-analyze security` rates it below ([0-9]) ").FindStringSubmatch(open(t, "install.md").text)
	if rated == nil {
		t.Fatal("install.md does not say how the unit is rated")
	}
	// In tenths.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold="+rated[1]+"0", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

func TestSysusersTakesTheUsers(t *testing.T) {
	sysusers := need(t, "systemd-sysusers")
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := open(t, "../apisix-conf/systemd/auth0-jwt.conf").path
	if out, err := exec.Command(sysusers, "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	users := open(t, filepath.Join(root, "etc/passwd")).text
	for _, name := range []string{"apisix:", "auth0-jwt:"} {
		if !strings.Contains(users, name) {
			t.Errorf("no user %s in\n%s", name, users)
		}
	}
}

func TestAPISIXStartsTheRunnerThatTheConfigurationNames(t *testing.T) {
	var config struct {
		ExtPlugin struct{ Cmd []string } `yaml:"ext-plugin"`
	}
	text := open(t, "install.md").file(t, "cmd.yaml")
	text = strings.NewReplacer("/usr/local/bin", bin, "127.0.0.1:9100", "127.0.0.1:0").Replace(text)
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	s := startSite(t)
	own, err := gateway.Start(gateway.Options{Cmd: config.ExtPlugin.Cmd, AdminKey: "key-of-the-test", KillAfter: hangGuard, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	s.gateway = own
	s.putRoute(t, "/judged/*", `{"domain":"tenant.eu.auth0.com","audience":"https://api.example.com"}`)
	s.answers(t, "/judged/x")
	if status, body := s.ask(t, "/judged/x", "none"); status != http.StatusUnauthorized {
		t.Errorf("status %d: %s", status, body)
	}
}

// TestTheCommandsOfKubernetesAreOfTheChartAndTheSecretOfTheValues: no cluster is
// here, and the names on both sides must be the same.
func TestTheCommandsOfKubernetesAreOfTheChartAndTheSecretOfTheValues(t *testing.T) {
	values, page := open(t, "../apisix-conf/kubernetes/values.yaml").text, open(t, "install.md").text
	version := regexp.MustCompile(`apisix/apisix --version (\S+) `).FindStringSubmatch(page)
	if version == nil {
		t.Fatal("install.md names no version of the chart")
	}
	for name, text := range map[string]string{
		"values.yaml": values, "test.yml, which renders the chart,": open(t, "../.github/workflows/test.yml").text,
	} {
		if !regexp.MustCompile(`(version|chart) ` + regexp.QuoteMeta(version[1]) + `\b`).MatchString(text) {
			t.Errorf("%s is not of chart %s", name, version[1])
		}
	}
	secret := regexp.MustCompile(`create secret generic (\S+) `).FindStringSubmatch(page)
	if secret == nil || !strings.Contains(values, "secretName: "+secret[1]+"\n") {
		t.Errorf("the values do not use the secret %v", secret)
	}
	for _, key := range []string{"admin", "viewer"} {
		if !strings.Contains(page, "--from-literal="+key+"=") || !strings.Contains(values, "{name: "+key+", role: "+key) {
			t.Errorf("the key %s is not on both sides", key)
		}
	}
	for _, flag := range []string{"-f apisix-conf/kubernetes/values.yaml", "--patch-file apisix-conf/kubernetes/grace-period.yaml"} {
		if _, err := os.Stat("../" + strings.Fields(flag)[1]); err != nil || !strings.Contains(page, flag) {
			t.Errorf("install.md has no %s, or the file is not there: %v", flag, err)
		}
	}
}
