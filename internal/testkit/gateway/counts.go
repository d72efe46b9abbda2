package gateway

import (
	"errors"
	"fmt"
	"sync"
)

// Counts tell what reloads did, and what became of requests that the runner
// should have judged. What APISIX itself loses is apart from what its runner
// loses.
type Counts struct {
	Reloads int `json:"reloads"`
	// LateSuccessors are runners that did not listen yet when the old agent was
	// told to quit, which waits for nobody.
	LateSuccessors int `json:"late_successors"`
	// RunnerExits are those that nobody asked for, and RunnerKills those that
	// SIGTERM did not end within a second.
	RunnerExits int `json:"runner_exits"`
	RunnerKills int `json:"runner_kills"`
	// CutRunnerConnections and CutClientConnections are what workers closed
	// that were told to quit: idle connections to the runner, and those on which
	// a client might have sent another request.
	CutRunnerConnections int `json:"cut_runner_connections"`
	CutClientConnections int `json:"cut_client_connections"`
	// CutRequests came on a connection that was being closed so. They have no
	// answer, and a client sends them again.
	CutRequests int `json:"cut_requests"`
	// TooEarly were answered 503 since the agent's runner had not listened yet,
	// NoRunner since nobody listened though it had, or in a side-car's place.
	TooEarly int `json:"too_early"`
	NoRunner int `json:"no_runner"`
	// Stale were answered 503 since the runner closed the kept connection just
	// when they were sent: the worker had found it open, and the runner has not
	// read them. Whoever closes a connection at rest risks that, and APISIX
	// does not try again.
	Stale int `json:"stale"`
	// Unanswered were answered 503 since the runner read them and did not
	// answer as it has to.
	Unanswered int `json:"unanswered"`
}

type counters struct {
	mu sync.Mutex
	n  Counts
}

func (c *counters) add(change func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.n)
}

// Counts are those since the start.
func (g *Gateway) Counts() Counts {
	g.counters.mu.Lock()
	defer g.counters.mu.Unlock()
	return g.counters.n
}

// noRunnerError is a connection to the runner that could not be made.
type noRunnerError struct {
	tooEarly bool
	err      error
}

func (e noRunnerError) Error() string {
	return fmt.Sprintf("failed to connect to the runner: %v", e.err)
}
func (e noRunnerError) Unwrap() error { return e.err }

// errStale is a kept connection that was closed with a request unread.
var errStale = errors.New("the runner had closed the connection")

// lost counts a request that the runner did not judge.
func (g *Gateway) lost(err error) {
	var away noRunnerError
	connected := !errors.As(err, &away)
	g.counters.add(func(c *Counts) {
		switch {
		case errors.Is(err, errStale):
			c.Stale++
		case connected:
			c.Unanswered++
		case away.tooEarly:
			c.TooEarly++
		default:
			c.NoRunner++
		}
	})
}
