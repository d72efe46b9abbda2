package ci_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

// site is a gateway with a runner of its own. Sites share nothing but Redis.
type site struct {
	gateway, admin string
	revocations    string // of the runner's admin address
	launch         func() (*process, error)
	runner         *process
}

// startSite starts both, with one route at /api.
func startSite(t testing.TB, redis string) *site {
	t.Helper()
	socket, operator := filepath.Join(t.TempDir(), "runner.sock"), freeAddress(t)
	s := &site{revocations: "http://" + operator + "/revocations"}
	s.launch = func() (*process, error) {
		return under.launch("runner", under.binary("go-runner"), nil, nil, "run", "--listen", socket, "--allow-insecure",
			"--redis-url", redis, "--admin-addr", operator)
	}
	s.restart(t)
	gateway, ready, err := under.start("gateway", nil, "gateway", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
		"--workers", "2", "--admin-key", under.adminKey, "--socket", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gateway.stop()
		s.runner.stop()
	})
	s.gateway, s.admin = strings.TrimSuffix(ready.URL, "/"), strings.TrimSuffix(ready.Admin, "/")
	s.put(t)
	s.await(t, claims(map[string]any{"sub": "first"}), 200)
	return s
}

// restart kills the runner and starts it again; it waits until that answers.
func (s *site) restart(t testing.TB) {
	t.Helper()
	if s.runner != nil {
		s.runner.kill()
	}
	var err error
	if s.runner, err = s.launch(); err != nil {
		t.Fatal(err)
	}
	if err := eventually(hangGuard, func() error {
		resp, err := client.Get(s.revocations)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func (s *site) put(t testing.TB) {
	t.Helper()
	block := map[string]any{"conf": []any{map[string]any{"name": "auth0-jwt", "value": identityOwn.text()}}}
	body, err := json.Marshal(map[string]any{
		"uri": "/api/*", "plugins": map[string]any{"ext-plugin-pre-req": block},
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{under.upstream.node: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, s.admin+"/apisix/admin/routes/1", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", under.adminKey)
	if status, answer, err := exchange(client, req); err != nil || status/100 != 2 {
		t.Fatal(status, answer, err)
	}
}

func exchange(c *http.Client, req *http.Request) (int, string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// get sends a token to the route.
func (s *site) get(c *http.Client, token string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, s.gateway+"/api/x", nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return exchange(c, req)
}

// await sends a token until every worker answers as wanted.
func (s *site) await(t testing.TB, token string, want int) {
	t.Helper()
	if err := eventually(hangGuard, func() error {
		for range 4 {
			if status, body, err := s.get(client, token); err != nil || status != want {
				return fmt.Errorf("want %d, got %d %s %w", want, status, body, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// revoke posts a revocation; status 503 is that Redis did not take it.
func (s *site) revoke(t testing.TB, kind, value string) (status int) {
	t.Helper()
	body := fmt.Sprintf(`{"issuer":%q,%q:%q}`, ownIssuer, kind, value)
	req, err := http.NewRequest(http.MethodPost, s.revocations, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	status, said, err := exchange(client, req)
	if err != nil || status != 201 && status != 503 {
		t.Error(status, said, err)
	}
	return status
}

// of is a token of a user, which was issued a minute ago.
func of(user string) string {
	return claims(map[string]any{"sub": user, "jti": "of " + user, "iat": time.Now().Add(-time.Minute).Unix()})
}

func needRunnersOfOnesOwn(t testing.TB) {
	t.Helper()
	if under.counts == nil || official() {
		t.Skip("not run: it starts two runners with an admin address of their own (unset GATEWAY and RUNNER)")
	}
}

// innocents send tokens that nobody revoked.
type innocents struct {
	away    atomic.Bool // a runner is being restarted: a 503 is nobody's refusal
	stop    chan struct{}
	clients sync.WaitGroup
	sent    atomic.Int64
	wrong   atomic.Value
}

func startInnocents(sites ...*site) *innocents {
	i := &innocents{stop: make(chan struct{})}
	for n, s := range sites {
		keeping := newClient(false)
		i.clients.Go(func() {
			token := of(fmt.Sprint("innocent-", n))
			for {
				select {
				case <-i.stop:
					return
				default:
				}
				away := i.away.Load()
				status, body, err := s.get(keeping, token)
				if i.sent.Add(1); err == nil && status == 200 || (away || i.away.Load()) && (err != nil || status == 503) {
					continue
				}
				i.wrong.Store(fmt.Sprint(status, body, err))
			}
		})
	}
	return i
}

func (i *innocents) finish(t *testing.T) {
	t.Helper()
	close(i.stop)
	i.clients.Wait()
	if wrong := i.wrong.Load(); wrong != nil {
		t.Errorf("a token that nobody revoked was refused: %v", wrong)
	}
	t.Logf("%d requests with tokens that nobody revoked", i.sent.Load())
}

// TestRevocationChaos revokes at one of two runners while their Redis is killed,
// cut off and flushed, and they are killed themselves.
func TestRevocationChaos(t *testing.T) {
	needRunnersOfOnesOwn(t)
	redis := redisserver.Start(t)
	wire := redisserver.StartWire(t, redis)
	here, there := startSite(t, redis.URL), startSite(t, "redis://"+wire.Address+"/0")
	others := startInnocents(here, there)
	revoked := []string{}
	revoke := func(t *testing.T, user string) {
		t.Helper()
		for _, s := range []*site{here, there} { // so that a verdict is remembered
			s.await(t, of(user), 200)
		}
		here.revoke(t, "sub", user)
		revoked = append(revoked, user)
		here.await(t, of(user), 401)
	}
	allAreRefused := func(t *testing.T) {
		t.Helper()
		for _, user := range revoked {
			for _, s := range []*site{here, there} {
				s.await(t, of(user), 401)
			}
		}
	}
	run(t, "revoked here, refused there", func(t *testing.T) {
		for n := range 20 {
			revoke(t, fmt.Sprint("plain-", n))
		}
		allAreRefused(t)
		if _, body, _ := there.get(client, of("plain-0")); !strings.Contains(body, "invalid_token") {
			t.Errorf("the answer is %s", body)
		}
		there.await(t, claims(map[string]any{"sub": "plain-0", "iat": time.Now().Add(2 * time.Second).Unix()}), 200)
	})
	run(t, "a thousand at once", func(t *testing.T) {
		const posters, each = 8, 125
		began := time.Now()
		var all sync.WaitGroup
		for p := range posters {
			all.Go(func() {
				for n := range each {
					if status := here.revoke(t, "jti", fmt.Sprintf("of many-%d-%d", p, n)); status != 201 {
						t.Errorf("status %d", status)
					}
				}
			})
		}
		all.Wait()
		t.Logf("%d revocations in %v", posters*each, time.Since(began).Round(time.Millisecond))
		keeping := newClient(false)
		for p := range posters {
			for n := range each {
				if err := eventually(hangGuard, func() error {
					status, body, err := there.get(keeping, of(fmt.Sprintf("many-%d-%d", p, n)))
					if err == nil && status != 401 {
						err = fmt.Errorf("%d %s", status, body)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	run(t, "cut off from Redis, a runner catches up", func(t *testing.T) {
		wire.Cut()
		for n := range 5 {
			revoke(t, fmt.Sprint("cut-", n))
		}
		there.await(t, of("cut-0"), 200) // it cannot know
		wire.Mend()
		allAreRefused(t)
	})
	run(t, "Redis killed, what was revoked meanwhile is handed on", func(t *testing.T) {
		redis.Kill()
		revoke(t, "killed-0")
		there.await(t, of("plain-0"), 401)
		redis.Revive(t)
		allAreRefused(t)
	})
	run(t, "Redis flushed, the runners fill it again", func(t *testing.T) {
		redis.Flush(t)
		revoke(t, "flushed-0")
		allAreRefused(t)
	})
	run(t, "runners killed one after the other forget nothing", func(t *testing.T) {
		others.away.Store(true)
		for _, s := range []*site{there, here} {
			s.restart(t)
			s.await(t, of("somebody"), 200)
			allAreRefused(t)
		}
		others.away.Store(false)
	})
	others.finish(t)
}

// BenchmarkRevocation is the time from a POST at one runner to the refusal at the
// other, through its gateway, for a token that was known there. The answers are
// asked for one after the other, so that the figure holds one exchange.
func BenchmarkRevocation(b *testing.B) {
	needRunnersOfOnesOwn(b)
	redis := redisserver.Start(b)
	here, there := startSite(b, redis.URL), startSite(b, redis.URL)
	keeping := newClient(false)
	var posted, took []time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		token := of(fmt.Sprint("user-", n))
		if status, body, err := there.get(keeping, token); status != 200 {
			b.Fatal(status, body, err)
		}
		b.StartTimer()
		began := time.Now()
		here.revoke(b, "sub", fmt.Sprint("user-", n))
		posted = append(posted, time.Since(began))
		for {
			status, body, err := there.get(keeping, token)
			if status == 401 {
				break
			}
			if status != 200 || time.Since(began) > hangGuard {
				b.Fatal(status, body, err)
			}
		}
		took = append(took, time.Since(began))
	}
	for name, all := range map[string][]time.Duration{"post": posted, "refused": took} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"-p50-us")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), name+"-p99-us")
	}
}
