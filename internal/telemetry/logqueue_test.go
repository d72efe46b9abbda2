package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
)

func text(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }

// output blocks until it is opened, or fails.
type output struct {
	mu      sync.Mutex
	written bytes.Buffer
	opened  chan struct{}
	err     error
}

func (o *output) Write(b []byte) (int, error) {
	<-o.opened
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	return o.written.Write(b)
}

func (o *output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func TestLoggingDoesNotWaitForAnOutputThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{opened: make(chan struct{})}
		q := telemetry.NewLogQueue(out, text)
		const lines = 10_000
		for range lines {
			q.Logger().Info("a line") // it would be a deadlock here
		}
		dropped := q.Dropped()
		if dropped == 0 || dropped >= lines {
			t.Errorf("%d of %d lines dropped", dropped, lines)
		}
		close(out.opened)
		synctest.Wait()
		q.Close(time.Minute)
		if got := uint64(strings.Count(out.written.String(), "a line")); got+dropped != lines {
			t.Errorf("%d lines written and %d dropped of %d", got, dropped, lines)
		}
		if !strings.Contains(out.written.String(), "log lines were dropped") {
			t.Error("nothing says that lines were dropped")
		}
	})
}

func TestTheEndDoesNotWaitForAnOutputThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{opened: make(chan struct{})}
		q := telemetry.NewLogQueue(out, text)
		q.Logger().Info("a line")
		begin := time.Now()
		q.Close(50 * time.Millisecond)
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		close(out.opened) // for the test's own end
	})
}

func TestTheEndWritesWhatIsQueued(t *testing.T) {
	out := &output{opened: make(chan struct{})}
	close(out.opened)
	q := telemetry.NewLogQueue(out, text)
	for range 100 {
		q.Logger().Info("a line")
	}
	q.Close(time.Hour)
	if n := strings.Count(out.written.String(), "a line"); n != 100 || q.Dropped() != 0 {
		t.Errorf("%d lines written, %d dropped", n, q.Dropped())
	}
	q.Logger().Info("too late")
	if q.Dropped() != 1 {
		t.Error("a line after the end is not counted")
	}
}

func TestAnOutputThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{opened: make(chan struct{}), err: errors.New("broken pipe")}
		close(out.opened)
		q := telemetry.NewLogQueue(out, text)
		q.Logger().Info("lost")
		synctest.Wait()
		out.fail(nil)
		q.Logger().Info("written")
		q.Close(time.Minute)
		if got := out.written.String(); !strings.Contains(got, "msg=written") || !strings.Contains(got, "lines=1") || q.Dropped() != 1 {
			t.Errorf("%d dropped; written:\n%s", q.Dropped(), got)
		}
	})
}
