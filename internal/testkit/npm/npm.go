// Package npm installs what a package-lock.json pins, for tests against software
// that nobody here wrote. It must not know what is installed.
package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const needs = "this test needs node (22, or 20) and npm, and npm's registry (Debian: apt-get install nodejs npm)"

// Install makes a directory with the files, among them package.json and
// package-lock.json, and with what these pin; one directory for each state of the
// files, in the user's cache, which nobody may write to. The files stand beside
// one another. Where Node.js, npm or the registry is missing the test is skipped,
// and with CI set in the environment it fails.
func Install(t testing.TB, name string, files fs.FS) (dir string) {
	t.Helper()
	dir, err := install(t.Context(), name, files)
	if err == nil {
		return dir
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %v", needs, err)
	}
	t.Skipf("%s: %v", needs, err)
	return ""
}

func install(ctx context.Context, name string, files fs.FS) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "apisix-auth0-jwt-tests")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	state, err := digest(files)
	if err != nil {
		return "", err
	}
	ready := filepath.Join(cache, name+"-"+state)
	if _, err := os.Stat(ready); err == nil {
		return ready, nil
	}
	making, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(making) }()
	if err := os.CopyFS(making, files); err != nil {
		return "", err
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir = making
	if said, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, said)
	}
	// Another process may have been first; its directory is as good.
	if err := os.Rename(making, ready); err != nil {
		if _, there := os.Stat(ready); there != nil {
			return "", err
		}
	}
	return ready, nil
}

// digest names a state of the files.
func digest(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err == nil {
			_, err = fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}
