package ci_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faults are what a sick issuer answers; every other time it is well.
var faults = []string{
	"status", "html", "truncated", "endless", "slow", "reset", "redirect", "empty", "wrong_issuer",
	"none", "none", "none", "none", "none", "none", "none", "none", "none",
}

// TestChaos lets the issuer be sick at random, and rotate its keys in between,
// while 8 connections send good and bad tokens. A token whose key the runner
// once had, and the issuer has not withdrawn, is good all along; a bad one
// never is. CHAOS_SECONDS is how long the issuer is sick.
func TestChaos(t *testing.T) {
	run(t, "no wrong verdict while the issuer is sick", func(t *testing.T) {
		seconds := 10
		if n, err := strconv.Atoi(os.Getenv("CHAOS_SECONDS")); err == nil && n > 0 {
			seconds = n
		}
		sick := time.Duration(seconds) * time.Second
		c := &chaos{route: newRoute(t, policy{
			"issuer": under.issuer.url, "audience": audience,
			"claim_headers": map[string]any{"X-User-Id": "sub"},
		})}
		c.admit(t)
		defer func() {
			under.issuer.fault(t, "jwks", "none")
			under.issuer.fault(t, "discovery", "none")
		}()

		quiet := c.phase(t, sick/3, func() {})
		fetched := under.issuer.fetches(t)
		rotations := 0
		troubled := c.phase(t, sick, func() {
			path, fault := []string{"jwks", "discovery"}[rand.IntN(2)], faults[rand.IntN(len(faults))]
			if fault == "wrong_issuer" {
				path = "discovery" // a key set names no issuer
			}
			under.issuer.fault(t, path, fault)
			if rand.IntN(6) > 0 {
				return
			}
			under.issuer.fault(t, "jwks", "none")
			under.issuer.fault(t, "discovery", "none")
			c.rotate(t)
			rotations++
		})
		t.Logf("healthy %v; sick %v; %d rotations, %d fetches in %v", quiet, troubled, rotations, under.issuer.fetches(t)-fetched, sick)
		if wrong := c.wrong.Load(); wrong > 0 {
			t.Errorf("%d wrong verdicts, such as: %v", wrong, c.example.Load())
		}
		if quiet.good == 0 || troubled.good == 0 || troubled.bad == 0 {
			t.Error("the load did not run")
		}
		if troubled.memory > 2*quiet.memory+64 {
			t.Errorf("the runner's memory grew from %d to %d MiB", quiet.memory, troubled.memory)
		}
	})
}

// fetches is how often the issuer was asked for discovery or keys.
func (i *issuer) fetches(t testing.TB) int {
	t.Helper()
	var counters struct{ Discovery, JWKS int }
	if err := getJSON(i.control+"/control/counters", &counters); err != nil {
		t.Fatal(err)
	}
	return counters.Discovery + counters.JWKS
}

// chaos is the tokens that must be taken, and the verdicts that were wrong.
type chaos struct {
	route route

	mu     sync.Mutex
	tokens []string // of the current key and the one before it
	recent int      // how many of them are the current key's

	wrong   atomic.Int64
	example atomic.Value
}

// admit mints tokens of the current key, and takes them in once the runner
// took one: from then on it has the key.
func (c *chaos) admit(t *testing.T) {
	t.Helper()
	var minted []string
	for n := range 4 {
		minted = append(minted, under.issuer.mint(t, minting{Claims: map[string]any{"sub": fmt.Sprint("user-", n)}}))
	}
	c.route.await(t, wantStatus(200), request{token: minted[0]})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens, c.recent = append(c.tokens, minted...), len(minted)
}

// rotate withdraws the key before the current one: its tokens go first.
func (c *chaos) rotate(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	c.tokens = slices.Clone(c.tokens[len(c.tokens)-c.recent:])
	c.mu.Unlock()
	// Those under way are answered with the keys as they are.
	<-time.After(500 * time.Millisecond)
	under.issuer.rotate(t)
	c.admit(t)
}

// figures are what a phase came to.
type figures struct {
	good, bad int
	p50, p99  time.Duration
	memory    int // MiB, the most seen; 0 where the process is not known
}

func (f figures) String() string {
	return fmt.Sprintf("%d good and %d bad tokens, good p50 %v p99 %v, %d MiB at most", f.good, f.bad,
		f.p50.Round(time.Microsecond), f.p99.Round(time.Microsecond), f.memory)
}

// phase sends from 8 connections for so long, and disturbs every 700 ms.
func (c *chaos) phase(t *testing.T, length time.Duration, disturb func()) figures {
	t.Helper()
	var f figures
	var took []time.Duration
	var mu sync.Mutex
	done := make(chan struct{})
	var clients sync.WaitGroup
	client := newClient(false)
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				req, isGood := c.next()
				began := time.Now()
				a, err := c.route.tryWith(client, req)
				spent := time.Since(began)
				c.judge(a, err, isGood)
				mu.Lock()
				if isGood {
					f.good++
					took = append(took, spent)
				} else {
					f.bad++
				}
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(700 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < length; <-tick.C {
		disturb()
		f.memory = max(f.memory, residentMiB(t))
	}
	close(done)
	clients.Wait()
	slices.Sort(took)
	if len(took) > 0 {
		f.p50, f.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return f
}

// next is a good token three times in five, and else one of the bad.
func (c *chaos) next() (req request, isGood bool) {
	if rand.IntN(5) < 3 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return request{token: c.tokens[rand.IntN(len(c.tokens))]}, true
	}
	kid := map[string]any{"kid": fmt.Sprint("made-up-", rand.Int64())}
	claims := map[string]any{"iss": under.issuer.url}
	switch rand.IntN(4) {
	case 0:
		return request{token: jws{header: kid, claims: claims, sign: rs256(rogueRSA)}.String()}, false
	case 1:
		return request{token: jws{claims: claims, sign: rs256(rogueRSA)}.String()}, false
	case 2:
		return request{token: "opaque"}, false
	}
	return request{}, false
}

func (c *chaos) judge(a answer, err error, isGood bool) {
	if err == nil && isGood == (a.status == 200) && isGood == (a.echo != nil) {
		return
	}
	if err == nil {
		err = errors.New("no error")
	}
	c.wrong.Add(1)
	c.example.Store(fmt.Sprintf("good %v, status %d, %v", isGood, a.status, err))
}

// residentMiB is the memory of the runner's process, 0 where it is not known.
func residentMiB(t *testing.T) int {
	t.Helper()
	if under.pid == nil {
		return 0
	}
	pid, err := under.pid()
	if err != nil {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	return 0
}
