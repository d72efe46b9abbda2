package latency_test

import (
	"math"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/latency"
)

// TestEveryDurationIsInItsBuckets: at every bound, and a nanosecond to either
// side, both kinds of bucket hold what they say that they hold.
func TestEveryDurationIsInItsBuckets(t *testing.T) {
	durations := []time.Duration{-time.Second, 0, 1, time.Microsecond, time.Hour, math.MaxInt64}
	var h latency.Histogram
	h.Observe(0)
	for bound := range h.Snapshot().Classic {
		durations = append(durations, time.Duration(math.Round(bound*1e9)))
	}
	for i := -165; i <= 48; i++ {
		durations = append(durations, time.Duration(math.Exp2(float64(i)/(1<<latency.Schema))*1e9))
	}
	for _, exact := range durations {
		for _, d := range []time.Duration{exact - 1, exact, exact + 1} {
			if exact == math.MaxInt64 && d < exact {
				continue
			}
			var h latency.Histogram
			h.Observe(d)
			s := h.Snapshot()
			d = max(d, 0)
			if s.Count != 1 || s.Sum != d.Seconds() {
				t.Errorf("%d: count %d, sum %v", d, s.Count, s.Sum)
			}
			for bound, n := range s.Classic {
				if upTo := time.Duration(math.Round(bound * 1e9)); (n == 1) != (d <= upTo) {
					t.Errorf("%d ns: the classic bucket up to %v has %d", d, upTo, n)
				}
			}
			if inZero := float64(d) <= math.Floor(s.ZeroThreshold*1e9); inZero != (s.Zero == 1) || inZero == (len(s.Native) == 1) {
				t.Errorf("%d ns: zero %d, native %v", d, s.Zero, s.Native)
			}
			for i := range s.Native {
				lower, upper := math.Exp2(float64(i-1)/(1<<latency.Schema))*1e9, math.Exp2(float64(i)/(1<<latency.Schema))*1e9
				if d <= 64*time.Second && (float64(d) <= math.Floor(lower) || float64(d) > upper) {
					t.Errorf("%d ns is in the native bucket %d, which is (%v, %v]", d, i, lower, upper)
				}
			}
		}
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	var h latency.Histogram
	if n := testing.AllocsPerRun(100, func() { h.Observe(time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h latency.Histogram
	for i := range b.N {
		h.Observe(time.Duration(i%4096) * time.Microsecond)
	}
}
