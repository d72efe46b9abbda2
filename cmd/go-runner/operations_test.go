package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var revocationBlock = regexp.MustCompile("(?ms)^ *```(revoke|unrevoke)\n(.*?)^ *```$")

// TestTheCommandsOfTheOperationsPageRevoke runs what the page has for a day on
// which something was stolen, against a runner of its own.
func TestTheCommandsOfTheOperationsPageRevoke(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	startRunner(t, "--admin-addr", admin)
	t.Setenv("AUTH0_JWT_ADMIN_ADDR", admin)
	until(t, func() bool {
		resp, err := http.Get("http://" + admin + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	commands, taken := 0, 0
	for _, block := range revocationBlock.FindAllStringSubmatch(string(page), -1) {
		if block[1] == "unrevoke" {
			taken++
			takeBack(t, string(page), block[2], admin)
			continue
		}
		for line := range strings.Lines(block[2]) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "go-runner ")
			if !ok {
				t.Errorf("%q is no command", line)
				continue
			}
			commands++
			for _, more := range []string{" --dry-run", ""} {
				var out, errs strings.Builder
				if code := execute(strings.Fields(strings.ReplaceAll(command, "'", "")+more), &out, &errs); code != 0 {
					t.Errorf("%s%s: exit code %d: %s", command, more, code, errs.String())
				}
			}
		}
	}
	if commands < 5 || taken != 1 {
		t.Errorf("%d commands and %d documents were found", commands, taken)
	}
}

var deletes = regexp.MustCompile(`(?m)^ {4}(curl .*DELETE.*)$`)

// takeBack runs the page's curl with the document that it names.
func takeBack(t *testing.T, page, document, admin string) {
	t.Helper()
	curl, err := exec.LookPath("curl")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("this test needs curl (Debian: apt-get install curl)")
	default:
		t.Skip("this test needs curl (Debian: apt-get install curl)")
	}
	shown := deletes.FindStringSubmatch(page)
	if shown == nil {
		t.Fatal("the page does not show how to take a revocation back")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wrong.json"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c", strings.Replace(strings.ReplaceAll(shown[1], "127.0.0.1:9091", admin), "curl", curl, 1))
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", shown[1], err, out)
	}
}
