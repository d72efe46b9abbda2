package ci_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOppositePolicies restarts the runner under load while two routes have
// opposite policies: what the one takes, the other refuses. A configuration
// token that the gateway kept from before a restart must never make one of
// them be judged by the other's policy.
func TestOppositePolicies(t *testing.T) {
	run(t, "no request is judged by the other route's policy", func(t *testing.T) {
		needRestart(t)
		token := claims(map[string]any{"scope": "one"})
		takes := newRoute(t, identityOwn.with(policy{"required_scopes": []string{"one"}}))
		refuses := newRoute(t, identityOwn.with(policy{"required_scopes": []string{"two"}}))
		takes.await(t, wantStatus(200), request{token: token})
		refuses.await(t, wantStatus(403), request{token: token})

		var requests, away, wrong, lost atomic.Int64
		var restarting atomic.Bool
		done := make(chan struct{})
		var clients sync.WaitGroup
		for n := range 4 {
			clients.Go(func() {
				for i := n; ; i++ {
					select {
					case <-done:
						return
					default:
					}
					r, want := takes, 200
					if i%2 == 1 {
						r, want = refuses, 403
					}
					gap := restarting.Load()
					a, err := r.try(request{token: token})
					requests.Add(1)
					switch {
					case err == nil && a.status == want:
					case err == nil && a.status == 503 && (gap || restarting.Load()):
						away.Add(1)
					case err == nil && (a.status == 200 || a.status == 403):
						wrong.Add(1)
					default:
						lost.Add(1)
					}
				}
			})
		}
		stop := sync.OnceFunc(func() {
			close(done)
			clients.Wait()
		})
		defer stop()
		for range under.restarts {
			restarting.Store(true)
			if err := under.restart(); err != nil {
				t.Error(err)
			}
			for _, r := range []route{takes, refuses} {
				if err := eventually(10*time.Second, func() error {
					if a, err := r.try(request{token: token}); err != nil || a.status == 503 {
						return fmt.Errorf("the runner did not come back: %d %w", a.status, err)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			restarting.Store(false)
			// Some load on the new process before it goes too.
			for until := requests.Load() + 60; requests.Load() < until; {
				runtime.Gosched()
			}
		}
		stop()
		t.Logf("%d restarts, %d requests: %d of them 503 in a gap, %d lost outside of one, %d judged by the other route's policy",
			under.restarts, requests.Load(), away.Load(), lost.Load(), wrong.Load())
		if official() {
			return // its tokens count from 1 in every process: no plugin can mend that
		}
		if wrong.Load() > 0 || lost.Load() > 0 {
			t.Error("wrong or lost answers")
		}
	})
}
