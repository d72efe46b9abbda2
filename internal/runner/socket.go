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
	// TakeOver replaces the socket of a live runner, which keeps the
	// connections that it has; else a live runner's socket is an error.
	TakeOver bool
	// HandoverKey, the one of [TokenKey], lets a server hand its connections to
	// its successor when it ends, and take over those of its predecessor, on
	// Linux. nil is no handover: then they are closed.
	HandoverKey []byte
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

// maxSocketPath is the longest path, in bytes, that anybody can connect to.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Listen makes the socket in a private directory beside its path, gives it its
// group and mode there, and renames it into its place: there is no moment
// without a socket, none in which it is open to others, and whatever the owner
// of the directory puts in the way is neither followed nor deleted. A socket
// that nobody answers on is what a runner that died left behind, and is
// replaced; a directory and whatever else is no socket is an error.
func (s Socket) Listen() (*Listener, error) {
	gid, err := s.group()
	if err != nil {
		return nil, err
	}
	if len(s.Path) > maxSocketPath {
		return nil, fmt.Errorf("the socket's path has %d bytes, and nobody can connect to one of more than %d: give a shorter one", len(s.Path), maxSocketPath)
	}
	dir, err := os.OpenRoot(filepath.Dir(s.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("the directory of the socket %s is not there: create it, writable for this process", s.Path)
	case err != nil:
		return nil, fmt.Errorf("cannot open the directory of the socket: %w", err)
	}
	l := &Listener{socket: s, dir: dir, base: filepath.Base(s.Path)}
	if l.key, err = newHandoverKey(s.HandoverKey); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	unlock, _ := lock(dir) // without the lock nobody deletes
	defer unlock()
	if err = s.replaceable(l); err == nil {
		err = s.bind(l, gid)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return l, nil
}

// replaceable reports as an error what is in the socket's place and stays
// there.
func (s Socket) replaceable(l *Listener) error {
	info, err := l.dir.Lstat(l.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at the socket path: %w", err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory: give the path of a socket in it, such as %s", s.Path, filepath.Join(s.Path, "runner.sock"))
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket: remove it or give another path", s.Path)
	case s.TakeOver:
		return nil
	}
	c, err := net.DialTimeout("unix", s.Path, time.Second)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("another runner is listening on %s: stop it, give another path, or replace it with --takeover", s.Path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether a runner listens on %s: %w", s.Path, err)
	}
	return nil
}

// bind makes the socket and puts it into its place.
func (s Socket) bind(l *Listener, gid int) (err error) {
	private, name, err := privateDirectory(l.dir)
	if err != nil {
		return fmt.Errorf("cannot make the socket: %w", err)
	}
	defer func() {
		if err != nil && l.UnixListener != nil {
			l.removeInbox()
			l.inbox.leave()
			err = errors.Join(err, l.UnixListener.Close())
		}
		_ = private.Remove(socketName) // where the rename failed; else it is not there
		_ = private.Remove(inboxName)
		_ = private.Close()
		_ = l.dir.Remove(name) // an empty directory is all that could be left
	}()
	path := filepath.Join(filepath.Dir(s.Path), name)
	if l.UnixListener, err = listenIn(private, path, "unix", socketName); err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	mode := s.Mode
	if mode == 0 {
		mode = DefaultSocketMode
	}
	if gid >= 0 {
		err = private.Lchown(socketName, -1, gid)
	}
	if err == nil {
		err = private.Chmod(socketName, mode.Perm())
	}
	if err == nil {
		l.own, err = private.Lstat(socketName)
	}
	if err != nil {
		return fmt.Errorf("cannot give the socket its group and mode: %w", err)
	}
	// The inbox comes first: whoever finds its path taken over may end at once.
	l.noInbox = l.placeInbox(private, path, name)
	if err := l.dir.Rename(filepath.Join(name, socketName), l.base); err != nil {
		return fmt.Errorf("cannot put the socket into its place: %w", err)
	}
	if err := l.Check(); err != nil {
		return fmt.Errorf("the socket did not stay in its place: %w", err)
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
