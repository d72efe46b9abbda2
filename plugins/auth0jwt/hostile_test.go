package auth0jwt_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	goodPerSecond, badPerSecond = 4_000, 10_000
	eachSide                    = 4 // connections
)

// BenchmarkHostile is good tokens, 4,000 a second on 4 connections, alone and
// beside 10,000 bad ones a second, no two alike, on 4 others. It tells the good
// ones' latency from the first byte sent to the verdict, in medians of
// interleaved rounds, and the runner's memory.
func BenchmarkHostile(b *testing.B) {
	rounds, seconds := fromEnv("ROUNDS", 5), time.Duration(fromEnv("ROUND_SECONDS", 3))
	issuers := newIssuers(b)
	kind := "engine"
	if os.Getenv("DRIVER") != "" {
		kind = os.Getenv("DRIVER")
	}
	p := startProcess(b, kind, 0)
	setup := dial(b, p.path)
	defer setup.Close()
	conf := setup.prepare(b, "auth0-jwt", issuers.conf(1))
	good := frameOf(conf, issuers.token(1))
	if !setup.passes(good) {
		b.Fatal("the good token is refused")
	}
	attacks := []*attack{
		{name: "quiet"},
		{name: "known tokens", frames: [eachSide][]byte{good, good, good, good}, good: true},
		newAttack(conf, "forged signatures", joseHeader("k"), issuers.claims(1)),
		newAttack(conf, "unknown kids", joseHeader("unknown-00000000"), issuers.claims(1)),
		newAttack(conf, "16 KiB", joseHeader("k"), issuers.claims(1)+strings.Repeat(" ", 11_700)),
		newAttack(conf, "64 deep", joseHeader("k"), strings.TrimSuffix(issuers.claims(1), "}")+`,"a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+"}"),
		newAttack(conf, "too deep", joseHeader("k"), strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000)),
		newAttack(conf, "not JSON", joseHeader("k"), strings.Repeat(`{"a`, 3000)),
		{name: "all of them"},
	}
	for _, a := range attacks {
		if a.frames[0] != nil && setup.passes(a.next(0)) != a.good {
			b.Fatalf("%s: the wrong verdict", a.name)
		}
	}
	results := make([][]hostile, len(attacks))
	for b.Loop() {
		for range rounds {
			for i, a := range attacks {
				var on []*attack
				switch i {
				case 0:
				case len(attacks) - 1:
					on = attacks[2:i]
				default:
					on = []*attack{a}
				}
				results[i] = append(results[i], underAttack(b, p, good, on, seconds*time.Second))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	var table strings.Builder
	fmt.Fprintf(&table, "medians of %d rounds of %d s\n%-20s %8s %8s %8s %8s %8s %8s\n", rounds, seconds, "", "bad/s", "good/s", "p50 us", "p99 us", "ratio", "MiB")
	quiet := medianHostile(results[0])
	for i, a := range attacks {
		r := medianHostile(results[i])
		fmt.Fprintf(&table, "%-20s %8.0f %8.0f %8.0f %8.0f %8.2f %8d\n", a.name, r.bad, r.good, r.p50, r.p99, r.p99/quiet.p99, r.memory)
	}
	fmt.Println(table.String())
	if !setup.passes(good) {
		b.Fatal("the good token is refused after all that")
	}
}

func joseHeader(kid string) string { return fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":"%s"}`, kid) }

func (s issuers) claims(n int) string {
	return fmt.Sprintf(`{"iss":"%s/%d/","aud":"api","sub":"x","exp":%d}`, s.url, n, time.Now().Add(time.Hour).Unix())
}

// attack is a bad token that changes six bytes each time: of its signature, or
// of its kid. Each worker has a frame of its own.
type attack struct {
	name   string
	frames [eachSide][]byte
	good   bool // it is none
	at     int  // where
	count  atomic.Uint64
}

// newAttack changes the signature, or, where the header has a run of zeros,
// those.
func newAttack(conf uint32, name, header, claims string) *attack {
	token := forge.Compact(header, claims, make([]byte, 256))
	a := &attack{name: name}
	for i := range a.frames {
		a.frames[i] = frameOf(conf, token)
	}
	at := len(token) - 24
	if zeros := strings.Index(header, "00000000"); zeros >= 0 {
		at = (zeros + 2) / 3 * 4 // from the next byte that begins four characters
	}
	a.at = bytes.Index(a.frames[0], []byte(token)) + at
	return a
}

// next is the next frame of a worker: other digits each time.
func (a *attack) next(worker int) []byte {
	frame := a.frames[worker]
	if !a.good {
		var digits [6]byte
		for i, n := 0, a.count.Add(1); i < len(digits); i, n = i+1, n/10 {
			digits[i] = '0' + byte(n%10)
		}
		base64.RawURLEncoding.Encode(frame[a.at:], digits[:])
	}
	return frame
}

type hostile struct {
	good, bad, p50, p99 float64 // requests a second; microseconds
	memory              int     // MiB
}

func medianHostile(all []hostile) hostile {
	slices.SortFunc(all, func(a, b hostile) int { return int(a.p99 - b.p99) })
	return all[len(all)/2]
}

func underAttack(b *testing.B, p process, good []byte, attacks []*attack, lasting time.Duration) hostile {
	var clients sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var bad atomic.Int64
	begin := time.Now()
	for range eachSide {
		w := dial(b, p.path)
		clients.Go(func() {
			defer w.Close()
			var own []time.Duration
			paced(begin, lasting, goodPerSecond/eachSide, func(int) {
				sent := time.Now()
				if !w.passes(good) {
					panic("a good token was refused")
				}
				own = append(own, time.Since(sent))
			})
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	for c := range eachSide {
		if len(attacks) == 0 {
			break
		}
		w := dial(b, p.path)
		clients.Go(func() {
			defer w.Close()
			paced(begin, lasting, badPerSecond/eachSide, func(n int) {
				a := attacks[n%len(attacks)]
				if w.passes(a.next(c)) != a.good {
					panic("wrong verdict")
				}
				bad.Add(1)
			})
		})
	}
	clients.Wait()
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return hostile{
		good: float64(len(took)) / lasting.Seconds(), bad: float64(bad.Load()) / lasting.Seconds(),
		p50: us(took[len(took)/2]), p99: us(took[len(took)*99/100]), memory: p.memory("VmRSS"),
	}
}

// paced does something so often a second, at intervals between none and twice
// the mean, so that no two clients keep in step.
func paced(begin time.Time, lasting time.Duration, perSecond int, do func(n int)) {
	step := time.Second / time.Duration(perSecond)
	due := begin
	for n := 0; time.Since(begin) < lasting; n++ {
		if due = due.Add(rand.N(2 * step)); time.Since(due) > 10*step {
			due = time.Now() // what came late is not made up for by a burst
		}
		time.Sleep(time.Until(due))
		do(n)
	}
}
