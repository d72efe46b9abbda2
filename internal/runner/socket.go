package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// DefaultSocketMode lets the socket's owner and group in, and nobody else.
const DefaultSocketMode fs.FileMode = 0o660

// overflowGID is the group of nobody where no user database says otherwise.
const overflowGID = 65534

// Socket is where a server listens.
type Socket struct {
	// Path is the file of the socket.
	Path string
	// Mode is its mode; 0 is DefaultSocketMode.
	Mode fs.FileMode
	// Group is its group, by name or number. "" is the process's own, or, for
	// root, that of the user nobody, whom APISIX's workers run as then.
	Group string
}

// ParseAddress reads "unix:PATH", as APISIX gives it, or a bare path.
func ParseAddress(address string) (path string, err error) {
	path, prefixed := strings.CutPrefix(address, "unix:")
	switch {
	case path == "" || path[0] == '@' || path[0] == 0:
		return "", fmt.Errorf("the address %q names no socket file: give unix:/PATH/runner.sock (APISIX cannot reach an abstract socket)", address)
	case !prefixed && strings.Contains(address, "://"):
		return "", fmt.Errorf("the address %q is not a Unix socket: give unix:/PATH/runner.sock", address)
	}
	return path, nil
}

// Listen makes the socket. A socket that nobody answers on is what a runner
// that died left behind, and is replaced; a live one, and whatever is no
// socket, is an error that says what is there.
func (s Socket) Listen() (net.Listener, error) {
	gid, err := s.group()
	if err != nil {
		return nil, err
	}
	mode := s.Mode
	if mode == 0 {
		mode = DefaultSocketMode
	}
	if err := s.clear(); err != nil {
		return nil, err
	}
	// The mode holds from the first moment on: between listen and chmod
	// anybody could connect.
	before := syscall.Umask(0o777 &^ int(mode.Perm()))
	l, err := net.Listen("unix", s.Path)
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	if gid >= 0 {
		err = os.Chown(s.Path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(s.Path, mode.Perm())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot give the socket its group and mode: %w", err), l.Close())
	}
	return l, nil
}

// clear sees to it that nothing is at the path.
func (s Socket) clear() error {
	info, err := os.Lstat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir, err := os.Stat(filepath.Dir(s.Path))
		if err != nil || !dir.IsDir() {
			return fmt.Errorf("the directory of the socket %s is not there: create it, writable for this process", s.Path)
		}
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at the socket path: %w", err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory: give the path of a socket in it, such as %s", s.Path, filepath.Join(s.Path, "runner.sock"))
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket: remove it or give another path", s.Path)
	}
	c, err := net.DialTimeout("unix", s.Path, time.Second)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("another runner is listening on %s: stop it or give another path", s.Path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether a runner listens on %s: %w", s.Path, err)
	}
	if err := os.Remove(s.Path); err != nil {
		return fmt.Errorf("cannot remove the socket of a runner that is gone: %w", err)
	}
	return nil
}

// group is the number of the socket's group, -1 to leave it.
func (s Socket) group() (int, error) {
	if s.Group == "" {
		if os.Geteuid() != 0 {
			return -1, nil
		}
		return nobodysGroup(), nil
	}
	if gid, err := strconv.ParseUint(s.Group, 10, 31); err == nil {
		return int(gid), nil
	}
	g, err := user.LookupGroup(s.Group)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q here: give the name or number of a group", s.Group)
	}
	return strconv.Atoi(g.Gid)
}

func nobodysGroup() int {
	if u, err := user.Lookup("nobody"); err == nil {
		if gid, err := strconv.Atoi(u.Gid); err == nil {
			return gid
		}
	}
	return overflowGID
}
