package runner

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"time"
)

// What may have become of a socket's path while its runner listens.
var (
	ErrTakenOver = errors.New("the socket's path is another runner's now")
	ErrGone      = errors.New("the socket's path is gone")
)

// Listener is a socket in its place.
type Listener struct {
	*net.UnixListener
	socket Socket
	dir    *os.Root
	base   string
	own    fs.FileInfo

	key     handoverKey // nil is no handover
	inbox   *inbox      // for the predecessor's connections; nil is none
	noInbox error       // why there is none though there is a key
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: l.socket.Path} }

// Check is nil as long as the path leads to this socket, else it wraps
// ErrTakenOver or ErrGone.
func (l *Listener) Check() error {
	info, err := os.Lstat(l.socket.Path)
	switch {
	case err == nil && os.SameFile(info, l.own):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return ErrGone
	case err != nil:
		return errors.Join(ErrGone, err)
	}
	return ErrTakenOver
}

// Leave removes the path, where it is still this socket's, so that nobody new
// comes, and lets Accept take what is already on its way for that long.
func (l *Listener) Leave(grace time.Duration) error {
	return errors.Join(l.remove(), l.SetDeadline(time.Now().Add(grace)))
}

// remove removes the path where it is this socket's. The lock keeps a successor
// from taking it over between the look and the removal.
func (l *Listener) remove() error {
	defer l.inbox.leave()
	unlock, err := lock(l.dir)
	defer unlock()
	if err != nil {
		return err
	}
	l.removeInbox()
	if l.Check() != nil {
		return nil
	}
	return l.dir.Remove(l.base)
}

// place implements what a server asks for the listener of its path.
func (l *Listener) place() *Listener { return l }

// Close implements net.Listener. It removes the path as Leave does.
func (l *Listener) Close() error {
	return errors.Join(l.remove(), l.UnixListener.Close(), l.dir.Close())
}
