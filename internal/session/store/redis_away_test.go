package store_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// TestRedisAway: refused connections, and a server that takes them and says
// nothing.
func TestRedisAway(t *testing.T) {
	server := redisserver.Start(t)
	silent := must(net.Listen("tcp", "127.0.0.1:0"))
	defer silent.Close()
	r, _ := inRedis(t, server.Address)
	s, browser := fresh(), jar{}
	browser.take(must(r.Save(t.Context(), s, nil, start)))
	_, _, _ = r.Open(t.Context(), browser.lines(), start)
	server.Kill()
	opt := options(t)
	opt.Redis = client(t, silent.Addr().String())
	quiet := store.NewRedis(opt)
	later := start.Add(time.Minute)
	for name, r := range map[string]*store.Redis{"refused": r, "silent": quiet} {
		if got, stale, err := r.Open(t.Context(), browser.lines(), later); got != nil || stale || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: open: stale %t, %v", name, stale, err)
		}
		for _, lines := range [][]string{nil, browser.lines()} {
			if set, err := r.Save(t.Context(), s, lines, later); set != nil || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: save: %v", name, err)
			}
		}
		if set, err := r.Delete(t.Context(), s, browser.lines()); len(set) != 1 || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: delete: %q, %v", name, set, err)
		}
		if got, stale, err := r.Open(t.Context(), nil, later); got != nil || stale || err != nil {
			t.Errorf("%s: no cookie: %v", name, err)
		}
	}
}

func TestWhatRedisTakesIsBounded(t *testing.T) {
	address := redisserver.Start(t).Address
	r, _ := inRedis(t, address)
	s := fresh()
	s.IDToken = jwt(12_000)
	if _, err := r.Save(t.Context(), s, nil, start); err != nil {
		t.Errorf("claims of 12 KB: %v", err)
	}
	s.IDToken = jwt(70_000)
	if _, err := r.Save(t.Context(), s, nil, start); !errors.Is(err, login.ErrTooLarge) {
		t.Errorf("claims of 70 KB: %v", err)
	}
}

func TestACookieOfTheOtherStoreIsStale(t *testing.T) {
	address := redisserver.Start(t).Address
	r, _ := inRedis(t, address)
	c := store.NewCookies(options(t))
	browser := jar{}
	browser.take(must(c.Save(t.Context(), large(), nil, start)))
	if s, stale, err := r.Open(t.Context(), browser.lines(), start); s != nil || !stale || err != nil {
		t.Errorf("stale %t, %v", stale, err)
	}
	browser.take(must(r.Save(t.Context(), fresh(), browser.lines(), start)))
	if len(browser) != 1 {
		t.Errorf("%d cookies", len(browser))
	}
	var s *session.Session
	if s, _, _ = r.Open(t.Context(), browser.lines(), start); s == nil {
		t.Error("it does not open")
	}
}

func TestARemovedSecretEndsASessionOfRedisThatWasSeen(t *testing.T) {
	address := redisserver.Start(t).Address
	opt := options(t)
	opt.Redis = client(t, address)
	before := store.NewRedis(opt)
	before.Patient()
	browser := jar{}
	browser.take(must(before.Save(t.Context(), fresh(), nil, start)))
	_, _, _ = before.Open(t.Context(), browser.lines(), start)
	opt.Sealer = sealer(t, binding, "b")
	after := store.NewRedis(opt)
	after.Patient()
	if _, known := after.Known(browser.lines(), start); known {
		t.Error("known")
	}
	if s, stale, err := after.Open(t.Context(), browser.lines(), start); s != nil || !stale || err != nil {
		t.Errorf("stale %t, %v", stale, err)
	}
}

// TestAnIdentifierIsNoSessionOfTheOtherStore: two routes of one application may
// name different stores. What Redis opened is no session where sessions stand in
// cookies: there nobody would ask Redis again, and a record that was deleted would
// live on.
func TestAnIdentifierIsNoSessionOfTheOtherStore(t *testing.T) {
	address := redisserver.Start(t).Address
	opt := options(t)
	c := store.NewCookies(opt)
	opt.Redis = client(t, address)
	r := store.NewRedis(opt)
	r.Patient()
	browser := jar{}
	browser.take(must(r.Save(t.Context(), fresh(), nil, start)))
	if s, _, err := r.Open(t.Context(), browser.lines(), start); s == nil || err != nil {
		t.Fatal(err)
	}
	planted := browser.lines()[0] + "; " + r.Names()[1] + "="
	for _, line := range []string{browser.lines()[0], planted + "=", planted + ";", planted + "; "} {
		if s, _ := c.Known([]string{line}, start); s != nil {
			t.Errorf("%q is known", line)
		}
		if s, stale, err := c.Open(t.Context(), []string{line}, start); s != nil || !stale || err != nil {
			t.Errorf("%q opens", line)
		}
	}
	whole := jar{}
	whole.take(must(c.Save(t.Context(), fresh(), nil, start)))
	_, _, _ = c.Open(t.Context(), whole.lines(), start)
	if s, _ := r.Known(whole.lines(), start); s != nil {
		t.Error("a session in a cookie is known where it stands in Redis")
	}
}
