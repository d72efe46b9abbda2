package auth0jwt_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

func benchConf(extra string) string {
	return fmt.Sprintf(`{"issuer":"https://i.example/","audience":"api","jwks":%s,"claim_headers":{"X-User-Id":"sub"}%s}`, keySet(), extra)
}

var benchKey = key

func benchToken(key *rsa.PrivateKey, n int) string {
	return signed("RS256", key, map[string]any{
		"iss": "https://i.example/", "aud": "api", "sub": "auth0|user-" + strconv.Itoa(n), "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "scope": "read:orders write:orders", "azp": "spa", "roles": []string{"a", "b"},
		"c1": "v", "c2": "v", "c3": "v", "c4": "v", "c5": "v",
	})
}

// BenchmarkExchange is one exchange with a token seen a moment ago, and with a
// new one each time; allocations are the runner's, since the client has none.
func BenchmarkExchange(b *testing.B) {
	for _, bb := range []struct {
		name   string
		cache  int64
		tokens int
	}{{"known token", 0, 1}, {"new token", 64 << 10, 1000}} {
		b.Run(bb.name, func(b *testing.B) {
			p := auth0jwt.New(auth0jwt.Options{CacheSize: bb.cache, Logger: slog.New(slog.DiscardHandler)})
			defer p.Close()
			s, err := runner.New(runner.Options{Plugins: []plugin.Plugin{p}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "r.sock")
			l, err := runner.Socket{Path: path}.Listen()
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = s.Serve(l) }()
			defer s.Shutdown(context.Background())
			w := dial(b, path)
			defer w.Close()
			conf := w.prepare(b, "auth0-jwt", benchConf(""))
			frames := make([][]byte, bb.tokens)
			for i := range frames {
				frames[i] = frameOf(conf, benchToken(benchKey(), i))
			}
			w.do(frames[0])
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				w.do(frames[i%len(frames)])
			}
		})
	}
}

// scenario is one row of the table.
type scenario struct {
	name, plugin, conf string
	on                 process
	tokens             []string
}

type measured struct{ perSecond, cpu float64 } // requests; microseconds of the runner per request

// BenchmarkTable is a closed loop over the sockets of runners in processes of
// their own, in interleaved rounds. It reports each row's throughput and
// processor time as a ratio to the engine with a plugin that does nothing.
func BenchmarkTable(b *testing.B) {
	rounds := fromEnv("ROUNDS", 5)
	connections := 8
	if n, err := strconv.Atoi(os.Getenv("CONNECTIONS")); err == nil {
		connections = n
	}
	many := make([]string, 3000)
	for i := range many {
		many[i] = benchToken(benchKey(), i)
	}
	forged := make([]string, len(many))
	for i, t := range many {
		forged[i] = t[:len(t)-8] + "AAAAAAAA"[:7] + "A"
	}
	rules := []string{}
	for i := range 20 {
		rules = append(rules, fmt.Sprintf(`{"expression":"claims.c%d == 'v'"}`, i%5+1))
	}
	rich := fmt.Sprintf(`,"rules":[%s],"claims_header":"X-Claims","token_header":"X-Token","strip_headers":["X-A","X-B","X-C"]`, strings.Join(rules, ","))
	engine, small := startProcess(b, "engine", 0), startProcess(b, "engine", 64<<10)
	theirs, theirsSmall := startProcess(b, "official", 0), startProcess(b, "official", 64<<10)
	all := []scenario{
		{"engine, nothing", "nothing", "", engine, many[:1]},
		{"official runner, nothing", "nothing", "", theirs, many[:1]},
		{"known token", "auth0-jwt", benchConf(""), engine, many[:1]},
		{"known token, no headers", "auth0-jwt", strings.Replace(benchConf(""), `"claim_headers":{"X-User-Id":"sub"}`, `"strip_headers":["X-User-Id"]`, 1), engine, many[:1]},
		{"known token, official runner", "auth0-jwt", benchConf(""), theirs, many[:1]},
		{"20 rules and 5 headers, known", "auth0-jwt", benchConf(rich), engine, many[:1]},
		{"new token each time", "auth0-jwt", benchConf(""), small, many},
		{"new token, official runner", "auth0-jwt", benchConf(""), theirsSmall, many},
		{"20 rules and 5 headers, new", "auth0-jwt", benchConf(rich), small, many},
		{"forged token", "auth0-jwt", benchConf(""), engine, forged},
		{"known token, goroutines", "auth0-jwt", benchConf(""), startProcess(b, "goroutines", 0), many[:1]},
		{"new token, goroutines", "auth0-jwt", benchConf(""), startProcess(b, "goroutines", 64<<10), many},
	}
	if only := os.Getenv("ROWS"); only != "" {
		all = slices.DeleteFunc(all, func(s scenario) bool { return !strings.Contains(only, s.name) })
	}
	results := map[string][]measured{}
	for b.Loop() {
		for range rounds {
			for _, s := range all {
				results[s.name] = append(results[s.name], loadOn(b, s, connections))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	base := middle(results[all[0].name])
	var table strings.Builder
	fmt.Fprintf(&table, "%d connections, medians of %d rounds, ratios to the first row\n", connections, rounds)
	fmt.Fprintf(&table, "%-32s %12s %8s %8s %8s %8s\n", "", "requests/s", "spread", "ratio", "CPU us", "ratio")
	for _, s := range all {
		m := middle(results[s.name])
		fmt.Fprintf(&table, "%-32s %12.0f %7.0f%% %8.2f %8.1f %8.2f\n", s.name, m.perSecond, spread(results[s.name]), m.perSecond/base.perSecond, m.cpu, m.cpu/base.cpu)
	}
	signer := forge.P256()
	fmt.Fprintf(&table, "signature check alone, all processors busy, CPU us: RS256 %.1f, ES256 %.1f\n",
		rawCheck(jwt.SigningMethodRS256, many[0], &benchKey().PublicKey), rawCheck(jwt.SigningMethodES256, es256Token(signer, 1), &signer.PublicKey))
	fmt.Println(table.String()) // b.Log would cut it short
}

// BenchmarkDistinctTokens sends TOKENS (100,000) different good tokens and tells
// how much memory the runner is left with, then the same of forged ones.
func BenchmarkDistinctTokens(b *testing.B) {
	n := 100_000
	if text := os.Getenv("TOKENS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	signer := forge.P256()
	conf := es256Conf(signer)
	p := startProcess(b, "engine", 0)
	for b.Loop() {
		for _, forged := range []bool{false, true} {
			var next atomic.Int64
			var clients sync.WaitGroup
			for range 4 {
				w := dial(b, p.path)
				id := w.prepare(b, "auth0-jwt", conf)
				clients.Go(func() {
					defer w.Close()
					for {
						i := int(next.Add(1))
						if i > n {
							return
						}
						token := es256Token(signer, i)
						if forged {
							token = token[:len(token)-86] + strings.Repeat("A", 86)
						}
						w.do(frameOf(id, token))
					}
				})
			}
			clients.Wait()
			fmt.Printf("%d distinct tokens, forged %v: %d MiB resident, %d MiB at most\n", n, forged, p.memory("VmRSS"), p.memory("VmHWM"))
		}
	}
}

func middle(all []measured) measured {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b measured) int { return int(a.perSecond - b.perSecond) })
	return all[len(all)/2]
}

// spread is the widest distance from the median, in percent of it.
func spread(all []measured) float64 {
	m, widest := middle(all).perSecond, 0.0
	for _, r := range all {
		widest = max(widest, (r.perSecond-m)/m, (m-r.perSecond)/m)
	}
	return widest * 100
}

// rawCheck is the processor time of one signature check, in microseconds, with
// every processor busy, as the runners' are.
func rawCheck(method jwt.SigningMethod, token string, key any) float64 {
	i := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil {
		panic(err)
	}
	const n = 20_000
	self := process{pid: os.Getpid()}
	before := self.cpu()
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for range n {
				if err := method.Verify(token[:i], signature, key); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	return float64((self.cpu() - before).Microseconds()) / float64(n*runtime.GOMAXPROCS(0))
}

// loadOn is a second of requests, one after the other on every connection.
func loadOn(b *testing.B, s scenario, connections int) measured {
	var count, next atomic.Int64
	var clients sync.WaitGroup
	frames := [][]byte{}
	first := dial(b, s.on.path)
	conf := first.prepare(b, s.plugin, s.conf)
	_ = first.Close()
	for _, t := range s.tokens {
		frames = append(frames, frameOf(conf, t))
	}
	before, begin := s.on.cpu(), time.Now()
	for range connections {
		w := dial(b, s.on.path)
		w.prepare(b, s.plugin, s.conf)
		clients.Go(func() {
			defer w.Close()
			for time.Since(begin) < time.Second {
				w.do(frames[int(next.Add(1))%len(frames)])
				count.Add(1)
			}
		})
	}
	clients.Wait()
	n := float64(count.Load())
	return measured{n / time.Since(begin).Seconds(), float64((s.on.cpu() - before).Microseconds()) / n}
}
