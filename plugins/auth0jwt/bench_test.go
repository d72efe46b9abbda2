package auth0jwt_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/log"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	official "github.com/apache/apisix-go-plugin-runner/pkg/runner"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	serveEnv = "TEST_SERVE" // "engine" or "official": this process is that runner
	cacheEnv = "TEST_CACHE" // its cache, in bytes
)

// TestMain is one of both runners when asked to be, for the benchmarks.
func TestMain(m *testing.M) {
	cache, _ := strconv.ParseInt(os.Getenv(cacheEnv), 10, 64)
	plugins := []plugin.Plugin{&nothing{}, auth0jwt.New(auth0jwt.Options{CacheSize: cache, Logger: slog.New(slog.DiscardHandler)})}
	defer runtime.KeepAlive(auth0jwt.Ballast())
	switch os.Getenv(serveEnv) {
	case "engine":
		serveEngine(plugins)
	case "official":
		serveOfficial(plugins)
	default:
		goleak.VerifyTestMain(m)
	}
}

// nothing is a plugin that does nothing.
type nothing struct{ plugin.DefaultPlugin }

func (*nothing) Name() string                  { return "nothing" }
func (*nothing) ParseConf([]byte) (any, error) { return nil, nil }

func serveEngine(plugins []plugin.Plugin) {
	s, err := runner.New(runner.Options{Plugins: plugins, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		var path string
		if path, err = runner.ParseAddress(os.Getenv("APISIX_LISTEN_ADDRESS")); err == nil {
			var l net.Listener
			if l, err = (runner.Socket{Path: path}).Listen(); err == nil {
				err = s.Serve(l)
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serveOfficial(plugins []plugin.Plugin) {
	out := zapcore.AddSync(os.Stderr)
	log.NewLogger(zapcore.ErrorLevel, out)
	for _, p := range plugins {
		if err := plugin.RegisterPlugin(p); err != nil {
			panic(err)
		}
	}
	official.Run(official.RunnerConfig{LogLevel: zapcore.ErrorLevel, LogOutput: out})
}

// process is a runner in a process of its own.
type process struct {
	path string
	pid  int
}

func startProcess(b *testing.B, kind string, cache int64) process {
	b.Helper()
	path := filepath.Join(b.TempDir(), "r.sock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+kind, cacheEnv+"="+strconv.FormatInt(cache, 10), "APISIX_LISTEN_ADDRESS=unix:"+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 250 {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return process{path, cmd.Process.Pid}
		}
		time.Sleep(20 * time.Millisecond) // another process: nothing to wait on
	}
	b.Fatalf("the %s runner does not listen", kind)
	return process{}
}

// cpu is the processor time used so far.
func (p process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func frameOf(conf uint32, token string) []byte {
	h := func(name, value string) a6.Entry { return a6.Entry{Name: name, Value: value, HasValue: true} }
	r := a6.Request{
		ID: 1, ConfToken: conf, Method: "GET", Path: "/orders", SrcIP: []byte{10, 1, 2, 3},
		Headers: []a6.Entry{
			h("host", "upstream:9001"), h("accept", "*/*"), h("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
			h("accept-encoding", "gzip, deflate, br"), h("accept-language", "en"), h("cookie", "a=1; b=2"),
			h("x-forwarded-proto", "https"), h("x-forwarded-host", "api.example.com"), h("x-forwarded-port", "443"),
			h("authorization", "Bearer "+token),
		},
	}
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		panic(err)
	}
	frame, err := a6.AppendFrame(nil, a6.HTTPReqCall, payload)
	if err != nil {
		panic(err)
	}
	return frame
}

// worker is a connection of APISIX, without allocations once it runs.
type worker struct {
	net.Conn
	r  *bufio.Reader
	in []byte
}

func dial(b *testing.B, path string) *worker {
	b.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	return &worker{Conn: c, r: bufio.NewReader(c)}
}

func (w *worker) prepare(b *testing.B, name, value string) uint32 {
	b.Helper()
	payload := a6.EncodePrepareConf("bench", []a6.Entry{{Name: name, Value: value, HasValue: true}})
	if err := a6.WriteFrame(w, a6.PrepareConf, payload); err != nil {
		b.Fatal(err)
	}
	_, answer, err := a6.ReadFrame(w.r, nil)
	if err != nil {
		b.Fatal(err)
	}
	token, err := a6.DecodePrepareConfResp(answer)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

func (w *worker) do(frame []byte) {
	if _, err := w.Write(frame); err != nil {
		panic(err)
	}
	kind, payload, err := a6.ReadFrame(w.r, w.in)
	if err != nil || kind != a6.HTTPReqCall {
		panic(fmt.Sprint(kind, err))
	}
	w.in = payload
}

func benchConf(extra string) string {
	return fmt.Sprintf(`{"issuer":"https://i.example/","audience":"api","jwks":{"keys":[{"kty":"RSA","kid":"k","n":"%s","e":"AQAB"}]},
		"claim_headers":{"X-User-Id":"sub"}%s}`, base64.RawURLEncoding.EncodeToString(benchKey().N.Bytes()), extra)
}

var benchKey = key

func benchToken(key *rsa.PrivateKey, n int) string {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": "https://i.example/", "aud": "api", "sub": "auth0|user-" + strconv.Itoa(n), "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "scope": "read:orders write:orders", "azp": "spa", "roles": []string{"a", "b"},
		"c1": "v", "c2": "v", "c3": "v", "c4": "v", "c5": "v",
	})
	t.Header["kid"] = "k"
	s, err := t.SignedString(key)
	if err != nil {
		panic(err)
	}
	return s
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
	const rounds = 5
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
	fmt.Fprintf(&table, "raw check of an RS256 signature, all processors busy: %.1f us of CPU\n", rawCheck(many[0]))
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
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	point, err := signer.PublicKey.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	conf := fmt.Sprintf(`{"issuer":"https://i.example/","audience":"api","algorithms":["ES256"],"claim_headers":{"X-User-Id":"sub"},
		"jwks":{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"%s","y":"%s"}]}}`,
		base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
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
						t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
							"iss": "https://i.example/", "aud": "api", "sub": "auth0|user-" + strconv.Itoa(i), "iat": time.Now().Unix(),
							"exp": time.Now().Add(time.Hour).Unix(), "scope": "read:orders write:orders", "azp": "spa", "roles": []string{"a", "b"},
						})
						t.Header["kid"] = "k"
						var token string
						if forged {
							text, err := t.SigningString()
							if err != nil {
								panic(err)
							}
							token = text + "." + strings.Repeat("A", 86)
						} else {
							text, err := t.SignedString(signer)
							if err != nil {
								panic(err)
							}
							token = text
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

// memory is a line of /proc/PID/status, in MiB.
func (p process) memory(line string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
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
func rawCheck(token string) float64 {
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
				if err := jwt.SigningMethodRS256.Verify(token[:i], signature, &benchKey().PublicKey); err != nil {
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
