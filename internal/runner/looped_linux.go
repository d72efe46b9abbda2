package runner

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// looped is a listener that loops accept from.
type looped struct {
	server *Server
	loops  []*loop
	own    *Listener
	fd     int
	pause  time.Duration // after a failure; of the first loop that met it

	mu   sync.Mutex
	left int // loops that accept
}

// acceptInLoops has loops accept from l, and reports whether there are any. The
// caller has s.mu.
func (s *Server) acceptInLoops(own *Listener) bool {
	if s.loops.wanted == 0 || !s.startLoops() {
		return false
	}
	fd, err := duplicate(own.UnixListener)
	if err != nil {
		s.log.Error("the event loop cannot have the socket; a goroutine serves each of its connections", "error", err.Error())
		return false
	}
	// Go's poller must not watch it as well. It stays open as fd.
	_ = own.UnixListener.Close()
	a := &looped{server: s, loops: s.loops.all, own: own, fd: fd, left: len(s.loops.all)}
	s.listeners = append(s.listeners, a)
	s.accepting.Add(1)
	go s.watch(own, a)
	for _, l := range s.loops.all {
		l.mu.Lock()
		l.listeners[int32(fd)] = a
		l.mu.Unlock()
		l.listen(a)
	}
	return true
}

// startLoops reports whether there are loops.
func (s *Server) startLoops() bool {
	for len(s.loops.all) < s.loops.wanted {
		l, err := newLoop(s)
		if err != nil {
			s.log.Error("an event loop could not be made", "error", err.Error(), "loops", len(s.loops.all))
			s.loops.wanted = len(s.loops.all)
			break
		}
		s.loops.all = append(s.loops.all, l)
		s.served.Go(l.run)
	}
	return len(s.loops.all) > 0
}

// duplicate is a second descriptor of a socket.
func duplicate(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(failed, err)
}

func (a *looped) place() *Listener { return a.own }

// Check is nil as long as the path leads to this socket.
func (a *looped) Check() error { return a.own.Check() }

// Leave removes the path, where it is still this socket's, and takes in for
// that long who is on the way.
func (a *looped) Leave(grace time.Duration) error {
	err := a.own.remove()
	time.AfterFunc(grace, a.stop)
	return err
}

// Close removes the path as Leave does, and stops accepting.
func (a *looped) Close() error {
	err := a.own.remove()
	a.stop()
	return err
}

func (a *looped) stop() {
	for _, l := range a.loops {
		l.post(func() { l.leaveListener(a) })
	}
}

// listen watches the listener; of several loops one is woken.
func (l *loop) listen(a *looped) {
	if err := l.watch(a.fd, ofListener, int32(a.fd), unix.EPOLLIN|unix.EPOLLEXCLUSIVE); err != nil {
		l.server.log.Error("an event loop cannot accept connections", "error", err.Error())
	}
}

// accept takes in one connection; if there are more, the loop is told again.
func (l *loop) accept(fd int32) {
	l.mu.Lock()
	a := l.listeners[fd]
	l.mu.Unlock()
	if a == nil {
		return
	}
	if err := l.acceptOne(a); err != nil && err != unix.EAGAIN {
		a.mu.Lock()
		a.pause = l.server.acceptFailed(a.pause, err)
		pause := a.pause
		a.mu.Unlock()
		_ = l.unwatch(a.fd)
		time.AfterFunc(pause, func() {
			l.post(func() {
				l.mu.Lock()
				still := l.listeners[fd] == a
				l.mu.Unlock()
				if still {
					l.listen(a)
				}
			})
		})
	}
}

func (l *loop) acceptOne(a *looped) error {
	fd, _, err := unix.Accept4(a.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case err == unix.EINTR || err == unix.ECONNABORTED:
		return nil
	case err != nil:
		return err
	}
	a.mu.Lock()
	a.pause = 0
	a.mu.Unlock()
	_, err = l.admit(fd)
	return err
}

// admit gives a connection its place, or closes it, and reports whether there
// was room for it.
func (l *loop) admit(fd int) (bool, error) {
	d := &descriptor{loop: l, fd: fd, slot: -1}
	d.conn = newConn(l.server, d)
	if !l.server.admit(d.conn) {
		return false, nil
	}
	if err := l.take(d); err != nil {
		l.server.end(d.conn)
		return false, err
	}
	return true, nil
}

// adopt takes a predecessor's connection in, and reports whether there was room
// for it.
func (l *loop) adopt(fd int) bool {
	admitted, err := l.admit(fd)
	if err != nil {
		l.server.log.Error("a connection of a predecessor could not be taken over", "error", err.Error())
	}
	return admitted
}

// take gives a connection its place.
func (l *loop) take(d *descriptor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errNotServing
	}
	if n := len(l.free); n > 0 {
		d.slot, l.free = l.free[n-1], l.free[:n-1]
	} else {
		d.slot = int32(len(l.slots))
		l.slots = append(l.slots, nil)
	}
	l.slots[d.slot] = d
	return l.watch(d.fd, ofConnection, d.slot, unix.EPOLLIN)
}

// leaveListener takes in who is there, and no more then.
func (l *loop) leaveListener(a *looped) {
	l.mu.Lock()
	_, there := l.listeners[int32(a.fd)]
	l.mu.Unlock()
	if !there {
		return
	}
	for l.acceptOne(a) == nil {
	}
	_ = l.unwatch(a.fd) // not watched while it waits after a failure
	l.mu.Lock()
	delete(l.listeners, int32(a.fd))
	l.mu.Unlock()
	a.mu.Lock()
	a.left--
	last := a.left == 0
	a.mu.Unlock()
	if last {
		_ = unix.Close(a.fd)
		l.server.forget(a, nil)
		_ = a.own.Close() // Go's half is closed already
		l.server.accepting.Done()
	}
}
