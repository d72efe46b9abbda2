package runner_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// typical is a request as a browser sends it through APISIX.
func typical(token uint32) []byte {
	r := get(
		entry("host", "upstream:9001"), entry("accept", "*/*"), entry("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
		entry("accept-encoding", "gzip, deflate, br"), entry("accept-language", "en"), entry("x-in", "auth0|user-1"),
		entry("cookie", "a=1; b=2"), entry("x-forwarded-proto", "https"), entry("x-forwarded-host", "api.example.com"),
		entry("x-forwarded-port", "443"),
	)
	r.ConfToken = token
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

// BenchmarkExchange is one exchange over a socket with both ends in this
// process: its allocations are the engine's, since the client has none.
func BenchmarkExchange(b *testing.B) {
	for _, name := range []string{"nothing", "one-edit"} {
		b.Run(name, func(b *testing.B) {
			path, _ := drivers[0].start(b, runner.Options{Plugins: bothPlugins()})
			c := dial(b, path)
			frame := typical(c.prepare("r", entry(name, "")))
			x := newExchanger(c.Conn)
			x.do(frame)
			b.ReportAllocs()
			for b.Loop() {
				x.do(frame)
			}
		})
	}
}

// exchanger is a client without allocations.
type exchanger struct {
	c  net.Conn
	r  *bufio.Reader
	in []byte
}

func newExchanger(c net.Conn) *exchanger { return &exchanger{c: c, r: bufio.NewReader(c)} }

func (x *exchanger) do(frame []byte) {
	if _, err := x.c.Write(frame); err != nil {
		panic(err)
	}
	kind, payload, err := a6.ReadFrame(x.r, x.in)
	if err != nil || kind != a6.HTTPReqCall {
		panic(fmt.Sprint(kind, err))
	}
	x.in = payload
}

const rounds = 5

// BenchmarkBesideTheOfficialRunner is a closed loop over both sockets, in
// interleaved rounds on one machine. It reports medians: what counts is the
// ratio, not the figures.
func BenchmarkBesideTheOfficialRunner(b *testing.B) {
	ours := startEngineProcess(b)
	theirs := startOfficial(b)
	for _, name := range []string{"nothing", "one-edit"} {
		for _, connections := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d connections", name, connections), func(b *testing.B) {
				var results [2][]result
				for b.Loop() {
					for range rounds {
						for i, path := range []string{ours, theirs} {
							results[i] = append(results[i], load(b, path, name, connections))
						}
					}
				}
				b.ReportMetric(0, "ns/op")
				our, their := median(results[0]), median(results[1])
				b.ReportMetric(our.perSecond, "ours/s")
				b.ReportMetric(their.perSecond, "official/s")
				b.ReportMetric(our.perSecond/their.perSecond, "throughput-ratio")
				b.ReportMetric(us(our.p50), "ours-p50-us")
				b.ReportMetric(us(our.p99), "ours-p99-us")
				b.ReportMetric(us(their.p50), "official-p50-us")
				b.ReportMetric(us(their.p99), "official-p99-us")
				b.ReportMetric(float64(our.p50)/float64(their.p50), "p50-ratio")
			})
		}
	}
}

type result struct {
	perSecond float64
	p50, p99  time.Duration
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func median(all []result) result {
	slices.SortFunc(all, func(a, b result) int { return int(a.perSecond - b.perSecond) })
	return all[len(all)/2]
}

// load is a second of requests, one after the other on every connection.
func load(b *testing.B, path, name string, connections int) result {
	var all []time.Duration
	var mu sync.Mutex
	var clients sync.WaitGroup
	begin := time.Now()
	for range connections {
		c := dial(b, path)
		frame := typical(c.prepare("r", entry(name, "")))
		x := newExchanger(c.Conn)
		clients.Go(func() {
			defer c.Close()
			var took []time.Duration
			for last := time.Now(); time.Since(begin) < time.Second; {
				x.do(frame)
				now := time.Now()
				took = append(took, now.Sub(last))
				last = now
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	clients.Wait()
	slices.Sort(all)
	return result{
		perSecond: float64(len(all)) / time.Since(begin).Seconds(),
		p50:       all[len(all)/2], p99: all[len(all)*99/100],
	}
}
