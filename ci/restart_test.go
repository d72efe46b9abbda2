package ci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestRestart ends the runner, gently and not. All the routes that are used
// here at a time have one policy: behind a side-car's restart a gateway's
// token of a configuration may name another configuration of the new process.
func TestRestart(t *testing.T) {
	run(t, "killed under load, it comes back by itself", func(t *testing.T) {
		needRestart(t)
		r, twin := newRoute(t, identityOwn), newRoute(t, identityOwn)
		l := startLoad(4, []shot{
			orAway(good("good", r, goodToken(), subject)),
			orAway(good("good, twin route", twin, goodToken(), subject)),
			orAway(bad("rogue key", r, jws{sign: rs256(rogueRSA)}.String(), 401)),
			orAway(bad("expired", twin, claims(map[string]any{"exp": 1}), 401)),
			orAway(bad("no token", r, "", 401)),
		})
		for range 2 {
			l.goOn(t, 100)
			if err := under.restart(); err != nil {
				t.Error(err)
			}
			for _, route := range []route{r, twin} {
				route.await(t, wantStatus(200), request{token: goodToken()})
			}
		}
		l.goOn(t, 100)
		l.finish(t)
		r.passes(t, request{token: goodToken()}).has(t, "X-User-Id", subject)
		r.refuses(t, request{token: "opaque"}, badToken)
	})
	run(t, "a request in flight at SIGTERM is answered", func(t *testing.T) {
		if under.signal == nil {
			t.Skip("not run: only the runner that the suite starts, or the double's, can be signalled (unset GATEWAY)")
		}
		inFlightAtSIGTERM(t)
	})
}

// inFlightAtSIGTERM holds a decision up by key sets that are slow to come.
func inFlightAtSIGTERM(t *testing.T) {
	asked, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(ownRSAKeys); err != nil {
			t.Log(err)
		}
	}))
	defer keys.Close()
	release := sync.OnceFunc(func() { close(gate) })
	defer release()

	p := identityOwn.with(policy{"jwks": nil, "jwks_uri": keys.URL})
	r := newRoute(t, p)
	type result struct {
		answer
		err error
	}
	results := make(chan result, 1)
	go func() {
		a, err := r.try(request{token: goodToken()})
		results <- result{a, err}
	}()
	<-asked
	// Nothing tells from outside when a request has reached the runner.
	<-time.After(150 * time.Millisecond)
	if err := under.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-time.After(200 * time.Millisecond)
	release()
	got := <-results
	if got.err != nil {
		t.Fatal(got.err)
	}
	got.passed(t).has(t, "X-User-Id", subject)

	// The old process ends within a second.
	if err := eventually(5*time.Second, func() error {
		if a, err := r.try(request{}); err != nil || a.status != 503 {
			return fmt.Errorf("the runner still answers after SIGTERM: %d %w", a.status, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := under.revive(); err != nil {
		t.Fatal(err)
	}
	r.await(t, wantStatus(200), request{token: goodToken()})
}
