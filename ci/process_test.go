package ci_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is one that the suite started, and so ends.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
}

// readiness is the one line that a server of the playground prints.
type readiness struct {
	Ready string `json:"ready"`
	URL   string `json:"url"`
	Admin string `json:"admin"`
}

// start starts a server of the playground and waits for its line.
func (s *stack) start(name string, env []string, args ...string) (*process, readiness, error) {
	return s.startLogging(name, name, env, args...)
}

// startLogging is start with a log of another name.
func (s *stack) startLogging(name, log string, env []string, args ...string) (*process, readiness, error) {
	var ready readiness
	out, in, err := os.Pipe()
	if err != nil {
		return nil, ready, err
	}
	p, err := s.launch(log, s.binary("playground"), env, in, args...)
	in.Close()
	if err != nil {
		out.Close()
		return nil, ready, err
	}
	lines := make(chan string, 1)
	go func() {
		defer out.Close()
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, r)
	}()
	select {
	case line := <-lines:
		if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Ready != name {
			return nil, ready, fmt.Errorf("playground %s: want its line of readiness, got %q", name, line)
		}
		return p, ready, nil
	case <-time.After(20 * time.Second):
		return nil, ready, fmt.Errorf("playground %s was not ready within 20 s", name)
	}
}

// launch starts a process; its log goes to a file that is printed when the
// suite fails.
func (s *stack) launch(name, path string, env []string, stdout *os.File, args ...string) (*process, error) {
	log, err := os.OpenFile(s.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr, p.cmd.Stdout = log, log
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	s.processes = append(s.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end, and ends it after 3 s.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		p.kill()
	}
}

// end asks the process to end, and waits for it.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(hangGuard):
		return fmt.Errorf("%s does not end at SIGTERM", p.name)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

func (s *stack) log(name string) string { return filepath.Join(s.dir, name+".log") }

// printLogs prints the end of every process's log.
func (s *stack) printLogs(w io.Writer) {
	const most = 4 << 10
	printed := map[string]bool{}
	for _, p := range s.processes {
		data, err := os.ReadFile(s.log(p.name))
		if err != nil || len(data) == 0 || printed[p.name] {
			continue
		}
		printed[p.name] = true
		fmt.Fprintf(w, "--- the end of the log of %s\n%s\n", p.name, data[max(0, len(data)-most):])
	}
}

// eventually tries until there is no error, and returns the last one when the
// time is over.
func eventually(limit time.Duration, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}
