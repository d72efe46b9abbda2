package runner_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

func TestTheSocketIsForItsOwnerAndGroup(t *testing.T) {
	gid := os.Getegid()
	for _, tt := range []struct {
		name   string
		socket runner.Socket
		mode   fs.FileMode
	}{
		{"by default", runner.Socket{}, 0o660},
		{"a mode", runner.Socket{Mode: 0o600}, 0o600},
		{"a group by number", runner.Socket{Group: strconv.Itoa(gid)}, 0o660},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Whatever the umask of whoever starts us says.
			defer syscall.Umask(syscall.Umask(0))
			tt.socket.Path = filepath.Join(t.TempDir(), "a.sock")
			l, err := tt.socket.Listen()
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			info, err := os.Lstat(tt.socket.Path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != tt.mode {
				t.Errorf("mode %v, want %v", got, tt.mode)
			}
			if tt.socket.Group != "" && int(info.Sys().(*syscall.Stat_t).Gid) != gid {
				t.Errorf("group %d, want %d", info.Sys().(*syscall.Stat_t).Gid, gid)
			}
			if os.Geteuid() == 0 && tt.socket.Group == "" && info.Sys().(*syscall.Stat_t).Gid == 0 {
				t.Error("root's socket has root's group: APISIX's workers run as nobody")
			}
		})
	}
}

func TestASocketThatCannotBeMadeIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, s := range map[string]runner.Socket{
		"an unknown group":            {Path: filepath.Join(dir, "a.sock"), Group: "no-such-group-here"},
		"a directory that is missing": {Path: filepath.Join(dir, "none", "a.sock")},
		"a path that is too long":     {Path: filepath.Join(dir, string(make([]byte, 200)))},
	} {
		if l, err := s.Listen(); err == nil {
			l.Close()
			t.Errorf("%s: listens", name)
		}
	}
}
