package replay_test

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/replay"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

var clock = time.Unix(1_800_000_000, 0)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func numbered(n uint64) dpop.Proof {
	var p dpop.Proof
	binary.BigEndian.PutUint64(p.ID[8:], n)
	binary.BigEndian.PutUint64(p.ID[:], n*0x9e3779b97f4a7c15)
	p.Expires = clock.Add(90 * time.Second)
	return p
}

func TestAMemoryTakesAProofOnce(t *testing.T) {
	server := redisserver.Start(t)
	shared := replay.NewRedis(opened(t, server.URL))
	for name, memory := range map[string]replay.Store{"in the process": replay.NewMemory(), "in Redis": shared} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			proof := numbered(1)
			proof.Expires = now.Add(time.Minute)
			var taken atomic.Int64
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					first, err := memory.First(t.Context(), proof, now)
					if err != nil {
						t.Error(err)
					}
					if first {
						taken.Add(1)
					}
				})
			}
			all.Wait()
			if n := taken.Load(); n != 1 {
				t.Errorf("taken %d times", n)
			}
			other := numbered(2)
			other.Expires = now.Add(time.Minute)
			if first, err := memory.First(t.Context(), other, now); !first || err != nil {
				t.Errorf("another proof: %v, %v", first, err)
			}
		})
	}
}

func TestSeveralGatewaysShareARedis(t *testing.T) {
	server := redisserver.Start(t)
	a, b := replay.NewRedis(opened(t, server.URL)), replay.NewRedis(opened(t, server.URL))
	proof := numbered(3)
	if first, err := a.First(t.Context(), proof, clock); !first || err != nil {
		t.Errorf("the first gateway: %v, %v", first, err)
	}
	if first, err := b.First(t.Context(), proof, clock); first || err != nil {
		t.Errorf("the second gateway: %v, %v", first, err)
	}
	server.Kill()
	if first, err := a.First(t.Context(), numbered(4), clock); first || err == nil {
		t.Errorf("Redis is away: %v, %v", first, err)
	}
}

// TestRedisForgetsAProofNoSoonerThanItMay reads the time at which Redis will
// forget a proof: no route, and no other gateway, takes it from then on.
func TestRedisForgetsAProofNoSoonerThanItMay(t *testing.T) {
	server := redisserver.Start(t)
	shared := replay.NewRedis(opened(t, server.URL))
	proof := numbered(7)
	before := time.Now()
	if first, err := shared.First(t.Context(), proof, clock); !first || err != nil {
		t.Fatalf("%v, %v", first, err)
	}
	client := opened(t, server.URL)
	names := must(client.Keys(t.Context(), "*").Result())
	if len(names) != 1 {
		t.Fatalf("Redis holds %q", names)
	}
	left := must(client.PTTL(t.Context(), names[0]).Result())
	// What has passed since is at least what Redis has counted down, in whole
	// milliseconds.
	if kept := left + time.Since(before) + time.Millisecond; kept < proof.Expires.Sub(clock) {
		t.Errorf("kept for %v", kept)
	}
}

func TestANameIsUsedOnce(t *testing.T) {
	server := redisserver.Start(t)
	client := opened(t, server.URL)
	now := time.Now()
	for name, once := range map[string]*replay.Once{"in the process": replay.NewMemory().Once(), "in Redis": replay.NewRedis(client).Once()} {
		t.Run(name, func(t *testing.T) {
			var taken atomic.Int64
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					first, err := once.First(t.Context(), "state a", now.Add(time.Minute), now)
					if err != nil {
						t.Error(err)
					}
					if first {
						taken.Add(1)
					}
				})
			}
			all.Wait()
			if n := taken.Load(); n != 1 {
				t.Errorf("taken %d times", n)
			}
			if first, err := once.First(t.Context(), "state b", now.Add(time.Minute), now); !first || err != nil {
				t.Errorf("another name: %v, %v", first, err)
			}
		})
	}
	for _, name := range must(client.Keys(t.Context(), "*").Result()) {
		if !strings.HasPrefix(name, "auth0-jwt:once:") || strings.Contains(name, "state") {
			t.Errorf("Redis holds %q", name)
		}
	}
	server.Kill()
	if first, err := replay.NewRedis(client).Once().First(t.Context(), "state c", now.Add(time.Minute), now); first || err == nil {
		t.Errorf("Redis is away: %v, %v", first, err)
	}
}

// TestNamesTakeNoRoomFromProofs: whoever asks for pages can make names, without
// any token, by beginning logins and coming back from none. That must not refuse
// the proofs of those who have one.
func TestNamesTakeNoRoomFromProofs(t *testing.T) {
	m := replay.NewMemory()
	once, full := m.Once(), 0
	for n := range 5 << 18 { // a quarter more than it holds
		if _, err := once.First(t.Context(), strconv.Itoa(n), clock.Add(11*time.Minute), clock); errors.Is(err, replay.ErrFull) {
			full++
		}
	}
	if full == 0 {
		t.Error("there is no bound")
	}
	for n := range uint64(1000) {
		if first, err := m.First(t.Context(), numbered(n), clock); !first || err != nil {
			t.Fatalf("proof %d: %v, %v", n, first, err)
		}
	}
}

func TestTheMemoryForgetsOnlyWhatIsTooOld(t *testing.T) {
	m := replay.NewMemory()
	ctx := context.Background()
	var full uint64
	for n := range uint64(1 << 21) { // twice what it holds
		if _, err := m.First(ctx, numbered(n), clock); errors.Is(err, replay.ErrFull) {
			full++
		}
	}
	if full < 1<<20-1<<14 {
		t.Errorf("it holds more than it may: only %d were refused", full)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	t.Logf("%d MiB of heap in use", before.HeapInuse>>20)
	for n := range uint64(1000) {
		if first, _ := m.First(ctx, numbered(n), clock.Add(89*time.Second)); first {
			t.Fatalf("proof %d was forgotten while it could be used", n)
		}
	}
	later := clock.Add(91 * time.Second)
	fresh := numbered(1 << 30)
	fresh.Expires = later.Add(time.Minute)
	if first, err := m.First(ctx, fresh, later); !first || err != nil {
		t.Errorf("when all are too old: %v, %v", first, err)
	}
}

func opened(t *testing.T, url string) goredis.UniversalClient {
	t.Helper()
	client := must(redis.Open(url))
	t.Cleanup(func() { _ = client.Close() })
	return client
}
