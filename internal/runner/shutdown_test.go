package runner_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

func TestShutdownAnswersWhatIsInFlight(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		entered, gate := make(chan struct{}), make(chan struct{})
		path, s := d.start(t, only(&filter{name: "p", waits: true, run: func(x exchange) {
			if x.conf == "slow" {
				close(entered)
				<-gate
			}
			x.w.WriteHeader(http.StatusTeapot)
		}}))
		slow, idle := dial(t, path), dial(t, path)
		r := get()
		r.ConfToken = idle.prepare("fast", entry("p", "fast"))
		idle.call(r)
		answers := make(chan a6.Answer)
		go func() { answers <- slow.route("p", "slow", get()) }()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
		defer cancel()
		stopped := make(chan struct{})
		go func() {
			s.Shutdown(ctx)
			close(stopped)
		}()
		// The idle connection ends, and nobody new comes in.
		if _, err := idle.r.ReadByte(); err == nil {
			t.Error("an idle connection stays open")
		}
		close(gate)
		if a := <-answers; a.Stop == nil || a.Stop.Status != http.StatusTeapot {
			t.Errorf("answer %+v", a)
		}
		<-stopped
		if ctx.Err() != nil {
			t.Error("the shutdown took all of its time")
		}
	})
}

// nearlyOver is a context whose deadline is there, and which ends when the test
// hangs: what is done shortly before the end is done, however slow the machine.
type nearlyOver struct{ context.Context }

func (nearlyOver) Deadline() (time.Time, bool) { return time.Now(), true }

func TestShutdownCancelsContextsInTimeForAnAnswer(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		entered := make(chan struct{})
		path, s := d.start(t, only(&filter{name: "p", waits: true, run: func(x exchange) {
			close(entered)
			<-x.r.Context().Done()
			x.w.WriteHeader(http.StatusTeapot)
		}}))
		c := dial(t, path)
		answers := make(chan a6.Answer)
		go func() { answers <- c.route("p", "", get()) }()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
		defer cancel()
		s.Shutdown(nearlyOver{ctx})
		if a := <-answers; a.Stop == nil || a.Stop.Status != http.StatusTeapot {
			t.Errorf("answer %+v", a)
		}
	})
}
