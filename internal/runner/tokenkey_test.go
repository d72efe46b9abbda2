package runner_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// keyFile is the one file in a directory.
func keyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

func TestTheTokenKeyOutlivesTheProcessAndIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	keys := make([][]byte, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = runner.TokenKey(filepath.Join(dir, "a.sock")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[0]) {
			t.Errorf("keys of %d and %d bytes differ", len(key), len(keys[0]))
		}
	}
	if info, err := os.Lstat(keyFile(t, dir)); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other, err := runner.TokenKey(filepath.Join(t.TempDir(), "a.sock"))
	if err != nil || bytes.Equal(other, keys[0]) {
		t.Errorf("another directory has the same key, %v", err)
	}
}

func TestATokenKeyThatOthersMadeOrReadIsNotUsed(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"a symlink": func(path string) error {
			return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path))
		},
		"a file that others may read": func(path string) error { return os.Chmod(path, 0o644) },
		"a directory":                 func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"another user's file": func(path string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(path, 0o666) // only root can give a file away
			}
			return os.Chown(path, 65534, 65534)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			socket := filepath.Join(dir, "a.sock")
			if _, err := runner.TokenKey(socket); err != nil {
				t.Fatal(err)
			}
			path := keyFile(t, dir)
			if err := plant(path); err != nil {
				t.Fatal(err)
			}
			if key, err := runner.TokenKey(socket); err == nil {
				t.Errorf("a key of %d bytes", len(key))
			}
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("what is not ours was removed: %v", err)
			}
		})
	}
}

func TestATokenKeyThatIsNoneIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "a.sock")
	if _, err := runner.TokenKey(socket); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile(t, dir), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := runner.TokenKey(socket); err != nil || len(key) != 32 {
		t.Errorf("%d bytes, %v", len(key), err)
	}
}

func TestWithoutTheKeyNobodyCanTellAConfigurationsToken(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		p := &filter{name: "p", run: func(exchange) {}}
		first, _ := d.start(t, only(p))
		second, _ := d.start(t, only(p))
		same := 0
		for n := range 8 {
			conf := fmt.Sprint(n)
			if dial(t, first).prepare(conf, entry("p", conf)) == dial(t, second).prepare(conf, entry("p", conf)) {
				same++
			}
		}
		if same == 8 {
			t.Error("two runners with keys of their own give the same tokens")
		}
	})
}

// hashOf is the part of a keyed hash that becomes a token.
func hashOf(key []byte, name, value string) uint32 {
	h := hmac.New(sha256.New, key)
	for _, text := range []string{name, value} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func TestTwoConfigurationsWithTheSameHashStayApartAndAreReported(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		opt := only(&filter{name: "p", run: func(x exchange) { x.r.Header().Set("X-Conf", x.conf.(string)) }})
		opt.TokenKey = []byte("a key that the test knows, alone")
		pair := [2]string{}
		seen := map[uint32]string{}
		for n := 0; pair[0] == ""; n++ {
			value := fmt.Sprint("conf ", n)
			hash := hashOf(opt.TokenKey, "p", value)
			if other, there := seen[hash]; there {
				pair = [2]string{other, value}
			}
			seen[hash] = value
		}
		lines, logger := logged()
		opt.Logger = logger
		path, s := d.start(t, opt)
		c := dial(t, path)
		var tokens [2]uint32
		for i, value := range pair {
			tokens[i] = c.prepare(fmt.Sprint("route ", i), entry("p", value))
		}
		for i, value := range pair {
			r := get()
			r.ConfToken = tokens[i]
			if a := c.call(r); a.Rewrite == nil || a.Rewrite.Headers[0].Value != value {
				t.Errorf("token of %q: %+v", value, a)
			}
		}
		lines.wait(t, "share a token")
		if n := s.Stats().TokenCollisions; n != 1 {
			t.Errorf("%d collisions are counted", n)
		}
	})
}
