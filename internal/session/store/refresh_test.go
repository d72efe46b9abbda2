package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// issuer refreshes as an issuer with reuse detection does: a refresh token is good
// once.
type issuer struct {
	mu   sync.Mutex
	used map[string]bool
	n    atomic.Int64
	// entered, where it is there, is told of each refresh, which then waits for
	// leave.
	entered, leave chan struct{}
}

func (i *issuer) refresh(s *session.Session) func(context.Context) (*session.Session, error) {
	return func(ctx context.Context) (*session.Session, error) {
		i.n.Add(1)
		if i.entered != nil {
			i.entered <- struct{}{}
			select {
			case <-i.leave:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.used[s.RefreshToken] {
			return nil, login.ErrInvalidGrant
		}
		if i.used == nil {
			i.used = map[string]bool{}
		}
		i.used[s.RefreshToken] = true
		return successor(s), nil
	}
}

func TestFiftyRequestsRefreshOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := options(t)
		// Two routes of one application, each with a store of its own.
		stores := []*store.Cookies{store.NewCookies(opt), store.NewCookies(opt)}
		s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
		var all sync.WaitGroup
		got := make([]*session.Session, 50)
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = stores[i%2].Refresh(t.Context(), s, time.Now(), auth.refresh(s)); err != nil {
					t.Error(err)
				}
			})
		}
		<-auth.entered
		synctest.Wait() // all the others wait for it
		close(auth.leave)
		all.Wait()
		for _, next := range got {
			if next != got[0] || next.RefreshToken == s.RefreshToken {
				t.Fatal("not all have the same successor")
			}
		}
		// Whoever comes late gets it as well, for 60 s.
		time.Sleep(time.Minute - time.Nanosecond)
		if next, err := stores[0].Refresh(t.Context(), s, time.Now(), auth.refresh(s)); next != got[0] || err != nil {
			t.Errorf("late: %v", err)
		}
		if n := auth.n.Load(); n != 1 {
			t.Errorf("%d refreshes", n)
		}
		time.Sleep(time.Nanosecond)
		auth.entered = nil
		if _, err := stores[0].Refresh(t.Context(), s, time.Now(), auth.refresh(s)); !errors.Is(err, login.ErrInvalidGrant) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestOneThatGivesUpFailsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := store.NewCookies(options(t))
		s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
		first, giveUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Refresh(first, s, time.Now(), auth.refresh(s)); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that gave up: %v", err)
			}
		})
		<-auth.entered
		all.Go(func() {
			if next, err := c.Refresh(t.Context(), s, time.Now(), auth.refresh(s)); next == nil || err != nil {
				t.Errorf("the other: %v", err)
			}
		})
		synctest.Wait()
		giveUp()
		synctest.Wait()
		close(auth.leave)
		all.Wait()
	})
}

func TestARefreshEndsAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := store.NewCookies(options(t))
		s, auth := fresh(), &issuer{entered: make(chan struct{}, 1), leave: make(chan struct{})}
		began := time.Now()
		_, err := c.Refresh(t.Context(), s, began, auth.refresh(s))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestAFailureIsNotRemembered(t *testing.T) {
	opt := options(t)
	c := store.NewCookies(opt)
	s := fresh()
	for range 3 {
		if _, err := c.Refresh(t.Context(), s, start, func(context.Context) (*session.Session, error) { return nil, login.ErrUnavailable }); !errors.Is(err, login.ErrUnavailable) {
			t.Error(err)
		}
	}
	if _, err := c.Refresh(t.Context(), s, start, func(context.Context) (*session.Session, error) { return nil, nil }); err == nil {
		t.Error("nothing is taken for a session")
	}
	if next, err := c.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)); next == nil || err != nil {
		t.Error(err)
	}
	if n := opt.Memory.Running(); n > 0 {
		t.Errorf("%d refreshes are under way", n)
	}
}

func TestAPanicOfARefreshIsThatOfItsRequests(t *testing.T) {
	c := store.NewCookies(options(t))
	s := fresh()
	func() {
		defer func() {
			if caught := recover(); caught != "a mistake" {
				t.Errorf("%v", caught)
			}
		}()
		_, _ = c.Refresh(t.Context(), s, start, func(context.Context) (*session.Session, error) { panic("a mistake") })
	}()
	if next, err := c.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)); next == nil || err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestSessionsAreRefreshedApart(t *testing.T) {
	opt := options(t)
	c := store.NewCookies(opt)
	s := fresh()
	same := *s
	same.RefreshToken = "another"
	b := binding
	b.ClientID = "other"
	opt.Sealer = sealer(t, b, "a")
	auth := &issuer{}
	one := must(c.Refresh(t.Context(), s, start, auth.refresh(s)))
	two := must(c.Refresh(t.Context(), &same, start, auth.refresh(&same)))
	elsewhere := fresh()
	elsewhere.ID, elsewhere.RefreshToken = s.ID, s.RefreshToken
	three, err := store.NewCookies(opt).Refresh(t.Context(), elsewhere, start, (&issuer{}).refresh(elsewhere))
	if err != nil || one == two || one == three {
		t.Errorf("shared, %v", err)
	}
}

func TestALogoutIsNotUndoneByARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := options(t)
		opt.Now = time.Now
		c := store.NewCookies(opt)
		s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
		var all sync.WaitGroup
		all.Go(func() {
			if next, err := c.Refresh(t.Context(), s, time.Now(), auth.refresh(s)); next != nil || !errors.Is(err, login.ErrInvalidGrant) {
				t.Errorf("under way: %v", err)
			}
		})
		<-auth.entered
		must(c.Delete(t.Context(), s, nil))
		close(auth.leave)
		all.Wait()
		if next, err := c.Refresh(t.Context(), s, time.Now(), auth.refresh(s)); next != nil || !errors.Is(err, login.ErrInvalidGrant) {
			t.Errorf("afterwards: %v", err)
		}
		if n := auth.n.Load(); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
}

func TestALogoutEndsARememberedSuccessor(t *testing.T) {
	c := store.NewCookies(options(t))
	s := fresh()
	next := must(c.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)))
	must(c.Delete(t.Context(), next, nil))
	if got, err := c.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)); got != nil || !errors.Is(err, login.ErrInvalidGrant) {
		t.Error(err)
	}
}

func TestWhatIsRememberedOfRefreshesIsBounded(t *testing.T) {
	opt := options(t)
	c := store.NewCookies(opt)
	big := make([]byte, 1<<20)
	var last *session.Session
	for range 100 {
		last = fresh()
		must(c.Refresh(t.Context(), last, start, func(context.Context) (*session.Session, error) {
			next := successor(last)
			next.IDToken = string(big)
			return next, nil
		}))
	}
	if entries, bytes := opt.Memory.KnownRefreshes(); bytes > 16<<20 || entries < 10 || entries > 16 {
		t.Errorf("%d entries of %d bytes", entries, bytes)
	}
	if next, err := c.Refresh(t.Context(), last, start, (&issuer{}).refresh(last)); err != nil || len(next.IDToken) != 1<<20 {
		t.Error("the last one is not remembered")
	}
	// What is too old goes when another comes.
	s := fresh()
	must(c.Refresh(t.Context(), s, start.Add(time.Minute), (&issuer{}).refresh(s)))
	must(c.Refresh(t.Context(), fresh(), start.Add(3*time.Minute), (&issuer{}).refresh(s)))
	if entries, bytes := opt.Memory.KnownRefreshes(); entries != 1 || bytes > 8<<10 {
		t.Errorf("%d entries of %d bytes are left", entries, bytes)
	}
}
