package store_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// counted counts the questions to Redis: a pipeline is one.
type counted struct{ n int }

func (*counted) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counted) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n++; return next(ctx, cmd) }
}

func (c *counted) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { c.n++; return next(ctx, cmds) }
}

// inRedis is a store of a process of its own.
func inRedis(t *testing.T, address string, letters ...string) (*store.Redis, *redis.Client) {
	t.Helper()
	opt := options(t)
	if letters != nil {
		opt.Sealer = sealer(t, binding, letters...)
	}
	c := client(t, address)
	opt.Redis = c
	r := store.NewRedis(opt)
	r.Patient()
	return r, c
}

func TestASessionInRedisIsSeenByAllProcesses(t *testing.T) {
	address := redisserver.Start(t).Address
	one, c := inRedis(t, address)
	other, _ := inRedis(t, address)
	s, browser := large(), jar{}
	browser.take(must(one.Save(t.Context(), s, nil, start)))
	if len(browser) != 1 || len(browser[one.Names()[0]]) != 43 {
		t.Fatalf("the cookie holds more than an identifier: %d bytes", len(browser.lines()[0]))
	}
	for _, r := range []*store.Redis{one, other} {
		got, stale, err := r.Open(t.Context(), browser.lines(), start)
		if stale || err != nil {
			t.Fatalf("stale %t, %v", stale, err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Error(diff)
		}
	}
	names := must(c.Keys(t.Context(), "*").Result())
	if len(names) != 1 || strings.Contains(names[0], browser[one.Names()[0]]) {
		t.Fatalf("Redis holds %q", names)
	}
	if left := must(c.PTTL(t.Context(), names[0]).Result()); left > idle || left < idle-time.Hour {
		t.Errorf("kept for %v", left)
	}
	record := must(c.Get(t.Context(), names[0]).Bytes())
	for _, token := range []string{s.AccessToken, s.RefreshToken, s.Subject} {
		if bytes.Contains(record, []byte(token)) {
			t.Error("the record is not sealed")
		}
	}
}

func TestARecordEndsWithTheSession(t *testing.T) {
	address := redisserver.Start(t).Address
	r, c := inRedis(t, address)
	s, browser := fresh(), jar{}
	s.Ends = start.Add(time.Hour)
	browser.take(must(r.Save(t.Context(), s, nil, start)))
	names := must(c.Keys(t.Context(), "*").Result())
	if left := must(c.PTTL(t.Context(), names[0]).Result()); left > time.Hour {
		t.Errorf("kept for %v", left)
	}
	if got, stale, err := r.Open(t.Context(), browser.lines(), start.Add(time.Hour)); got != nil || !stale || err != nil {
		t.Errorf("after its end: stale %t, %v", stale, err)
	}
}

func TestARequestAsksRedisOnceAtMost(t *testing.T) {
	address := redisserver.Start(t).Address
	r, c := inRedis(t, address)
	browser := jar{}
	browser.take(must(r.Save(t.Context(), fresh(), nil, start)))
	_, _, _ = r.Open(t.Context(), browser.lines(), start)
	asked := &counted{}
	c.AddHook(asked)
	for _, tt := range []struct {
		name  string
		lines []string
		at    time.Duration
		known bool
		want  int
	}{
		{"seen just now", browser.lines(), time.Second - 1, true, 0},
		{"seen a second ago", browser.lines(), time.Second, false, 1},
		{"seen again", browser.lines(), 2*time.Second - 1, true, 0},
		{"no cookie", nil, 0, true, 0},
		{"what is no identifier", []string{r.Names()[0] + "=AAAA"}, 0, false, 0},
		{"what is one and stray bits", []string{r.Names()[0] + "=" + strings.Repeat("A", 42) + "B"}, 0, false, 0},
		{"a line break in it", []string{r.Names()[0] + "=" + strings.Repeat("A", 42) + "\n"}, 0, false, 0},
		{"the cookie twice", []string{browser.lines()[0], browser.lines()[0]}, 0, false, 0},
		{"an unknown identifier", []string{r.Names()[0] + "=" + random(32)}, 0, false, 1},
	} {
		asked.n = 0
		if _, known := r.Known(tt.lines, start.Add(tt.at)); known != tt.known {
			t.Errorf("%s: known %t", tt.name, known)
		}
		if s, stale, err := r.Open(t.Context(), tt.lines, start.Add(tt.at)); err != nil || stale != (s == nil && tt.lines != nil) {
			t.Errorf("%s: stale %t, %v", tt.name, stale, err)
		}
		if asked.n != tt.want {
			t.Errorf("%s: asked %d times", tt.name, asked.n)
		}
	}
}

func TestANewLoginDrawsNewBitsAndARefreshKeepsThem(t *testing.T) {
	address := redisserver.Start(t).Address
	r, c := inRedis(t, address)
	name := r.Names()[0]
	planted := jar{name: random(32)}
	s, browser := fresh(), jar{}
	browser.take(must(r.Save(t.Context(), s, planted.lines(), start)))
	if browser[name] == planted[name] {
		t.Fatal("a planted identifier is taken")
	}
	next := successor(s)
	before := browser[name]
	browser.take(must(r.Save(t.Context(), next, browser.lines(), start)))
	if browser[name] != before {
		t.Error("a refresh draws new bits")
	}
	if got, _, _ := r.Open(t.Context(), browser.lines(), start); got == nil || got.RefreshToken != next.RefreshToken {
		t.Error("the successor is not there")
	}
	browser.take(must(r.Save(t.Context(), fresh(), browser.lines(), start)))
	if browser[name] == before {
		t.Error("a new login keeps the bits")
	}
	if names := must(c.Keys(t.Context(), "*").Result()); len(names) != 1 {
		t.Errorf("the session before is left: %q", names)
	}
}

func TestAnOlderSessionDoesNotReplaceItsSuccessor(t *testing.T) {
	address := redisserver.Start(t).Address
	r, _ := inRedis(t, address)
	s, browser := fresh(), jar{}
	browser.take(must(r.Save(t.Context(), s, nil, start)))
	next := successor(s)
	browser.take(must(r.Save(t.Context(), next, browser.lines(), start)))
	browser.take(must(r.Save(t.Context(), s, browser.lines(), start)))
	if got, _, _ := r.Open(t.Context(), browser.lines(), start); got == nil || got.RefreshToken != next.RefreshToken {
		t.Error("the used refresh token is back")
	}
}

// A token that turned out not to be good is replaced long before it expires, by
// one that may live for less.
func TestASuccessorIsKeptWhateverItsTokensLife(t *testing.T) {
	address := redisserver.Start(t).Address
	for name, expires := range map[string]time.Time{
		"earlier": start.Add(time.Minute), "at the same time": start.Add(time.Hour), "not said": {},
	} {
		r, _ := inRedis(t, address)
		s, browser := fresh(), jar{}
		s.Expires = start.Add(time.Hour)
		browser.take(must(r.Save(t.Context(), s, nil, start)))
		next := successor(s)
		next.Expires = expires
		browser.take(must(r.Save(t.Context(), next, browser.lines(), start)))
		// A request that came before the refresh writes what it knew.
		browser.take(must(r.Save(t.Context(), s, browser.lines(), start)))
		if got, _, _ := r.Open(t.Context(), browser.lines(), start); got == nil || got.RefreshToken != next.RefreshToken {
			t.Errorf("%s: the used refresh token is back", name)
		}
	}
}

func TestADeletedSessionDoesNotComeBack(t *testing.T) {
	address := redisserver.Start(t).Address
	one, c := inRedis(t, address)
	other, _ := inRedis(t, address)
	s, browser := fresh(), jar{}
	browser.take(must(one.Save(t.Context(), s, nil, start)))
	copied := browser.lines()
	_, _, _ = one.Open(t.Context(), copied, start)
	_, _, _ = other.Open(t.Context(), copied, start)
	browser.take(must(one.Delete(t.Context(), s, copied)))
	if len(browser) > 0 {
		t.Error("the cookie is left")
	}
	// A request that was under way in the other process writes the session anew.
	browser.take(must(other.Save(t.Context(), successor(s), copied, start)))
	if len(browser) > 0 {
		t.Error("a cookie is back")
	}
	for _, r := range []*store.Redis{one, other} {
		if got, stale, err := r.Open(t.Context(), copied, start.Add(time.Second)); got != nil || !stale || err != nil {
			t.Errorf("stale %t, %v", stale, err)
		}
	}
	if names := must(c.Keys(t.Context(), "auth0-jwt:session:*").Result()); len(names) > 0 {
		t.Errorf("Redis holds %q", names)
	}
}

func TestARecordOpensWithItsBitsAndSecretAlone(t *testing.T) {
	address := redisserver.Start(t).Address
	r, c := inRedis(t, address)
	one, other := jar{}, jar{}
	one.take(must(r.Save(t.Context(), fresh(), nil, start)))
	first := must(c.Keys(t.Context(), "*").Result())[0]
	record := must(c.Get(t.Context(), first).Result())
	opens := func(r *store.Redis, browser jar) bool {
		s, stale, err := r.Open(t.Context(), browser.lines(), start)
		if err != nil || stale == (s != nil) {
			t.Errorf("stale %t, %v", stale, err)
		}
		return s != nil
	}
	again, _ := inRedis(t, address, "b", "a")
	if !opens(again, one) {
		t.Error("not by the old secret")
	}
	removed, _ := inRedis(t, address, "b")
	if opens(removed, one) {
		t.Error("without its secret")
	}
	// Who writes to Redis gives one browser the session of another.
	must(c.Del(t.Context(), first).Result())
	other.take(must(r.Save(t.Context(), fresh(), nil, start)))
	second := must(c.Keys(t.Context(), "*").Result())[0]
	must(c.Set(t.Context(), second, record, time.Hour).Result())
	if opens(r, other) {
		t.Error("by the bits of another session")
	}
	for i := range record {
		changed := []byte(record)
		changed[i] ^= 1
		must(c.Set(t.Context(), first, changed, time.Hour).Result())
		if opens(r, one) {
			t.Errorf("with byte %d changed", i)
		}
	}
	for _, record := range []string{"", "x", record[:16], record[:len(record)-1], record + "x"} {
		must(c.Set(t.Context(), first, record, time.Hour).Result())
		if opens(r, one) {
			t.Errorf("a record of %d bytes", len(record))
		}
	}
}
