package runner

import (
	"os"
	"syscall"
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
	handed          bool // the successor may have it: whatever is done to the socket is done to its connection
	readBy, writeBy time.Time

	opened bool // a frame was opened before the connection left
	visits int  // to a goroutine, one after the other
}

// settleAfter is after how many visits, without a frame in between that the
// loop could answer, a connection stays with a goroutine: to hand each frame
// over costs more than the loop saves.
const settleAfter = 4

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
	d.visits = 0
	ends := c.ends
	c.workspace = nil
	if l.work.grown() {
		l.work = newWorkspace()
	}
	switch {
	case ends:
		l.server.end(c)
	case l.server.handsOver():
		d.release()
		l.server.served.Go(func() { l.server.part(c) })
	case l.server.draining.Load():
		l.server.end(c)
	}
}

// release takes the connection away from the loop, to be handed over. The
// loop's epoll would keep watching a socket that another process has, and
// nobody may cut it any more.
func (d *descriptor) release() {
	l := d.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	d.handed = true
	if d.away {
		return
	}
	d.away = true
	if err := l.unwatch(d.fd); err != nil {
		l.server.log.Error("an event loop could not leave a connection alone", "error", err.Error())
	}
}

// send writes once, and reports whether that was all.
func (l *loop) send(d *descriptor) bool {
	c := d.conn
	n, err := syscall.Write(d.fd, c.out)
	if err != nil {
		n = 0 // whatever it is, the goroutine meets it again
	}
	c.out = c.out[:copy(c.out, c.out[n:])]
	return len(c.out) == 0
}

// leave hands a connection, with the loop's workspace, to a goroutine.
func (l *loop) leave(d *descriptor, opened bool) {
	d.opened, d.conn.peer = opened, d.conn
	d.visits++
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

// serve is a visit to a goroutine: it answers everything that was read, and
// waits for whatever is missing.
func (d *descriptor) serve() {
	c := d.conn
	more := d.answerAll()
	c.detach()
	if more && d.visits >= settleAfter {
		more = d.stay()
	}
	if more && !c.server.draining.Load() {
		err := d.comeBack()
		if err == nil {
			return
		}
		c.server.log.Error("a connection could not go back to its event loop and was closed", "error", err.Error())
		more = false
	}
	if more {
		c.server.part(c)
		return
	}
	c.server.end(c)
}

// stay serves the connection until a frame comes that the loop could have
// answered.
func (d *descriptor) stay() (more bool) {
	c := d.conn
	if d.file == nil {
		if err := d.wait(); err != nil {
			c.ended(err)
			return false
		}
	}
	c.watched(d.file)
	defer func() {
		c.detach()
		c.stream = stream{fd: -1}
	}()
	for c.holdsBytes() || !c.server.draining.Load() {
		if err := c.await(); err != nil {
			if c.woken(err) {
				return true
			}
			c.ended(err)
			return false
		}
		if !c.exchange() {
			return false
		}
		if c.r.Buffered() > 0 {
			continue
		}
		if c.atOnce {
			return true
		}
		c.detach()
	}
	return true
}

func (d *descriptor) answerAll() bool {
	c := d.conn
	if !c.flush() {
		return false
	}
	if d.opened {
		c.enter(answering)
		c.finish()
		more := c.flush()
		c.enter(resting)
		if !more {
			return false
		}
	}
	for c.r.Buffered() > 0 {
		if c.server.draining.Load() && !c.server.handsOver() && c.whole() {
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
