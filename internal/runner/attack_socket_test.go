package runner_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// Whoever owns the socket's directory may put a symlink wherever he likes in
// it, at any moment: the file behind it keeps its mode and its group.
func TestASymlinkInTheSocketsPlaceGivesNoFileAway(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Lstat(victim)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.sock")
	done := make(chan struct{})
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = os.Remove(path) // the next one tells
				_ = os.Symlink(victim, path)
				_ = os.Remove(path)
			}
		}
	})
	for range 300 {
		// It may be refused: a symlink is no socket.
		if l, err := (runner.Socket{Path: path, Mode: 0o666}).Listen(); err == nil {
			l.Close()
		}
	}
	close(done)
	attacker.Wait()
	after, err := os.Lstat(victim)
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode() != after.Mode() || !os.SameFile(before, after) {
		t.Errorf("the file behind the symlink has mode %v now", after.Mode())
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
