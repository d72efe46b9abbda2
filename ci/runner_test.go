package ci_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// startSidecar starts the runner that the gateway finds by its socket.
func (s *stack) startSidecar(socket string) error {
	var runner *process
	launch := func(flags ...string) (*process, error) {
		return s.launch("runner", s.binary("go-runner"), []string{"APISIX_LISTEN_ADDRESS=unix:" + socket}, nil,
			append([]string{"run", "--allow-insecure"}, flags...)...)
	}
	s.revive = func() (err error) {
		if runner, err = launch(); err != nil {
			return err
		}
		return eventually(10*time.Second, func() error {
			conn, err := net.Dial("unix", socket)
			if err == nil {
				conn.Close()
			}
			return err
		})
	}
	s.signal = func(sig syscall.Signal) error { return runner.cmd.Process.Signal(sig) }
	s.pid = func() (int, error) { return runner.cmd.Process.Pid, nil }
	s.restart = func() error {
		runner.kill()
		return s.revive()
	}
	s.succeed = func() error {
		before, err := os.Lstat(socket)
		if err != nil {
			return err
		}
		next, err := launch("--takeover")
		if err != nil {
			return err
		}
		if err := eventually(hangGuard, func() error { return replaced(socket, before) }); err != nil {
			return err
		}
		predecessor := runner
		runner = next
		return predecessor.end()
	}
	return s.revive()
}

// hangGuard is long enough for the slowest machine.
const hangGuard = time.Minute

// replaced is nil where a path leads to another file than before.
func replaced(path string, before os.FileInfo) error {
	now, err := os.Lstat(path)
	if err == nil && os.SameFile(before, now) {
		return errors.New("the successor did not take the socket over")
	}
	return err
}

// child is the runner that the double started itself.
func (s *stack) child() (pid int, err error) {
	var runner struct {
		PID int `json:"pid"`
	}
	if err := getJSON(s.admin+"/double/runner", &runner); err != nil {
		return 0, err
	}
	if runner.PID <= 1 {
		return 0, fmt.Errorf("the double names no runner: pid %d", runner.PID)
	}
	return runner.PID, nil
}

func (s *stack) signalChild(sig syscall.Signal) error {
	pid, err := s.child()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// reloadDouble has the double do what APISIX does at a reload.
func (s *stack) reloadDouble() error {
	client := http.Client{Timeout: 2 * hangGuard}
	resp, err := client.Post(s.admin+"/double/reload", "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST /double/reload: %s", resp.Status)
	}
	return nil
}
