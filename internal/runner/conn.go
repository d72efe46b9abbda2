package runner

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	// frameTimeout is how long a frame may take to arrive from its first byte
	// on. APISIX gives up sending after 60 s.
	frameTimeout = 60 * time.Second
	// writeTimeout is how long a peer may take to read its answer.
	writeTimeout = 60 * time.Second
)

// conn is one connection of an APISIX worker: one exchange at a time. It has a
// workspace only from the first byte of a frame on.
type conn struct {
	server *Server
	net    net.Conn
	stream stream
	stripe int
	broken bool        // the stream cannot be trusted any more
	busy   atomic.Bool // in the middle of an exchange
	*workspace
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, stripe: nextStripe()}
	c.stream.init(c, nc)
	return c
}

// drain gives the connection the grace of a shutdown, or, in the middle of an
// exchange, the time it takes.
func (c *conn) drain() {
	if c.busy.Load() {
		return
	}
	// An error means that the connection is gone already.
	_ = c.net.SetReadDeadline(time.Now().Add(drainGrace))
}

func (c *conn) serve() {
	defer c.detach()
	for {
		if c.server.draining.Load() {
			c.drain()
		}
		if err := c.await(); err != nil {
			c.ended(err)
			return
		}
		t, payload, err := c.read(c.in)
		if err != nil {
			c.server.counters.frameErrors.Add(1)
			c.ended(err)
			return
		}
		c.in = payload
		c.busy.Store(true)
		more := c.exchange(t, payload)
		c.busy.Store(false)
		if !more || c.server.draining.Load() {
			return
		}
		// Without a descriptor the wait needs a workspace, so that giving it
		// back in between is of no use.
		if c.r.Buffered() == 0 && (c.stream.raw != nil || c.grown()) {
			c.detach()
		}
	}
}

// read reads a frame. Once it began, the rest has to follow.
func (c *conn) read(buf []byte) (a6.Type, []byte, error) {
	if _, err := c.r.Peek(1); err != nil {
		return 0, nil, err
	}
	late := !c.whole()
	if late {
		if err := c.net.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
			return 0, nil, err
		}
	}
	t, size, err := a6.ReadHeader(c.r)
	if err != nil {
		return 0, nil, err
	}
	payload, err := a6.ReadPayload(c.r, size, buf)
	if err == nil && late {
		err = c.net.SetReadDeadline(time.Time{})
	}
	return t, payload, err
}

// whole reports whether a whole frame was read already.
func (c *conn) whole() bool {
	const head = 4
	n := c.r.Buffered()
	if n < head {
		return false
	}
	b, err := c.r.Peek(head)
	return err == nil && n-head >= int(b[1])<<16|int(b[2])<<8|int(b[3])
}

func (c *conn) ended(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || c.server.draining.Load() {
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.server.log.Warn("a connection of APISIX sent half a frame, or did not read its answer, and was closed")
		return
	}
	c.server.log.Warn("a connection of APISIX broke", "error", err.Error())
}

// stream reads and writes a connection. Where the connection has a file
// descriptor, what can be done at once is done without a buffer that waits and
// without a deadline that is set and taken back.
type stream struct {
	raw     syscall.RawConn // nil where there is no descriptor, as in memory
	fd      int             // within a call of raw's, else -1
	err     error
	pending []byte

	tryRead, tryWrite func(fd uintptr) bool
}

func (s *stream) init(c *conn, nc net.Conn) {
	s.fd = -1
	s.tryRead, s.tryWrite = c.peek, c.push
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
}

// Read implements io.Reader for the workspace's buffer.
func (c *conn) Read(p []byte) (int, error) {
	if c.stream.fd < 0 {
		return c.net.Read(p)
	}
	for {
		n, err := syscall.Read(c.stream.fd, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// await waits for the first bytes of a frame, and has a workspace then.
func (c *conn) await() error {
	if c.workspace != nil && c.r.Buffered() > 0 {
		return nil
	}
	if c.stream.raw == nil {
		c.attach()
		_, err := c.r.Peek(1)
		return err
	}
	if err := c.stream.raw.Read(c.stream.tryRead); err != nil {
		return err
	}
	return c.stream.err
}

// peek reads what is there, and reports whether that is anything.
func (c *conn) peek(fd uintptr) bool {
	c.attach()
	c.stream.fd = int(fd)
	_, c.stream.err = c.r.Peek(1)
	c.stream.fd = -1
	if c.stream.err == syscall.EAGAIN {
		c.detach()
		return false
	}
	return true
}

// write writes an answer.
func (c *conn) write(frame []byte) error {
	c.stream.pending, c.stream.err = frame, nil
	defer func() { c.stream.pending = nil }()
	if c.stream.raw != nil {
		if err := c.stream.raw.Write(c.stream.tryWrite); err != nil {
			return err
		}
		if c.stream.err != nil || len(c.stream.pending) == 0 {
			return c.stream.err
		}
	}
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(c.stream.pending); err != nil {
		return err
	}
	return c.net.SetWriteDeadline(time.Time{})
}

// push writes once what can be written at once.
func (c *conn) push(fd uintptr) bool {
	n, err := syscall.Write(int(fd), c.stream.pending)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
	case err != nil:
		c.stream.err = err
	default:
		c.stream.pending = c.stream.pending[n:]
	}
	return true
}
