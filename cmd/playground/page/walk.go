package page

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
)

// secondGate judges every try once more, in this process, to say how every check
// ended. It asks the same issuers as the runner, is told of the same revocations,
// and begins anew when the runner does.
type secondGate struct {
	mu      sync.Mutex
	gate    *gate.Gate
	start   int // of the runner
	revoked []revocation.Revocation
}

// explain is the walk of a request; conf is nil where the text has errors.
func (s *secondGate) explain(ctx context.Context, bench Bench, text string, conf *config.Config, req gate.Request) (*inspect.Explanation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(bench.Runner().Start)
	if err := s.hear(ctx, bench.Revocations()); err != nil {
		return nil, err
	}
	route := s.gate.Compile([]byte(text))
	if conf == nil || route.Err() != nil {
		return inspect.Explain(ctx, inspect.Case{Gate: s.gate, Route: route, Request: req}), nil
	}
	now := time.Now()
	fetcher := inspect.NewFetcher(operator, nil)
	defer fetcher.Close()
	return inspect.Explain(ctx, inspect.Case{
		Config: conf, Gate: s.gate, Route: route, Request: req, Now: now, Fetch: fetcher,
		Claims: inspect.ShowClaims, Revocations: inspect.RevocationsKnown,
	}), nil
}

// renew makes a gate where there is none of the runner's start.
func (s *secondGate) renew(start int) {
	if s.gate != nil && s.start == start {
		return
	}
	if s.gate != nil {
		s.gate.Close()
	}
	s.gate = gate.New(gate.Options{Config: operator, Logger: slog.New(slog.DiscardHandler)})
	s.start, s.revoked = start, nil
}

// hear makes what is revoked here what is revoked there.
func (s *secondGate) hear(ctx context.Context, revoked []revocation.Revocation) error {
	feed := s.gate.Revocations()
	for _, r := range s.revoked {
		still := func(other revocation.Revocation) bool {
			return other.Issuer == r.Issuer && other.Kind == r.Kind && other.Value == r.Value
		}
		if slices.ContainsFunc(revoked, still) {
			continue
		}
		if _, err := feed.TakeBack(ctx, revocation.IDOf(r.Issuer, r.Kind, r.Value)); err != nil {
			return err
		}
	}
	for _, r := range revoked {
		if slices.Contains(s.revoked, r) {
			continue
		}
		if _, err := feed.Revoke(ctx, r); err != nil {
			return err
		}
	}
	s.revoked = slices.Clone(revoked)
	return nil
}

func (s *secondGate) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		s.gate.Close()
	}
}
