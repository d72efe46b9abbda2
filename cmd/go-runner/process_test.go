package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a runner in a process of its own.
type process struct {
	*exec.Cmd
	t      *testing.T
	stderr *bufio.Reader
	pipe   io.Closer
	socket string
	read   strings.Builder // of the log so far
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"go-runner"}, args...)
	return cmd
}

func startRunner(t *testing.T, args ...string) *process {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "r.sock")
	p := &process{Cmd: command(append([]string{"run", "--listen", socket}, args...)...), t: t, socket: socket}
	pipe, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stderr, p.pipe = bufio.NewReader(pipe), pipe
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(hangGuard, func() { _ = p.Process.Kill() })
	t.Cleanup(func() {
		guard.Stop()
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	p.says("listening")
	return p
}

// says reads the log up to a line that holds text.
func (p *process) says(text string) (line string) {
	p.t.Helper()
	for {
		line, err := p.stderr.ReadString('\n')
		if err != nil {
			p.t.Fatalf("the log ends without %q: %v", text, err)
		}
		p.read.WriteString(line)
		if strings.Contains(line, text) {
			return line
		}
	}
}

// said is says where the line may have been read already.
func (p *process) said(text string) (line string) {
	p.t.Helper()
	for line := range strings.Lines(p.read.String()) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return p.says(text)
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// misbehave makes the runner log a line.
func (p *process) misbehave() {
	p.t.Helper()
	c, err := net.Dial("unix", p.socket)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte{9, 0, 0, 0}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) answers() {
	p.t.Helper()
	if err := ping(p.socket, hangGuard); err != nil {
		p.t.Error(err)
	}
}

func (p *process) endsWell() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		p.t.Error(err)
	}
}

func TestHangupReadsSettingsAgainAndNamesWhatCannotChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log-level: info\nmax-confs: 10\n")
	p := startRunner(t, "--config", file)
	write("log-level: info\nmax-confs: 11\nallow-insecure: true\nsocket-mode: 0600\n")
	p.signal(syscall.SIGHUP)
	for _, setting := range []string{"max-confs", "socket-mode"} {
		if line := p.says("cannot change"); !strings.Contains(line, setting) {
			t.Errorf("the log names another setting than %s: %s", setting, line)
		}
	}
	if line := p.says("the settings changed"); !strings.Contains(line, `"allow_insecure":true`) {
		t.Error(line)
	}
	p.says("the configurations were read again")
	write("log-level: loud\n")
	p.signal(syscall.SIGHUP)
	p.says("stay as they were")
	p.answers()
	p.endsWell()
}

func TestHangupChangesTheAdminToken(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 32)
	settings := write("settings.yaml", "admin-token: $file://"+write("first", first)+"\n")
	p := startObserved(t, "--config", settings)
	status := func(token string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.admin+"/revocations", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	hangup := func(setting, says string) {
		t.Helper()
		write("settings.yaml", setting)
		p.signal(syscall.SIGHUP)
		p.says(says)
	}
	if a, b := status(first), status(second); a != 200 || b != 401 {
		t.Fatalf("at the start: %d, %d", a, b)
	}
	hangup("admin-token: $file://"+write("second", second)+"\n", "the configurations were read again")
	if a, b := status(first), status(second); a != 401 || b != 200 {
		t.Errorf("after another was named: %d, %d", a, b)
	}
	hangup("admin-token: $file://"+dir+"/absent\n", "stay as they were")
	if a, b := status(first), status(second); a != 401 || b != 200 {
		t.Errorf("after one that is not there: %d, %d", a, b)
	}
	p.endsWell()
}

func TestALostStandardErrorEndsNothing(t *testing.T) {
	p := startRunner(t)
	if err := p.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p.misbehave()
	}
	p.signal(syscall.SIGPIPE)
	p.answers()
	p.endsWell()
}

func TestAStandardErrorThatNobodyReadsHoldsNothingUp(t *testing.T) {
	p := startRunner(t)
	for range 2000 { // of over 100 bytes each, and a pipe takes 64 KiB
		p.misbehave()
	}
	p.answers()
	p.signal(syscall.SIGTERM)
	state, err := p.Process.Wait()
	if err != nil || !state.Success() {
		t.Errorf("%v, %v", state, err)
	}
}

func TestAParentThatWasKilledTakesItsRunnerWithIt(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "go-runner")
	if err := os.Symlink(os.Args[0], link); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "r.sock")
	parent := exec.Command("sh", "-c", link+" run & wait")
	parent.Env = append(os.Environ(), listenEnv+"=unix:"+socket)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return ping(socket, hangGuard) == nil })
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	until(t, func() bool {
		_, err := os.Lstat(socket)
		return os.IsNotExist(err)
	})
}

// until waits until something holds.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	hangs := time.After(hangGuard)
	for !holds() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-hangs:
			t.Fatal("it never comes")
		}
	}
}
