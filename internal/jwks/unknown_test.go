package jwks_test

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

func TestAnUnknownKidIsAskedForOnceInHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("r", rsaKey())))
		p := provider(t, w)
		synctest.Wait()
		for range 59 { // a minute, less a second
			if err := find(p, "x"); !errors.Is(err, jwks.ErrUnknownKey) {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := w.fetches.Load(); n != 3 {
			t.Errorf("%d fetches, want the first, one at 0 s and one at 30 s", n)
		}
	})
}

func TestAKidOfTheCoolDownIsNotTakenForUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("old", rsaKey())))
		p := provider(t, w)
		synctest.Wait()
		_ = find(p, "x") // starts the cool-down
		w.put(keysURI, ok(set(rsaJWK("old", rsaKey()), rsaJWK("new", rsaKey()))))
		time.Sleep(time.Second)
		start := time.Now()
		if err := find(p, "new"); !errors.Is(err, jwks.ErrUnknownKey) || time.Since(start) != 0 {
			t.Errorf("in the cool-down: %v after %v", err, time.Since(start))
		}
		time.Sleep(9 * time.Second)
		if err := find(p, "new"); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

func TestAKidSeenWhileAFetchFailsIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("old", rsaKey())))
		p := provider(t, w)
		synctest.Wait()
		w.put(keysURI, status(500, ""))
		if err := find(p, "new"); !errors.Is(err, jwks.ErrUnknownKey) {
			t.Fatal(err)
		}
		w.put(keysURI, ok(set(rsaJWK("new", rsaKey()))))
		time.Sleep(2 * time.Second) // the retry after a failure
		if err := find(p, "new"); err != nil {
			t.Error(err)
		}
	})
}

func TestRequestsWithANewKidShareOneFetchAndGoodOnesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("old", rsaKey())))
		p := provider(t, w)
		synctest.Wait()
		w.put(keysURI, hang)
		var waiting sync.WaitGroup
		start := time.Now()
		for i := range 20 {
			waiting.Go(func() {
				if err := find(p, "new"+strconv.Itoa(i%2)); !errors.Is(err, jwks.ErrUnknownKey) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := find(p, "old"); err != nil || time.Since(start) != 0 {
			t.Errorf("a good token: %v after %v", err, time.Since(start))
		}
		waiting.Wait()
		if waited := time.Since(start); waited != 2*time.Second || w.fetches.Load() != 2 {
			t.Errorf("waited %v, %d fetches", waited, w.fetches.Load())
		}
	})
}

func TestAFloodOfKidsDoesNotGrowMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider(t, healthy(set(rsaJWK("r", rsaKey()))))
		synctest.Wait()
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for i := range 200_000 {
			_ = find(p, "made-up-"+strconv.Itoa(i))
		}
		if grown := int64(heap()) - int64(before); grown > 2<<20 {
			t.Errorf("grew by %d bytes", grown)
		}
		runtime.KeepAlive(p)
	})
}

func TestAKidSeenDuringAFetchIsNotTakenForUnknownByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("old", rsaKey())))
		p := provider(t, w)
		synctest.Wait()
		w.put(keysURI, func() *http.Response {
			time.Sleep(time.Second)
			return ok(set(rsaJWK("old", rsaKey())))()
		})
		go func() { _ = find(p, "x") }()
		time.Sleep(500 * time.Millisecond)
		start := time.Now()
		if err := find(p, "new"); !errors.Is(err, jwks.ErrUnknownKey) || time.Since(start) != 500*time.Millisecond {
			t.Errorf("during the fetch: %v after %v", err, time.Since(start))
		}
		w.put(keysURI, ok(set(rsaJWK("new", rsaKey()))))
		time.Sleep(10 * time.Second)
		if err := find(p, "new"); err != nil {
			t.Errorf("once it is published: %v", err)
		}
	})
}
