package main

import (
	"fmt"
	"os"
	"testing"
)

// buildDir is where the runner is built for the tests.
var buildDir string

func TestMain(m *testing.M) { os.Exit(withBuildDir(m)) }

func withBuildDir(m *testing.M) int {
	var err error
	if buildDir, err = os.MkdirTemp("", "playground"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(buildDir)
	return m.Run()
}

// explained adds what a command said to how it ended.
func explained(err error, out []byte) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\n%s", err, out)
}
