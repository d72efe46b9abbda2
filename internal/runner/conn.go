package runner

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/common"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	// frameTimeout is how long a frame may take to arrive from its first byte
	// on. APISIX gives up sending after 60 s.
	frameTimeout = 60 * time.Second
	// writeTimeout is how long a peer may take to read its answer.
	writeTimeout = 60 * time.Second
)

// transport is what carries a connection's bytes.
type transport interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// conn is one connection of an APISIX worker: one exchange at a time. It has a
// workspace only from the first byte of a frame on.
type conn struct {
	server *Server
	net    transport
	stream stream
	stripe int
	broken bool // the stream cannot be trusted any more
	atOnce bool // the last frame was answered without waiting
	*workspace

	mu    sync.Mutex // of phase; drain has it while it sets a deadline for that phase
	phase phase
}

// phase is how far a connection's goroutine is with an exchange.
type phase byte

const (
	resting phase = iota
	reading       // the rest of a frame that began to arrive
	answering
)

func (c *conn) enter(p phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
}

func newConn(s *Server, carrier transport) *conn {
	return &conn{server: s, net: carrier, stripe: nextStripe(), stream: stream{fd: -1}}
}

// drain gives the connection the grace of a shutdown, or, in the middle of an
// exchange, the time it takes. One that can be handed over is woken for that at
// once, or keeps the time to send the rest of a frame.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	grace := drainGrace
	if c.server.handsOver() {
		if c.phase == reading {
			return
		}
		grace = 0
	}
	if c.phase == answering {
		return
	}
	// An error means that the connection is gone already.
	_ = c.net.SetReadDeadline(time.Now().Add(grace))
}

// busyLoop is APISIX to a plugin that asks although it said that it would not:
// the loop does not wait for an answer.
type busyLoop struct{}

func (busyLoop) ask(a6.Question) ([]byte, error) { return nil, common.ErrConnClosed }

// cut ends the connection for whoever uses it.
func (c *conn) cut() {
	if shared, ok := c.net.(interface{ cut() }); ok {
		shared.cut()
		return
	}
	c.net.Close()
}

// serve is the driver with a goroutine per connection. It reports whether the
// connection is at rest at the end, and its peer there.
func (c *conn) serve() (rests bool) {
	defer c.detach()
	for {
		if c.server.draining.Load() && !c.holdsBytes() {
			if c.server.handsOver() {
				return true
			}
			c.drain()
		}
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
		if c.server.draining.Load() && !c.server.handsOver() {
			return true
		}
		// Without a descriptor the wait needs a workspace, so that giving it
		// back in between is of no use.
		if c.r.Buffered() == 0 && (c.stream.raw != nil || c.grown()) {
			c.detach()
		}
	}
}

// exchange reads a frame and answers it, however long that takes, and reports
// whether the connection stays open.
func (c *conn) exchange() bool {
	t, payload, err := c.frame()
	if err != nil {
		c.server.counters.frameErrors.Add(1)
		c.ended(err)
		return false
	}
	c.in = payload
	c.enter(answering)
	defer c.enter(resting)
	c.atOnce = c.open(t, payload) || c.now()
	if !c.atOnce {
		c.finish()
	}
	return c.flush()
}

// flush sends the answers that there are, and reports whether the connection
// stays open.
func (c *conn) flush() bool {
	if c.broken {
		return false
	}
	if len(c.out) == 0 {
		return !c.ends
	}
	err := c.write(c.out)
	c.out = c.out[:0]
	if err != nil {
		c.ended(err)
		return false
	}
	return !c.ends
}

// read reads a frame that is whole, or, in the middle of an exchange, an answer.
// Once that began, the rest has to follow.
func (c *conn) read(buf []byte) (a6.Type, []byte, error) {
	if _, err := c.r.Peek(1); err != nil {
		return 0, nil, err
	}
	late := !c.whole()
	if late {
		if err := c.net.SetReadDeadline(time.Now().Add(c.server.frameTimeout)); err != nil {
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
	n := c.r.Buffered()
	if n < frameHead {
		return false
	}
	b, err := c.r.Peek(frameHead)
	return err == nil && n >= frameSize(b)
}

// ask implements peer: it puts a question to APISIX in the middle of an exchange. The request in
// view stays as it is: the answer has memory of its own.
func (c *conn) ask(q a6.Question) ([]byte, error) {
	if c.broken {
		return nil, common.ErrConnClosed
	}
	c.broken = true // unless all of this goes well
	if err := a6.WriteFrame(c.net, a6.ExtraInfo, a6.EncodeExtraInfoReq(q)); err != nil {
		return nil, common.ErrConnClosed
	}
	if err := c.net.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, common.ErrConnClosed
	}
	t, payload, err := c.read(nil)
	if err != nil || t != a6.ExtraInfo || c.net.SetReadDeadline(time.Time{}) != nil {
		return nil, common.ErrConnClosed
	}
	result, err := a6.DecodeExtraInfoResp(payload)
	if err != nil {
		return nil, common.ErrConnClosed
	}
	c.broken = false
	return result, nil
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
