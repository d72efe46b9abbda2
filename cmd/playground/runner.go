package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startWithin = 10 * time.Second // until the runner serves
	stopWithin  = 3 * time.Second  // from SIGTERM until it is killed
)

// adminTokenName is the variable that the runner finds its admin token in.
const adminTokenName = "PLAYGROUND_ADMIN_TOKEN"

// launch is how a runner process is started; those of one launch follow one
// another on its socket.
type launch struct {
	binary, socket string
	secrets        secrets
	token          string // of the admin address
	log            io.Writer
}

func newLaunch(binary, socket string, s secrets, log io.Writer) launch {
	return launch{binary, socket, s, rand.Text() + rand.Text(), log}
}

// runner is the real runner process, beside the gateway.
type runner struct {
	process *os.Process
	admin   string        // URL of its admin address
	ended   chan struct{} // closed when it ended
	err     error         // how; read it after ended
}

// start starts the binary and waits until it serves on the socket. A runner that
// serves there already keeps the requests that it has, and gets no new ones.
func (l launch) start(ctx context.Context) (*runner, error) {
	admin := free("127.0.0.1:0")
	cmd := exec.Command(l.binary, "run", "--allow-insecure", "--log-level", "error")
	// The token is in the environment: whoever lists processes reads arguments.
	cmd.Env = append(append(os.Environ(), l.secrets.environment()...),
		"APISIX_LISTEN_ADDRESS=unix:"+l.socket, "AUTH0_JWT_ADMIN_ADDR="+admin,
		"AUTH0_JWT_ADMIN_TOKEN=$env://"+adminTokenName, adminTokenName+"="+l.token)
	cmd.Stderr = l.log
	// Its own process group: Ctrl-C reaches it through us, after the gateway.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: build the runner with make build, or name it with --runner", err)
	}
	r := &runner{process: cmd.Process, admin: "http://" + admin, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = cmd.Wait()
	}()
	if err := r.serves(ctx); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// serves waits until the runner's socket is its own and answers.
func (r *runner) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the runner does not listen after %v", startWithin))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ready(ctx, r.admin+"/readyz") {
			return nil
		}
		select {
		case <-tick.C:
		case <-r.ended:
			return errors.New("the runner ended before it listened")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func ready(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// up reports whether the process runs.
func (r *runner) up() bool {
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// stop ends it by SIGTERM, or kills it. The error is how it ended.
func (r *runner) stop() error {
	_ = r.process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-r.ended:
	case <-time.After(stopWithin):
		_ = r.process.Kill()
		<-r.ended
		return fmt.Errorf("the runner did not end within %v of SIGTERM", stopWithin)
	}
	if r.err != nil {
		return fmt.Errorf("the runner: %w", r.err)
	}
	return nil
}

// free is addr, or any free port where somebody has that one.
func free(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return free("127.0.0.1:0")
	}
	defer l.Close()
	return l.Addr().String()
}
