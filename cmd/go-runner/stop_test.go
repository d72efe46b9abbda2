package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestASignalAtTheStartLeavesNoSocket has the signal come before the server
// has its listener.
func TestASignalAtTheStartLeavesNoSocket(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		path := filepath.Join(t.TempDir(), "runner.sock")
		if err := run(over, map[string]string{"listen": "unix:" + path}, io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the socket stays behind: %v", err)
		}
	}
}
