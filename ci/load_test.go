package ci_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shot is one kind of request in a load, and how to judge its answer.
type shot struct {
	name  string
	route route
	req   request
	judge func(answer) error
}

// good wants the upstream's answer with exactly this identity.
func good(name string, r route, token, user string) shot {
	return shot{name, r, request{token: token, headers: [][2]string{{"X-User-Id", "spoofed"}}}, func(a answer) error {
		if a.status != 200 || a.echo == nil {
			return fmt.Errorf("status %d, want 200", a.status)
		}
		if got := a.echo.values("X-User-Id"); len(got) != 1 || got[0] != user {
			return errors.New("another identity than the token's reached the upstream")
		}
		return nil
	}}
}

func bad(name string, r route, token string, status int) shot {
	return shot{name, r, request{token: token}, func(a answer) error {
		if a.echo != nil {
			return errors.New("it reached the upstream")
		}
		return wantStatus(status)(a)
	}}
}

// orAway lets an answer be 503 as well: the runner is away.
func orAway(s shot) shot {
	judge := s.judge
	s.judge = func(a answer) error {
		if a.status == 503 && a.echo == nil {
			return nil
		}
		return judge(a)
	}
	return s
}

// load is clients that fire shots in a closed loop.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	totals map[string]int // by kind and status
	wrong  []string
	sent   atomic.Int64
}

func startLoad(clients int, shots []shot) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, totals: map[string]int{}}
	http := newClient(false)
	for range clients {
		l.done.Go(func() {
			for ctx.Err() == nil {
				s := shots[rand.IntN(len(shots))]
				a, err := s.route.tryWith(http, s.req)
				l.count(s, a, err)
			}
		})
	}
	return l
}

func (l *load) count(s shot, a answer, err error) {
	if err == nil {
		err = s.judge(a)
	}
	l.sent.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals[fmt.Sprintf("%s: %d", s.name, a.status)]++
	if err != nil && len(l.wrong) < 10 {
		l.wrong = append(l.wrong, s.name+": "+err.Error())
	}
}

// finish ends the load and reports every wrong verdict.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.cancel()
	l.done.Wait()
	for _, name := range slices.Sorted(maps.Keys(l.totals)) {
		t.Logf("%6d  %s", l.totals[name], name)
	}
	for _, w := range l.wrong {
		t.Error(w)
	}
}

// goOn lets the load send so many more requests, or run for at most 20 s.
func (l *load) goOn(t *testing.T, requests int64) {
	t.Helper()
	until := l.sent.Load() + requests
	err := eventually(20*time.Second, func() error {
		if l.sent.Load() < until {
			return errors.New("the load stands still")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func loadTime() time.Duration {
	if n, err := strconv.ParseFloat(os.Getenv("E2E_SECONDS"), 64); err == nil && n > 0 {
		return time.Duration(n * float64(time.Second))
	}
	return 10 * time.Second
}

// TestManyClients mixes good and bad tokens over routes of different policies.
func TestManyClients(t *testing.T) {
	run(t, "8 clients, no wrong verdict", func(t *testing.T) {
		open := newRoute(t, identityOwn)
		scoped := newRoute(t, identityOwn.with(policy{"required_scopes": []string{"read:orders"}}))
		fetched := newRoute(t, ofIssuer(nil))
		token := under.issuer.mint(t, minting{})
		fetched.await(t, wantStatus(200), request{token: token})
		reader := func(user string) string { return claims(map[string]any{"sub": user, "scope": "read:orders"}) }
		shots := []shot{
			good("good, own key", open, goodToken(), subject),
			good("good, issuer's key", fetched, token, "auth0|user-1"),
			good("good, scope", scoped, reader("auth0|a"), "auth0|a"),
			good("good, another's scope", scoped, reader("auth0|b"), "auth0|b"),
			good("good, another user", open, claims(map[string]any{"sub": "auth0|c"}), "auth0|c"),
			bad("no scope", scoped, goodToken(), 403),
			bad("expired", open, claims(map[string]any{"exp": 1}), 401),
			bad("rogue key", open, jws{sign: rs256(rogueRSA)}.String(), 401),
			bad("alg none", open, jws{header: map[string]any{"alg": "none"}, sign: unsigned}.String(), 401),
			bad("wrong audience", open, claims(map[string]any{"aud": "https://other.example"}), 401),
			bad("issuer's token on another route", open, token, 401),
			bad("own token on the issuer's route", fetched, goodToken(), 401),
			bad("issuer's rogue key", fetched, under.issuer.mint(t, minting{Key: "rogue"}), 401),
			bad("no token", open, "", 401),
			bad("opaque", scoped, "opaque", 401),
		}
		l := startLoad(8, shots)
		start := time.Now()
		<-time.After(loadTime())
		l.finish(t)
		t.Logf("%d requests in %v", l.sent.Load(), time.Since(start).Round(time.Millisecond))
	})
}

// TestRouteChange changes a policy under load.
func TestRouteChange(t *testing.T) {
	run(t, "each answer is by the old policy or the new", func(t *testing.T) {
		before := identityOwn.with(policy{"required_scopes": []string{"a"}})
		after := identityOwn.with(policy{"required_scopes": []string{"b"}})
		r := newRoute(t, before)
		holder := func(scope string) string { return claims(map[string]any{"scope": scope, "sub": "holder-" + scope}) }
		// By either policy the other one's scope is what is missing.
		either := func(has, lacks string) shot {
			s := good("scope "+has, r, holder(has), "holder-"+has)
			judge := s.judge
			s.judge = func(a answer) error {
				if a.status != 403 {
					return judge(a)
				}
				if got := authParams(a.header.Get("WWW-Authenticate"))["scope"]; got != lacks || a.echo != nil {
					return fmt.Errorf("refused for the scope %q, which is neither policy's", got)
				}
				return nil
			}
			return s
		}
		r.await(t, wantStatus(200), request{token: holder("a")})
		l := startLoad(4, []shot{either("a", "b"), either("b", "a"), bad("no scope", r, goodToken(), 403), bad("opaque", r, "opaque", 401)})
		l.goOn(t, 100)
		r.put(t, routeSpec{value: after.text()})
		r.await(t, wantStatus(200), request{token: holder("b")})
		l.goOn(t, 100)
		l.finish(t)
		for range 10 {
			r.refuses(t, request{token: holder("a")}, missingScope("b"))
			r.passes(t, request{token: holder("b")}).has(t, "X-User-Id", "holder-b")
		}
	})
}
