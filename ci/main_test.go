package ci_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

// under is the system under test: a gateway with a runner, an issuer and an
// upstream. TestMain sets it once.
var under *stack

var casesRun atomic.Int64

func TestMain(m *testing.M) { os.Exit(suite(m)) }

func suite(m *testing.M) int {
	var err error
	under, err = startStack()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: the stack did not start:", err)
		return 1
	}
	defer under.stop()
	code := m.Run()
	fmt.Printf("e2e: %d cases run on %s\n", casesRun.Load(), under.name)
	if code != 0 {
		under.printLogs(os.Stderr)
	}
	return code
}

// run is one case of the suite.
func run(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				casesRun.Add(1)
			}
		}()
		f(t)
	})
}
