package runner

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The names of the sockets as long as they are in their private directory.
const (
	socketName = "s"
	inboxName  = "h"
)

// errForeign says that a directory is not the one that was made.
var errForeign = errors.New("somebody else changes the directory")

// privateDirectory makes a directory that only this process's user can enter.
// What is opened is checked, since the owner of dir may put another directory
// or a symlink into its place.
func privateDirectory(dir *os.Root) (private *os.Root, name string, err error) {
	name = ".go-runner-" + rand.Text()
	if err := dir.Mkdir(name, 0o700); err != nil {
		return nil, "", err
	}
	if private, err = dir.OpenRoot(name); err != nil {
		return nil, "", err
	}
	info, err := private.Stat(".")
	if err == nil && (!isOwn(info) || info.Mode().Perm() != 0o700) {
		err = errForeign
	}
	if err != nil {
		return nil, "", errors.Join(err, private.Close())
	}
	return private, name, nil
}

// isOwn reports whether a file belongs to this process's user.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// listenIn makes a socket of this name in a private directory. Linux's name for the open
// directory is short whatever the path is, and cannot be changed under us; where
// there is none, path is used, and what was made is looked for in the
// directory.
func listenIn(private *os.Root, path, network, name string) (*net.UnixListener, error) {
	open, err := private.Open(".")
	if err != nil {
		return nil, err
	}
	defer open.Close()
	if proc := fmt.Sprintf("/proc/self/fd/%d", open.Fd()); isDirectory(proc) {
		path = proc
	}
	l, err := net.ListenUnix(network, &net.UnixAddr{Net: network, Name: filepath.Join(path, name)})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if _, err := private.Lstat(name); err != nil {
		return nil, errors.Join(errForeign, l.Close())
	}
	return l, nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Runners that share a directory look and then rename or delete, one after the
// other. Whoever cannot have the lock for that long does not delete.
const (
	lockTries = 10
	lockPause = 10 * time.Millisecond
)

// lock keeps other runners from changing the directory until unlock.
func lock(dir *os.Root) (unlock func(), err error) {
	open, err := dir.Open(".")
	if err != nil {
		return func() {}, err
	}
	for range lockTries {
		err = syscall.Flock(int(open.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			break
		}
		time.Sleep(lockPause)
	}
	if err != nil {
		open.Close()
		return func() {}, err
	}
	return func() { open.Close() }, nil // that unlocks
}
