package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 2 * time.Minute

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// eventually waits for what another goroutine, or another process, does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	hangs := time.After(hangGuard)
	for !is() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-hangs:
			t.Fatalf("never: %s", what)
		}
	}
}

func client(t testing.TB, url string) goredis.UniversalClient {
	t.Helper()
	c := must(redis.Open(url))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// joined is a feed that shares a Redis, and has read it.
func joined(t testing.TB, url string, set *revocation.Set) *revocation.Feed {
	t.Helper()
	f := revocation.Open(revocation.Options{Redis: client(t, url), Set: set, Logger: quiet})
	t.Cleanup(f.Close)
	eventually(t, "the feed is up", func() bool { return f.Up(time.Now()) })
	return f
}

func jti(value string) revocation.Revocation {
	return revocation.Revocation{Issuer: iss, Kind: revocation.JTI, Value: value}
}

func refuses(f *revocation.Feed, value string) bool {
	return f.RevokedToken(&revocation.Token{Issuer: iss, JTI: value})
}

func TestTwoRunnersHearOfEachOther(t *testing.T) {
	server := redisserver.Start(t)
	a, b := joined(t, server.URL, nil), joined(t, server.URL, nil)
	e := must(a.Revoke(t.Context(), jti("1")))
	if !refuses(a, "1") {
		t.Error("not revoked where it was revoked")
	}
	eventually(t, "b hears of it", func() bool { return refuses(b, "1") })
	if refuses(b, "2") {
		t.Error("another token is refused")
	}
	must(b.TakeBack(t.Context(), e.ID))
	eventually(t, "a hears that it was taken back", func() bool { return !refuses(a, "1") })
	must(b.Revoke(t.Context(), jti("1")))
	eventually(t, "a hears of it anew", func() bool { return refuses(a, "1") })
	if page := a.List(nil, 10); len(page) != 1 || page[0].ID != e.ID || page[0].Issuer != iss {
		t.Errorf("%+v", page)
	}
}

func TestARunnerThatStartsLateKnowsWhatWasRevoked(t *testing.T) {
	server := redisserver.Start(t)
	a := joined(t, server.URL, nil)
	gone := must(a.Revoke(t.Context(), jti("gone")))
	must(a.TakeBack(t.Context(), gone.ID))
	for n := range 300 {
		must(a.Revoke(t.Context(), jti(fmt.Sprint(n))))
	}
	b := revocation.Open(revocation.Options{Redis: client(t, server.URL), Logger: quiet})
	defer b.Close()
	<-b.Ready()
	eventually(t, "b is up", func() bool { return b.Up(time.Now()) })
	for n := range 300 {
		if !refuses(b, fmt.Sprint(n)) {
			t.Fatalf("%d passes", n)
		}
	}
	if refuses(b, "gone") {
		t.Error("what was taken back is refused")
	}
}

func TestRedisHoldsNoNamesOfUsers(t *testing.T) {
	server := redisserver.Start(t)
	a := joined(t, server.URL, nil)
	must(a.Revoke(t.Context(), revocation.Revocation{Issuer: iss, Kind: revocation.Subject, Value: "auth0|alice"}))
	for _, m := range must(client(t, server.URL).XRange(t.Context(), revocation.StreamKey, "-", "+").Result()) {
		for name, value := range m.Values {
			if value == "auth0|alice" {
				t.Errorf("%s is the subject", name)
			}
		}
	}
}

func TestARestartForgetsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(testing.TB) *redisserver.Server
	}{{"Redis kept it", redisserver.StartPersistent}, {"Redis lost it", redisserver.Start}} {
		t.Run(c.name, func(t *testing.T) {
			server := c.start(t)
			a, b := joined(t, server.URL, nil), joined(t, server.URL, nil)
			e := must(a.Revoke(t.Context(), jti("back")))
			must(a.Revoke(t.Context(), jti("1")))
			eventually(t, "b hears", func() bool { return refuses(b, "1") })
			server.Kill()
			if _, err := a.TakeBack(t.Context(), e.ID); !errors.Is(err, revocation.ErrNotShared) || !refuses(a, "back") {
				t.Errorf("taken back while Redis is away: %v", err)
			}
			if _, err := a.Revoke(t.Context(), jti("2")); !errors.Is(err, revocation.ErrNotShared) || !refuses(a, "2") {
				t.Errorf("revoked while Redis is away: %v", err)
			}
			if !refuses(a, "1") || !refuses(b, "1") {
				t.Error("forgotten while Redis is away")
			}
			server.Revive(t)
			eventually(t, "b hears of what was revoked meanwhile", func() bool { return refuses(b, "2") })
			late := joined(t, server.URL, nil)
			eventually(t, "one that starts now knows all", func() bool { return refuses(late, "1") && refuses(late, "2") && refuses(late, "back") })
		})
	}
}

func TestAFlushedRedisIsGivenWhatTheRunnersKnow(t *testing.T) {
	server := redisserver.Start(t)
	a, b := joined(t, server.URL, nil), joined(t, server.URL, nil)
	gone := must(a.Revoke(t.Context(), jti("gone")))
	must(a.Revoke(t.Context(), jti("1")))
	must(a.TakeBack(t.Context(), gone.ID))
	eventually(t, "b hears", func() bool { return refuses(b, "1") && !refuses(b, "gone") })
	if err := client(t, server.URL).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if !refuses(a, "1") || !refuses(b, "1") {
		t.Error("forgotten")
	}
	must(b.Revoke(t.Context(), jti("2"))) // before anybody saw that it was flushed
	eventually(t, "the feed holds all again", func() bool {
		f := revocation.Open(revocation.Options{Redis: must(redis.Open(server.URL)), Logger: quiet})
		defer f.Close()
		<-f.Ready()
		return refuses(f, "1") && refuses(f, "2") && !refuses(f, "gone")
	})
	eventually(t, "a hears of the new one", func() bool { return refuses(a, "2") })
	if refuses(a, "gone") || refuses(b, "gone") {
		t.Error("what was taken back came back")
	}
}

func TestARunnerThatWasCutOffCatchesUpWithoutAGap(t *testing.T) {
	server := redisserver.Start(t)
	wire := redisserver.StartWire(t, server)
	a, b := joined(t, server.URL, nil), joined(t, "redis://"+wire.Address+"/0", nil)
	for n := range 200 {
		must(a.Revoke(t.Context(), jti(fmt.Sprint(n))))
		switch n {
		case 20, 120:
			wire.Cut()
		case 70, 170:
			wire.Mend()
		}
	}
	eventually(t, "b knows them all", func() bool {
		for n := range 200 {
			if !refuses(b, fmt.Sprint(n)) {
				return false
			}
		}
		return true
	})
}

func TestARunnerThatCannotHearSaysSo(t *testing.T) {
	server := redisserver.Start(t)
	now := time.Now()
	a := joined(t, server.URL, nil)
	if !a.Up(now) {
		t.Error("not up")
	}
	if a.Up(now.Add(time.Minute)) {
		t.Error("up a minute after the last word")
	}
	never := revocation.Open(revocation.Options{Redis: redis.Unavailable(errors.New("no URL")), Logger: quiet})
	defer never.Close()
	<-never.Ready() // nobody waits for ever
	if never.Up(time.Now()) {
		t.Error("up though it never heard anything")
	}
	if _, err := never.Revoke(t.Context(), jti("1")); !errors.Is(err, revocation.ErrNotShared) || !refuses(never, "1") {
		t.Error(err)
	}
}

func TestASetOutlivesItsFeed(t *testing.T) {
	server := redisserver.Start(t)
	set := revocation.NewSet()
	before := revocation.Open(revocation.Options{Set: set, Logger: quiet})
	must(before.Revoke(t.Context(), jti("1")))
	before.Close()
	after := joined(t, server.URL, set) // the settings name a Redis now
	if !refuses(after, "1") {
		t.Error("forgotten")
	}
	other := joined(t, server.URL, nil)
	eventually(t, "it is handed on", func() bool { return refuses(other, "1") })
}

func TestAStreamIsTrimmedOfWhatIsKeptNoLongerAndOfRepeats(t *testing.T) {
	server := redisserver.Start(t)
	raw := client(t, server.URL)
	old := time.Now().Add(-revocation.DefaultTTL - 2*time.Hour).UnixMilli()
	for n := range 20 { // as of a runner whose entries ended
		if err := raw.XAdd(t.Context(), &goredis.XAddArgs{Stream: revocation.StreamKey, ID: fmt.Sprintf("%d-%d", old, n+1), Values: []any{"k", "jti"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a := joined(t, server.URL, nil)
	for range 50 {
		must(a.Revoke(t.Context(), jti("again and again")))
	}
	must(a.Revoke(t.Context(), jti("once")))
	if err := a.Upkeep(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if n := must(raw.XLen(t.Context(), revocation.StreamKey).Result()); n < 2 || n > 10 {
		t.Errorf("%d entries are left", n)
	}
	late := joined(t, server.URL, nil)
	if !refuses(late, "once") || !refuses(late, "again and again") {
		t.Error("a live entry was trimmed")
	}
}

func TestWhatIsNoEntryOfTheFeedHarmsNobody(t *testing.T) {
	server := redisserver.Start(t)
	raw := client(t, server.URL)
	for _, values := range [][]any{
		{"nonsense", "1"},
		{"k", "sub", "h", "short", "t", 1, "a", 1, "u", 1},
		{"k", "admin", "h", "AAAAAAAAAAAAAAAAAAAAAA", "t", 1, "a", 1, "u", 1},
		{"k", "sub", "h", "AAAAAAAAAAAAAAAAAAAAAA", "t", "never", "a", 1, "u", 1},
		{"k", "sub", "h", "AAAAAAAAAAAAAAAAAAAAAA", "t", "9223372036854775807", "a", 1, "u", 1},
	} {
		if err := raw.XAdd(t.Context(), &goredis.XAddArgs{Stream: revocation.StreamKey, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a := joined(t, server.URL, nil)
	must(a.Revoke(t.Context(), jti("1")))
	b := joined(t, server.URL, nil)
	if !refuses(b, "1") || b.Stats().Lost != 5 || b.Stats().Entries != 1 {
		t.Errorf("%+v", b.Stats())
	}
}

// TestAThousandRevocationsBesideLoad: whoever is not revoked is never refused,
// and whoever is stays refused, while a thousand entries come in.
func TestAThousandRevocationsBesideLoad(t *testing.T) {
	server := redisserver.Start(t)
	a, b := joined(t, server.URL, nil), joined(t, server.URL, nil)
	must(a.Revoke(t.Context(), jti("first")))
	eventually(t, "b hears", func() bool { return refuses(b, "first") })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string)
	for range 2 {
		go func() {
			for n := 0; ctx.Err() == nil; n++ {
				if refuses(b, fmt.Sprint("good", n%5000)) {
					done <- "a good token was refused"
					return
				}
				if !refuses(b, "first") {
					done <- "a revoked token passed"
					return
				}
			}
			done <- ""
		}()
	}
	for n := range 1000 {
		must(a.Revoke(ctx, jti(fmt.Sprint("bad", n))))
	}
	eventually(t, "b knows them all", func() bool { return b.Stats().Entries == 1001 })
	cancel()
	for range 2 {
		if wrong := <-done; wrong != "" {
			t.Error(wrong)
		}
	}
}
