package ci_test

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// handovers is how often a runner hands over to its successor in each case.
const handovers = 20

// gatewayCounts are what the double counts, as its /double/counts names them.
type gatewayCounts struct {
	LateSuccessors       int `json:"late_successors"`
	RunnerExits          int `json:"runner_exits"`
	CutRunnerConnections int `json:"cut_runner_connections"`
	CutClientConnections int `json:"cut_client_connections"`
	CutRequests          int `json:"cut_requests"`
	TooEarly             int `json:"too_early"`
	NoRunner             int `json:"no_runner"`
	Stale                int `json:"stale"`
	Unanswered           int `json:"unanswered"`
}

func (c gatewayCounts) since(before gatewayCounts) gatewayCounts {
	return gatewayCounts{
		LateSuccessors:       c.LateSuccessors - before.LateSuccessors,
		RunnerExits:          c.RunnerExits - before.RunnerExits,
		CutRunnerConnections: c.CutRunnerConnections - before.CutRunnerConnections,
		CutClientConnections: c.CutClientConnections - before.CutClientConnections,
		CutRequests:          c.CutRequests - before.CutRequests,
		TooEarly:             c.TooEarly - before.TooEarly,
		NoRunner:             c.NoRunner - before.NoRunner,
		Stale:                c.Stale - before.Stale,
		Unanswered:           c.Unanswered - before.Unanswered,
	}
}

// TestHandover has one runner follow another under load. Every answer is right,
// or a 503 of a request that no runner has read, for a reason that is APISIX's.
func TestHandover(t *testing.T) {
	if official() {
		t.Skip("not run: the official runner deletes its successor's socket at its end, and APISIX answers 503 for good")
	}
	run(t, "APISIX is reloaded", func(t *testing.T) {
		if under.reload == nil {
			t.Skip("not run: the runner has to be one that the gateway starts: set MODE=cmd, or with GATEWAY set RELOAD to a shell command that reloads that very gateway (ci/README.md has an example)")
		}
		handOver(t, under.reload)
	})
	run(t, "a side-car's successor is started before it is stopped", func(t *testing.T) {
		if under.succeed == nil {
			t.Skip("not run: only a side-car that the suite started can be followed by another (unset GATEWAY and MODE)")
		}
		if c := handOver(t, under.succeed); c.TooEarly+c.Stale > 0 {
			t.Errorf("%d requests met no runner, and %d a connection that it was just closing", c.TooEarly, c.Stale)
		}
	})
}

func handOver(t *testing.T, next func() error) gatewayCounts {
	scoped := newRoute(t, identityOwn.with(policy{"required_scopes": []string{"read:orders"}}))
	open := newRoute(t, identityOwn)
	var away atomic.Int64
	orAway := func(s shot) shot {
		judge := s.judge
		s.judge = func(a answer) error {
			if a.status == 503 && a.echo == nil {
				away.Add(1)
				return nil
			}
			return judge(a)
		}
		return s
	}
	l := startLoad(8, []shot{
		orAway(good("good", open, goodToken(), subject)),
		orAway(good("good, scope", scoped, claims(map[string]any{"scope": "read:orders"}), subject)),
		orAway(bad("no scope", scoped, goodToken(), 403)),
		orAway(bad("rogue key", open, jws{sign: rs256(rogueRSA)}.String(), 401)),
		orAway(bad("no token", scoped, "", 401)),
	})
	before := countsOfGateway(t)
	for range handovers {
		l.goOn(t, 50)
		if err := next(); err != nil {
			t.Error(err)
			break
		}
		for _, r := range []route{open, scoped} {
			r.await(t, func(a answer) error {
				if a.status != 401 {
					return fmt.Errorf("status %d, want 401", a.status)
				}
				return nil
			}, request{})
		}
	}
	l.goOn(t, 50)
	l.finish(t)
	if under.counts == nil {
		t.Logf("%d requests, %d of them answered 503: this gateway does not tell why", l.sent.Load(), away.Load())
		return gatewayCounts{}
	}
	c := countsOfGateway(t).since(before)
	t.Logf("%d requests; APISIX itself cut %d idle connections to the runner and %d of clients, and lost %d requests on them, which clients send again;"+
		" %d met a connection that the runner was just closing, and APISIX does not send them again;"+
		" %d of %d runners listened only after APISIX had told their predecessor to end, and %d requests met neither",
		l.sent.Load(), c.CutRunnerConnections, c.CutClientConnections, c.CutRequests, c.Stale, c.LateSuccessors, handovers, c.TooEarly)
	if c.NoRunner+c.Unanswered+c.RunnerExits > 0 {
		t.Errorf("the runner lost requests: %d found nobody listening, %d got no answer, %d runners exited unasked", c.NoRunner, c.Unanswered, c.RunnerExits)
	}
	return c
}

func countsOfGateway(t *testing.T) (c gatewayCounts) {
	t.Helper()
	if under.counts == nil {
		return c
	}
	c, err := under.counts()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
