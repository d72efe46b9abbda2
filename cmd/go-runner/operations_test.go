package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
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
			req, err := http.NewRequest(http.MethodDelete, "http://"+admin+"/revocations", bytes.NewBufferString(block[2]))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if taken++; resp.StatusCode != http.StatusOK {
				t.Errorf("DELETE: %s: %s", resp.Status, said)
			}
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
