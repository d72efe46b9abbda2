package ci_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs the shell command that a variable names; nil where there is none.
// The suite cannot tell which runner belongs to a gateway that it did not start,
// and restarting another one would let the restart cases pass without meaning
// anything. So it never guesses.
func command(variable string) func() error {
	command := os.Getenv(variable)
	if command == "" {
		return nil
	}
	return func() error {
		if out, err := shell(command); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		return nil
	}
}

// needRestart skips a case that restarts the runner where the suite cannot.
func needRestart(t *testing.T) {
	t.Helper()
	if under.restart == nil {
		t.Skip("not run: with GATEWAY, set RESTART to a shell command that kills and restarts the runner of that very gateway (ci/README.md has examples)")
	}
}

// TestOnlyRESTARTNamesARunner has a compose project beside it whose side-car
// is up: it may belong to another gateway than GATEWAY.
func TestOnlyRESTARTNamesARunner(t *testing.T) {
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	for _, name := range []string{"docker", "docker-compose"} {
		script := "#!/bin/sh\necho \"$@\" >> " + asked + "\necho runner\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))

	t.Setenv("RESTART", "")
	if command("RESTART") != nil {
		t.Error("without RESTART a runner would be restarted")
	}
	if calls, err := os.ReadFile(asked); err == nil {
		t.Errorf("compose was asked: %s", calls)
	}

	restarted := filepath.Join(dir, "restarted")
	t.Setenv("RESTART", "touch "+restarted)
	if err := command("RESTART")(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(restarted); err != nil {
		t.Error("RESTART was not run")
	}
	t.Setenv("RESTART", "echo no such service; exit 3")
	if err := command("RESTART")(); err == nil || !strings.Contains(err.Error(), "no such service") {
		t.Errorf("a command that failed: %v", err)
	}
}
