package revocation_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
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

// ofEveryKind adds an entry of each other kind, so that every claim is looked up.
func ofEveryKind(b *testing.B, set *revocation.Set) {
	b.Helper()
	for _, kind := range []revocation.Kind{revocation.SID, revocation.Client, revocation.JTI} {
		e := revocation.Entry{ID: revocation.IDOf(iss, kind, "one"), Kind: kind, Issuer: iss, Before: clock, Added: clock, Until: clock.Add(time.Hour)}
		if err := set.Apply(e, clock); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRevoked looks up tokens of users of whom none was revoked, by all four
// claims: known ones, whose hashes are remembered with the decision about them,
// and new ones.
func BenchmarkRevoked(b *testing.B) {
	for _, entries := range []int{0, 1000, revocation.MaxEntries - 3} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		set := filled(b, entries)
		if entries > 0 {
			ofEveryKind(b, set)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		memory := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / (1 << 20)
		tokens, digests := make([]revocation.Token, 1<<12), make([]revocation.Digest, 1<<12)
		for i := range tokens {
			tokens[i] = revocation.Token{
				Issuer: iss, Subject: fmt.Sprint("auth0|other", i), SID: fmt.Sprint("s", i), JTI: fmt.Sprint("j", i), AuthorizedParty: "app",
				IssuedAt: float64(clock.Unix()),
			}
			digests[i] = tokens[i].Digest()
		}
		for _, kind := range []struct {
			name    string
			revoked func(i int) bool
		}{
			{"known", func(i int) bool { return set.RevokedDigest(&digests[i]) }},
			{"new", func(i int) bool { return set.RevokedToken(&tokens[i]) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, entries), func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					if kind.revoked(i & (1<<12 - 1)) {
						b.Fatal("revoked")
					}
				}
				b.ReportMetric(memory, "MiB")
			})
		}
	}
}

// BenchmarkFromOneRunnerToTheOther is the time from the call at one feed to the
// refusal at the other.
func BenchmarkFromOneRunnerToTheOther(b *testing.B) {
	server := redisserver.Start(b)
	from, to := joined(b, server.URL, nil), joined(b, server.URL, nil)
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
