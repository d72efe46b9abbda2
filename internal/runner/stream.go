package runner

import (
	"io"
	"syscall"
	"time"
)

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

// watched says that Go's own poller watches the connection.
func (c *conn) watched(carrier transport) {
	if sc, ok := carrier.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.stream.raw, c.stream.tryRead, c.stream.tryWrite = raw, c.peek, c.push
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
	if err := c.net.SetWriteDeadline(time.Now().Add(c.server.writeTimeout)); err != nil {
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
