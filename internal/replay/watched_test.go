package replay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/replay"
)

// sick is a memory that fails as long as err is set.
type sick struct{ err error }

func (s *sick) First(context.Context, dpop.Proof, time.Time) (bool, error) {
	return s.err == nil, s.err
}

func TestOnlyChangesOfTheMemorysHealthAreLogged(t *testing.T) {
	var log strings.Builder
	memory := &sick{}
	w := &replay.Watched{Store: memory, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, err := range []error{nil, errors.New("away"), errors.New("away"), nil, nil, errors.New("away")} {
		memory.err = err
		if first, got := w.First(t.Context(), dpop.Proof{}, clock); got != err || first != (err == nil) {
			t.Errorf("First: %v, %v", first, got)
		}
	}
	if bad, good := strings.Count(log.String(), "cannot be asked"), strings.Count(log.String(), "answers again"); bad != 2 || good != 1 {
		t.Errorf("%d and %d lines:\n%s", bad, good, log.String())
	}
}

func TestARequestThatEndedSaysNothingOfTheMemorysHealth(t *testing.T) {
	var log strings.Builder
	w := &replay.Watched{Store: &sick{errors.New("context canceled")}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.First(ended, dpop.Proof{}, clock); err == nil || log.Len() > 0 {
		t.Errorf("%v, %s", err, log.String())
	}
	if _, err := w.First(t.Context(), dpop.Proof{}, clock); err == nil || log.Len() == 0 {
		t.Errorf("%v, and nothing is logged", err)
	}
}
