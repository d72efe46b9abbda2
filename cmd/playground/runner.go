package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startWithin = 10 * time.Second // until the runner listens
	stopWithin  = 3 * time.Second  // from SIGTERM until it is killed
)

// runner is the real runner process, beside the gateway.
type runner struct {
	process *os.Process
	ended   chan struct{} // closed when it ended
	err     error         // how; read it after ended
}

// startRunner starts the binary and waits until it listens on socket.
func startRunner(ctx context.Context, binary, socket string, secrets secrets, log io.Writer) (*runner, error) {
	cmd := exec.Command(binary, "run", "--allow-insecure", "--log-level", "warn")
	cmd.Env = append(append(os.Environ(), secrets.environment()...), "APISIX_LISTEN_ADDRESS=unix:"+socket)
	cmd.Stderr = log
	// Its own process group: Ctrl-C reaches it through us, after the gateway.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: build the runner with make build, or name it with --runner", err)
	}
	r := &runner{process: cmd.Process, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = cmd.Wait()
	}()
	if err := r.listens(ctx, socket); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *runner) listens(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the runner does not listen after %v", startWithin))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", socket); err == nil {
			return conn.Close()
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
