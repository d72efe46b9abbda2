package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// shared are two processes that share a Redis.
func shared(t *testing.T, address string) (one, other *store.Cookies) {
	t.Helper()
	process := func() *store.Cookies {
		opt := options(t)
		opt.Redis = client(t, address)
		c := store.NewCookies(opt)
		c.Patient()
		return c
	}
	return process(), process()
}

func TestTwoProcessesRefreshOnce(t *testing.T) {
	address := redisserver.Start(t).Address
	one, other := shared(t, address)
	s, auth := fresh(), &issuer{}
	var all sync.WaitGroup
	tokens := make([]string, 50)
	for i := range tokens {
		all.Go(func() {
			c := one
			if i%2 == 1 {
				c = other
			}
			next, err := c.Refresh(t.Context(), s, start, auth.refresh(s))
			if err != nil {
				t.Error(err)
				return
			}
			tokens[i] = next.RefreshToken
		})
	}
	all.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Fatal("not all have the same successor")
		}
	}
	if n := auth.n.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// TestALeaseIsRenewedWhileTheProviderIsSlow: what is left of it is cut short, as a
// slow provider would, and the next renewal makes it whole.
func TestALeaseIsRenewedWhileTheProviderIsSlow(t *testing.T) {
	address := redisserver.Start(t).Address
	one, other := shared(t, address)
	ticks, renewed := make(chan time.Time), make(chan struct{})
	one.RenewAt(ticks, func() { renewed <- struct{}{} })
	c := client(t, address)
	s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := one.Refresh(t.Context(), s, start, auth.refresh(s)); err != nil {
			t.Error(err)
		}
	})
	<-auth.entered
	locks := must(c.Keys(t.Context(), "*:lock:*").Result())
	if len(locks) != 1 {
		t.Fatalf("%d locks", len(locks))
	}
	for range 3 {
		must(c.PExpire(t.Context(), locks[0], time.Hour).Result())
		ticks <- start
		<-renewed
		if left := must(c.PTTL(t.Context(), locks[0]).Result()); left > 5*time.Minute {
			t.Errorf("%v are left of the lease", left)
		}
	}
	all.Go(func() {
		if _, err := other.Refresh(t.Context(), s, start, auth.refresh(s)); err != nil {
			t.Error(err)
		}
	})
	close(auth.leave)
	all.Wait()
	if n := auth.n.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	if names := must(c.Keys(t.Context(), "*:lock:*").Result()); len(names) > 0 {
		t.Errorf("the lock is left")
	}
}

// TestALockOfAnotherIsNeitherRenewedNorReleased: it was lost, and someone else has
// it.
func TestALockOfAnotherIsNeitherRenewedNorReleased(t *testing.T) {
	for _, fails := range []bool{false, true} {
		address := redisserver.Start(t).Address
		one, _ := shared(t, address)
		ticks, renewed := make(chan time.Time), make(chan struct{})
		one.RenewAt(ticks, func() { renewed <- struct{}{} })
		c := client(t, address)
		s := fresh()
		_, err := one.Refresh(t.Context(), s, start, func(context.Context) (*session.Session, error) {
			lock := must(c.Keys(t.Context(), "*:lock:*").Result())[0]
			must(c.Set(t.Context(), lock, "another", time.Hour).Result())
			ticks <- start
			<-renewed
			if left := must(c.PTTL(t.Context(), lock).Result()); left < 30*time.Minute {
				t.Errorf("renewed: %v", left)
			}
			if fails {
				return nil, login.ErrUnavailable
			}
			return successor(s), nil
		})
		if (err != nil) != fails {
			t.Error(err)
		}
		if locks := must(c.Keys(t.Context(), "*:lock:*").Result()); len(locks) != 1 {
			t.Error("released")
		}
	}
}

func TestAFailedRefreshLetsTheNextProcessTry(t *testing.T) {
	address := redisserver.Start(t).Address
	one, other := shared(t, address)
	s := fresh()
	if _, err := one.Refresh(t.Context(), s, start, func(context.Context) (*session.Session, error) { return nil, login.ErrUnavailable }); !errors.Is(err, login.ErrUnavailable) {
		t.Error(err)
	}
	if next, err := other.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)); next == nil || err != nil {
		t.Error(err)
	}
}

func TestALogoutInAnotherProcessIsNotUndoneByARefresh(t *testing.T) {
	address := redisserver.Start(t).Address
	one, other := shared(t, address)
	s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		if next, err := one.Refresh(t.Context(), s, start, auth.refresh(s)); next != nil || !errors.Is(err, login.ErrInvalidGrant) {
			t.Errorf("under way: %v", err)
		}
	})
	<-auth.entered
	must(other.Delete(t.Context(), s, nil))
	close(auth.leave)
	all.Wait()
	third, _ := shared(t, address)
	if next, err := third.Refresh(t.Context(), s, start, auth.refresh(s)); next != nil || !errors.Is(err, login.ErrInvalidGrant) {
		t.Errorf("afterwards: %v", err)
	}
	if n := auth.n.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

func TestNothingIsRefreshedWhileRedisIsAway(t *testing.T) {
	server := redisserver.Start(t)
	one, other := shared(t, server.Address)
	s, auth := fresh(), &issuer{entered: make(chan struct{}), leave: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		if next, err := one.Refresh(t.Context(), s, start, auth.refresh(s)); next == nil || err != nil {
			t.Errorf("it was under way when Redis went: %v", err)
		}
	})
	<-auth.entered
	server.Kill()
	if _, err := other.Refresh(t.Context(), s, start, auth.refresh(s)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Redis is away: %v", err)
	}
	close(auth.leave)
	all.Wait()
	if next, err := one.Refresh(t.Context(), s, start, auth.refresh(s)); next == nil || err != nil {
		t.Errorf("late, in the process that knows: %v", err)
	}
	if n := auth.n.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

func TestASuccessorInRedisIsSealed(t *testing.T) {
	address := redisserver.Start(t).Address
	one, other := shared(t, address)
	c := client(t, address)
	s := fresh()
	must(one.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)))
	name := must(c.Keys(t.Context(), "*:next:*").Result())[0]
	if left := must(c.PTTL(t.Context(), name).Result()); left > time.Minute {
		t.Errorf("kept for %v", left)
	}
	record := must(c.Get(t.Context(), name).Bytes())
	record[20] ^= 1
	must(c.Set(t.Context(), name, record, time.Minute).Result())
	if next, err := other.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)); next != nil || !errors.Is(err, store.ErrForeign) {
		t.Errorf("a changed one: %v", err)
	}
}

// TestTheKeysOfARefreshHaveOneHashTag: a cluster runs a script only where it has
// all of its keys.
func TestTheKeysOfARefreshHaveOneHashTag(t *testing.T) {
	address := redisserver.Start(t).Address
	one, _ := shared(t, address)
	c := client(t, address)
	s := fresh()
	must(one.Refresh(t.Context(), s, start, (&issuer{}).refresh(s)))
	must(one.Delete(t.Context(), s, nil))
	names := must(c.Keys(t.Context(), "*").Result())
	tags := map[string]bool{}
	for _, name := range names {
		_, tag, _ := strings.Cut(name, "{")
		tag, _, found := strings.Cut(tag, "}")
		tags[tag] = found
	}
	if len(names) != 2 || len(tags) != 1 || tags[""] {
		t.Errorf("%q", names)
	}
}
