package gateway

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	tokenSeconds = 3600
	waitDelay    = time.Second
	lookEvery    = time.Millisecond
)

// process keeps the runner of ext-plugin.cmd alive, as a privileged agent does.
type process struct {
	gateway *Gateway
	before  os.FileInfo // what was at the socket's path before the agent
	seen    atomic.Bool // its runner's socket was there
	done    chan struct{}
	ended   chan struct{}
	once    sync.Once

	mu      sync.Mutex
	running *exec.Cmd
}

func (g *Gateway) startProcess() (*process, error) {
	p := &process{gateway: g, before: g.atSocket(), done: make(chan struct{}), ended: make(chan struct{})}
	if err := p.spawn(); err != nil {
		return nil, err
	}
	go p.watch()
	g.serving.Go(p.look)
	return p, nil
}

// spawn starts the runner with the only variables that arrive in one.
func (p *process) spawn() error {
	cmd := exec.Command(p.gateway.options.Cmd[0], p.gateway.options.Cmd[1:]...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"APISIX_LISTEN_ADDRESS=unix:" + p.gateway.socket,
		"APISIX_CONF_EXPIRE_TIME=" + strconv.Itoa(tokenSeconds),
	}
	cmd.Stdout, cmd.Stderr = p.gateway.options.Log, p.gateway.options.Log
	cmd.WaitDelay = waitDelay
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the runner: %w", err)
	}
	p.mu.Lock()
	p.running = cmd
	p.mu.Unlock()
	return nil
}

// look waits until the runner listened.
func (p *process) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !p.listened() {
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

// listened reports whether the path led to another socket since the agent's
// start than before it.
func (p *process) listened() bool {
	if now := p.gateway.atSocket(); now != nil {
		// A file's number may be used again, at another time.
		if p.before == nil || !os.SameFile(p.before, now) || !p.before.ModTime().Equal(now.ModTime()) {
			p.seen.Store(true)
		}
	}
	return p.seen.Load()
}

// watch notices an exit, drops every token and starts the runner again. An
// agent that was told to quit does neither: the tokens in shared memory stay.
func (p *process) watch() {
	defer close(p.ended)
	for {
		err := p.running.Wait()
		p.mu.Lock()
		p.running.Process = nil
		p.mu.Unlock()
		select {
		case <-p.done:
			return
		default:
		}
		p.gateway.flushEveryToken()
		p.gateway.counters.add(func(c *Counts) { c.RunnerExits++ })
		p.gateway.log.Printf("the runner exited (%v), starting it again in %v", err, p.gateway.options.RespawnDelay)
		for {
			select {
			case <-p.done:
				return
			case <-time.After(p.gateway.options.RespawnDelay):
			}
			if err := p.spawn(); err == nil {
				break
			}
			p.gateway.log.Print("the runner could not be started again")
		}
	}
}

func (p *process) runningPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running.Process == nil {
		return 0
	}
	return p.running.Process.Pid
}

func (p *process) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running.Process != nil {
		_ = p.running.Process.Signal(s)
	}
}

// stop ends the runner for good.
func (p *process) stop() {
	p.once.Do(func() { close(p.done) })
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return
	case <-time.After(p.gateway.options.KillAfter):
	}
	p.gateway.counters.add(func(c *Counts) { c.RunnerKills++ })
	p.signal(syscall.SIGKILL)
	<-p.ended
}
