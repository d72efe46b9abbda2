package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const dialTimeout = time.Second

// socketPath reads the address of --listen: "unix:PATH", as APISIX gives it,
// or a bare absolute or relative path.
func socketPath(address string) (string, error) {
	path := strings.TrimPrefix(address, "unix:")
	switch {
	case address == "":
		return "", cannotRun("no address to listen on: APISIX sets APISIX_LISTEN_ADDRESS when it starts the runner; " +
			"as a side-car give --listen unix:/PATH/runner.sock, the path of ext-plugin.path_for_test in APISIX's config.yaml")
	case path == "" || strings.HasPrefix(path, "@") || strings.HasPrefix(path, "\x00"):
		return "", cannotRun("the address %q names no socket file: give unix:/PATH/runner.sock (APISIX cannot reach an abstract socket)", address)
	case path == address && strings.Contains(address, "://"):
		return "", cannotRun("the address %q is not a Unix socket: give unix:/PATH/runner.sock", address)
	}
	return path, nil
}

// checkSocket refuses to start where something else lives at path. A socket
// that nobody answers on is left by a runner that died, and is replaced.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil || !dir.IsDir() {
			return cannotRun("the directory of the socket %s is not there: create it, writable for this process", path)
		}
		return nil
	case err != nil:
		return cannotRun("cannot look at the socket path: %w", err)
	case info.IsDir():
		return cannotRun("%s is a directory: give the path of a socket in it, such as %s", path, filepath.Join(path, "runner.sock"))
	case info.Mode().Type() != fs.ModeSocket:
		return cannotRun("%s is there and is not a socket: remove it or give another path", path)
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		conn.Close()
		return cannotRun("another runner is listening on %s: stop it or give another path", path)
	}
	return nil
}
