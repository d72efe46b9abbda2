package runner

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	frameHead = 4
	// leastGrowth is how much more of a frame there is room for at least, where
	// that much is missing.
	leastGrowth = 512
)

// frameSize is the size of the frame that begins with these bytes, as far as
// they tell.
func frameSize(b []byte) int {
	if len(b) < frameHead {
		return frameHead
	}
	return frameHead + (int(b[1])<<16 | int(b[2])<<8 | int(b[3]))
}

// frame reads a frame, of which the first bytes are there.
func (c *conn) frame() (a6.Type, []byte, error) {
	if c.whole() {
		return c.read(c.in)
	}
	return c.gather()
}

// gather waits for the rest of a frame. Meanwhile the connection has no
// workspace, and no more memory than twice what its peer has sent.
func (c *conn) gather() (a6.Type, []byte, error) {
	part, err := c.r.Peek(c.r.Buffered())
	if err != nil {
		return 0, nil, err
	}
	part = bytes.Clone(part)
	c.detach()
	c.enter(reading)
	defer c.enter(resting)
	if err := c.net.SetReadDeadline(time.Now().Add(c.server.frameTimeout)); err != nil {
		return 0, nil, err
	}
	if c.server.draining.Load() {
		c.drain()
	}
	for missing := frameSize(part) - len(part); missing > 0; missing = frameSize(part) - len(part) {
		step := min(missing, max(len(part), leastGrowth))
		part = slices.Grow(part, step)
		n, err := c.net.Read(part[len(part) : len(part)+step])
		part = part[:len(part)+n]
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil, io.ErrUnexpectedEOF
		case err != nil:
			return 0, nil, err
		}
	}
	c.attach()
	return a6.Type(part[0]), part[frameHead:], c.net.SetReadDeadline(time.Time{})
}
