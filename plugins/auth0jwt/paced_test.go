package auth0jwt_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pacedEnv has this process be a client: it holds a pacedLoad.
const pacedEnv = "TEST_PACED"

// pacedLoad is what a client in a process of its own does.
type pacedLoad struct {
	Path        string
	PerSecond   int
	Connections int
	Fresh       int // every so many requests have a connection of their own; 0 is none
	Lasting     time.Duration
	Frame       []byte
}

// pacedResult is what it prints, in nanoseconds.
type pacedResult struct {
	Requests int
	P50, P99 time.Duration
}

// servePacedClient is such a client.
func servePacedClient() {
	var load pacedLoad
	if err := json.Unmarshal([]byte(os.Getenv(pacedEnv)), &load); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(load.run()); err != nil {
		panic(err)
	}
}

func (l pacedLoad) run() pacedResult {
	var clients sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	begin := time.Now()
	for range l.Connections {
		w := l.dial()
		clients.Go(func() {
			own := make([]time.Duration, 0, l.PerSecond)
			paced(begin, l.Lasting, max(1, l.PerSecond/l.Connections), func(n int) {
				sent := time.Now()
				if l.Fresh > 0 && n%l.Fresh == 0 {
					_ = w.Close()
					w = l.dial()
				}
				w.do(l.Frame)
				own = append(own, time.Since(sent))
			})
			_ = w.Close()
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	clients.Wait()
	slices.Sort(took)
	return pacedResult{len(took), took[len(took)/2], took[len(took)*99/100]}
}

func (l pacedLoad) dial() *worker {
	c, err := net.Dial("unix", l.Path)
	if err != nil {
		panic(err)
	}
	return &worker{Conn: c, r: bufio.NewReaderSize(c, 4<<10)}
}

// start is a client in a process of its own.
func (l pacedLoad) start(b *testing.B) (result func() pacedResult) {
	b.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), pacedEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out := &strings.Builder{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() (r pacedResult) {
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			b.Fatal(err)
		}
		return r
	}
}

// pacedRow is a runner with a plugin.
type pacedRow struct {
	name, kind, plugin, conf string
	on                       process
	frame                    []byte
}

// pacedShape is one table.
type pacedShape struct {
	name             string
	perSecond, fresh int
}

// BenchmarkPaced is requests at a pace, as a gateway sends them, from a client
// in a process of its own over 16 connections: the runner's processor time a
// request, and latency as the client sees it, in medians of interleaved rounds.
// A closed loop keeps the sockets full, and hides what waking up costs.
// ROUND_SECONDS (5) and ROUNDS (5) make it shorter.
func BenchmarkPaced(b *testing.B) {
	lasting, rounds := time.Duration(fromEnv("ROUND_SECONDS", 5))*time.Second, fromEnv("ROUNDS", 5)
	rows := []pacedRow{
		{name: "loop, nothing", kind: "engine", plugin: "nothing"},
		{name: "goroutines, nothing", kind: "goroutines", plugin: "nothing"},
		{name: "official runner, nothing", kind: "official", plugin: "nothing"},
		{name: "loop, known token", kind: "engine", plugin: "auth0-jwt", conf: benchConf("")},
		{name: "goroutines, known token", kind: "goroutines", plugin: "auth0-jwt", conf: benchConf("")},
	}
	for i := range rows {
		rows[i].on = startProcess(b, rows[i].kind, 0)
		w := dial(b, rows[i].on.path)
		rows[i].frame = frameOf(w.prepare(b, rows[i].plugin, rows[i].conf), benchToken(benchKey(), 1))
		if !w.passes(rows[i].frame) {
			b.Fatalf("%s: refused", rows[i].name)
		}
		_ = w.Close()
	}
	for b.Loop() {
		for _, shape := range []pacedShape{
			{"1,000 requests a second", 1_000, 0},
			{"10,000 requests a second", 10_000, 0},
			{"10,000 requests a second, every fourth on a new connection", 10_000, 4},
			{"30,000 requests a second", 30_000, 0},
		} {
			shape.measure(rows, rounds, lasting, b)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

type pacedFigures struct{ perSecond, cpu, p50, p99 float64 }

func (s pacedShape) measure(rows []pacedRow, rounds int, lasting time.Duration, b *testing.B) {
	results := make([][]pacedFigures, len(rows))
	for range rounds {
		for i, row := range rows {
			before := row.on.cpuTime()
			r := pacedLoad{row.on.path, s.perSecond, 16, s.fresh, lasting, row.frame}.start(b)()
			n := float64(r.Requests)
			results[i] = append(results[i], pacedFigures{
				n / lasting.Seconds(), float64((row.on.cpuTime() - before).Nanoseconds()) / 1e3 / n,
				float64(r.P50.Nanoseconds()) / 1e3, float64(r.P99.Nanoseconds()) / 1e3,
			})
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	var table strings.Builder
	fmt.Fprintf(&table, "%s; medians of %d rounds of %s; load %s\n%-28s %12s %8s %8s %8s\n", s.name, rounds, lasting,
		strings.Join(strings.Fields(string(load))[:min(1, len(load))], ""), "", "requests/s", "CPU us", "p50 us", "p99 us")
	for i, row := range rows {
		of := func(value func(pacedFigures) float64) float64 {
			all := make([]float64, len(results[i]))
			for n, r := range results[i] {
				all[n] = value(r)
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		fmt.Fprintf(&table, "%-28s %12.0f %8.1f %8.0f %8.0f\n", row.name,
			of(func(r pacedFigures) float64 { return r.perSecond }), of(func(r pacedFigures) float64 { return r.cpu }),
			of(func(r pacedFigures) float64 { return r.p50 }), of(func(r pacedFigures) float64 { return r.p99 }))
	}
	fmt.Println(table.String())
}

// cpuTime is the processor time used so far by the threads that still run, to
// the nanosecond.
func (p process) cpuTime() (sum time.Duration) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	if err != nil {
		return 0
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", p.pid, thread.Name()))
		if err != nil || len(stat) == 0 {
			continue
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}
