package revocation_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
)

// filled is a set with so many subjects.
func filled(b *testing.B, entries int) *revocation.Set {
	b.Helper()
	set := revocation.NewSet()
	for n := range entries {
		e := revocation.Entry{
			ID: revocation.IDOf(iss, revocation.Subject, fmt.Sprint("auth0|", n)), Kind: revocation.Subject, Issuer: iss,
			Before: clock, Added: clock, Until: clock.Add(time.Hour),
		}
		if err := set.Apply(e, clock); err != nil {
			b.Fatal(err)
		}
	}
	return set
}

// BenchmarkRevoked looks up tokens of users of whom none was revoked.
func BenchmarkRevoked(b *testing.B) {
	for _, entries := range []int{0, 1000, 1_000_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			set := filled(b, entries)
			runtime.GC()
			runtime.ReadMemStats(&after)
			tokens := make([]revocation.Token, 1<<12)
			for i := range tokens {
				tokens[i] = revocation.Token{
					Issuer: iss, Subject: fmt.Sprint("auth0|other", i), SID: "s", JTI: "j", AuthorizedParty: "app", IssuedAt: float64(clock.Unix()),
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if set.RevokedToken(&tokens[i&(1<<12-1)]) {
					b.Fatal("revoked")
				}
			}
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), "MiB")
		})
	}
}

// BenchmarkFromOneRunnerToTheOther is the time from the call at one feed to the
// refusal at the other.
func BenchmarkFromOneRunnerToTheOther(b *testing.B) {
	server := startRedis(b)
	from, to := joined(b, server.url, nil), joined(b, server.url, nil)
	took := make([]time.Duration, 0, b.N)
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		must(from.Revoke(b.Context(), jti(fmt.Sprint(n))))
		for !refuses(to, fmt.Sprint(n)) {
			runtime.Gosched()
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}
