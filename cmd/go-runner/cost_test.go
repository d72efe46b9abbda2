package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkLog is the processor time of a runner for a request: one whose log has
// refusals, beside one whose log has errors alone, in medians of interleaved rounds
// of a second. The ratio is the median of the rounds' own. BEFORE names binaries of
// other versions, which are measured as well, and what this one takes in place of
// them, with its log, is told. ROUNDS is 9.
func BenchmarkLog(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "go-runner")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	expired := observedToken("exp", "1000000000")
	for _, shape := range []struct {
		name              string
		perSecond, routes int
		token             string
	}{
		{"a known token", 10_000, 1, observedToken()},
		{"no token; 10 lines a second", 10_000, 1, ""},
		{"expired; 10 lines a second", 10_000, 1, expired},
		{"no token; a line for each", 1_000, 500, ""},
		{"expired; a line for each", 1_000, 500, expired},
	} {
		b.Run(shape.name, func(b *testing.B) {
			all := []*costly{startCostly(b, binary, "error"), startCostly(b, binary, "info")}
			for _, before := range filepath.SplitList(os.Getenv("BEFORE")) {
				all = append(all, startCostly(b, before, "info"))
			}
			loads := make([]load, len(all))
			for i, on := range all {
				loads[i] = load{clients: 16, perSecond: shape.perSecond, lasting: time.Second}
				setup := dial(b, on.socket)
				for n := range shape.routes {
					route := setup.prepare(b, strconv.Itoa(n), inlineRoute(fmt.Sprintf(`,"name":"route %d"`, n)))
					loads[i].frames = append(loads[i].frames, frameOf(b, route, shape.token))
				}
			}
			for b.Loop() {
				for range number("ROUNDS", 9) {
					for i, on := range all {
						on.round(b, loads[i])
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, on := range all {
				fmt.Printf("%-30s %-24s %7.2f us, ratio %.3f\n", shape.name, on.name, median(on.spent), on.beside(all[0]))
			}
			for _, on := range all[2:] {
				fmt.Printf("%-30s this, in place of %-24s ratio %.3f\n", shape.name, on.name, all[1].beside(on))
			}
		})
	}
}

// costly is a runner whose processor time is measured.
type costly struct {
	name, socket string
	pid          int
	spent        []float64 // microseconds for a request, one of each round
}

func startCostly(b *testing.B, binary, level string) *costly {
	b.Helper()
	c := &costly{name: filepath.Base(binary) + " " + level, socket: filepath.Join(b.TempDir(), "r.sock")}
	cmd := exec.Command(binary)
	cmd.Args = []string{"go-runner", "run", "--listen", c.socket, "--log-level", level}
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, log) }()
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	c.pid = cmd.Process.Pid
	for ping(c.socket, hangGuard) != nil {
		time.Sleep(20 * time.Millisecond) // another process: nothing to wait on
	}
	return c
}

func (c *costly) round(b *testing.B, l load) {
	b.Helper()
	before := c.cpu()
	r := l.start(b, c.socket)()
	if r.err != nil {
		b.Fatal(r.err)
	}
	c.spent = append(c.spent, float64((c.cpu()-before).Nanoseconds())/1e3/float64(r.sum()))
}

// beside is how many times as much it spends as another.
func (c *costly) beside(other *costly) float64 {
	ratios := slices.Clone(c.spent)
	for i := range ratios {
		ratios[i] /= other.spent[i]
	}
	return median(ratios)
}

func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

// cpu is the processor time used so far by the threads that still run.
func (c *costly) cpu() (sum time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.pid))
	for _, thread := range threads {
		if stat, err := os.ReadFile(thread); err == nil && len(stat) > 0 {
			ns, _ := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}
