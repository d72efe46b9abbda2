package runner

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// descriptor is a connection of a loop. As long as nobody has to wait for it
// Go's poller does not know of it; a goroutine that waits makes it a file.
type descriptor struct {
	loop *loop
	conn *conn
	slot int32 // -1 is none

	// Of the loop, or, while it is away, of its goroutine. They change under the
	// loop's lock.
	fd              int
	file            *os.File // owns fd where it is there
	away            bool
	closed          bool
	readBy, writeBy time.Time

	opened bool // a frame was opened before the connection left
}

// ready reads a connection once, and answers what can be answered at once.
func (l *loop) ready(d *descriptor) {
	if d == nil {
		return
	}
	c := d.conn
	c.use(l.work)
	c.peer = busyLoop{}
	c.stream.fd = d.fd
	_, err := c.r.Peek(1)
	c.stream.fd = -1
	if err != nil {
		c.workspace = nil
		if err != unix.EAGAIN {
			c.ended(err)
			l.server.end(c)
		}
		return
	}
	for range framesPerRound {
		if !c.whole() {
			break
		}
		t, payload, err := c.read(c.in)
		if err != nil { // it is whole
			break
		}
		c.in = payload
		if !c.open(t, payload) && !c.now() {
			l.leave(d, true)
			return
		}
		if c.ends || c.r.Buffered() == 0 {
			break
		}
	}
	if c.r.Buffered() > 0 && !c.ends {
		l.leave(d, false)
		return
	}
	l.answer(d)
}

// answer sends what there is, and the connection rests.
func (l *loop) answer(d *descriptor) {
	c := d.conn
	if !l.send(d) {
		l.leave(d, false)
		return
	}
	ends := c.ends || l.server.draining.Load()
	c.workspace = nil
	if l.work.grown() {
		l.work = newWorkspace()
	}
	if ends {
		l.server.end(c)
	}
}

// send writes once, and reports whether that was all.
func (l *loop) send(d *descriptor) bool {
	c := d.conn
	n, err := unix.Write(d.fd, c.out)
	if err != nil {
		n = 0 // whatever it is, the goroutine meets it again
	}
	c.out = c.out[:copy(c.out, c.out[n:])]
	return len(c.out) == 0
}

// leave hands a connection, with the loop's workspace, to a goroutine.
func (l *loop) leave(d *descriptor, opened bool) {
	d.opened, d.conn.peer = opened, d.conn
	l.mu.Lock()
	d.away = true
	err := l.unwatch(d.fd)
	l.mu.Unlock()
	if err != nil {
		l.server.log.Error("an event loop could not leave a connection alone", "error", err.Error())
	}
	l.work = newWorkspace()
	l.server.served.Go(d.serve)
}

// serve is one visit to a goroutine: it answers everything that was read, and
// waits for whatever is missing.
func (d *descriptor) serve() {
	c := d.conn
	if d.answerAll() && !c.server.draining.Load() {
		c.detach()
		err := d.comeBack()
		if err == nil {
			return
		}
		c.server.log.Error("a connection could not go back to its event loop and was closed", "error", err.Error())
	}
	c.detach()
	c.server.end(c)
}

func (d *descriptor) answerAll() bool {
	c := d.conn
	if !c.flush() {
		return false
	}
	if d.opened {
		c.busy.Store(true)
		c.finish()
		more := c.flush()
		c.busy.Store(false)
		if !more {
			return false
		}
	}
	for c.r.Buffered() > 0 {
		if c.server.draining.Load() && c.whole() {
			return false
		}
		if !c.exchange() {
			return false
		}
	}
	return true
}

// comeBack gives the connection to its loop again.
func (d *descriptor) comeBack() error {
	l := d.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := d.unwait(); err != nil {
		return err
	}
	d.away = false
	if err := l.watch(d.fd, ofConnection, d.slot, unix.EPOLLIN); err != nil {
		d.away = true
		return err
	}
	if l.server.draining.Load() {
		l.wake()
	}
	return nil
}

// wait makes the descriptor a file, which Go's poller watches.
func (d *descriptor) wait() error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.file = os.NewFile(uintptr(d.fd), "apisix")
	if err := d.file.SetReadDeadline(d.readBy); err != nil {
		return err
	}
	return d.file.SetWriteDeadline(d.writeBy)
}

// unwait makes the file a bare descriptor again.
func (d *descriptor) unwait() error {
	if d.file == nil {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = d.file.Close() // what was written is written
	d.fd, d.file = fd, nil
	return nil
}

// Read implements io.Reader. It waits.
func (d *descriptor) Read(p []byte) (int, error) {
	if d.file == nil {
		switch n, err := unix.Read(d.fd, p); {
		case err == nil && n == 0:
			return 0, io.EOF
		case err == nil:
			return n, nil
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, err
		}
		if err := d.wait(); err != nil {
			return 0, err
		}
	}
	return d.file.Read(p)
}

// Write implements io.Writer. It waits.
func (d *descriptor) Write(p []byte) (sent int, err error) {
	if d.file == nil {
		switch n, err := unix.Write(d.fd, p); {
		case err == nil && n == len(p):
			return n, nil
		case err == nil:
			sent, p = n, p[n:]
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, err
		}
		if err := d.wait(); err != nil {
			return sent, err
		}
	}
	n, err := d.file.Write(p)
	return sent + n, err
}

// SetReadDeadline bounds waiting.
func (d *descriptor) SetReadDeadline(at time.Time) error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.readBy = at
	if d.file == nil {
		return nil
	}
	return d.file.SetReadDeadline(at)
}

// SetWriteDeadline bounds waiting.
func (d *descriptor) SetWriteDeadline(at time.Time) error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.writeBy = at
	if d.file == nil {
		return nil
	}
	return d.file.SetWriteDeadline(at)
}

// Close implements io.Closer, for the one whose the connection is.
func (d *descriptor) Close() error {
	l := d.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if d.slot >= 0 {
		l.slots[d.slot] = nil
		l.free = append(l.free, d.slot)
	}
	if l.server.draining.Load() {
		l.wake()
	}
	if d.file != nil {
		return d.file.Close()
	}
	return unix.Close(d.fd)
}

// cut ends the connection for whoever uses it.
func (d *descriptor) cut() {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	if !d.closed {
		_ = unix.Shutdown(d.fd, unix.SHUT_RDWR) // gone already, else
	}
}
