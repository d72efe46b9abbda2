package runner

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	// readBuffer takes the longest token there may be in one read, with some
	// headers beside it.
	readBuffer = 24 << 10
	// maxKept is the most memory a connection keeps for its next frame.
	maxKept = 256 << 10
)

// conn is one connection of an APISIX worker: one exchange at a time. Its
// memory is used again for every exchange.
type conn struct {
	server *Server
	net    net.Conn
	r      *bufio.Reader
	in     []byte
	out    []byte
	broken bool        // the stream cannot be trusted any more
	busy   atomic.Bool // in the middle of an exchange

	view    a6.RequestView
	request request
	writer  responseWriter
	rewrite a6.Rewrite
	stop    a6.Stop
	encoder *a6.AnswerEncoder
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, r: bufio.NewReaderSize(nc, readBuffer), encoder: a6.NewAnswerEncoder()}
	c.request.conn = c
	c.request.header.names = &interner{}
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
	for {
		if c.server.draining.Load() {
			c.drain()
		}
		t, payload, err := c.read(c.in)
		if err != nil {
			c.ended(err)
			return
		}
		if c.in = payload; cap(c.in) > maxKept {
			c.in = nil
		}
		c.busy.Store(true)
		more := c.exchange(t, payload)
		c.busy.Store(false)
		if !more || c.server.draining.Load() {
			return
		}
	}
}

// read reads a frame. Once it began, the rest has to follow.
func (c *conn) read(buf []byte) (a6.Type, []byte, error) {
	t, size, err := a6.ReadHeader(c.r)
	if err != nil {
		return 0, nil, err
	}
	if c.r.Buffered() >= size {
		payload, err := a6.ReadPayload(c.r, size, buf)
		return t, payload, err
	}
	if err := c.net.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
		return 0, nil, err
	}
	payload, err := a6.ReadPayload(c.r, size, buf)
	if err == nil {
		err = c.net.SetReadDeadline(time.Time{})
	}
	return t, payload, err
}

func (c *conn) ended(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || c.server.draining.Load() {
		return
	}
	c.server.log.Warn("a connection of APISIX broke", "error", err.Error())
}

// exchange answers one frame and tells whether the connection may go on.
func (c *conn) exchange(t a6.Type, payload []byte) bool {
	kind, answer := c.answer(t, payload)
	if c.broken {
		return false
	}
	frame, err := a6.AppendFrame(c.out[:0], kind, answer)
	if err != nil {
		// An answer that no frame can carry must not become a shorter one.
		c.server.log.Error("an answer is too long and the request was denied", "bytes", len(answer))
		c.stop = denied()
		answer = c.encoder.Encode(a6.Answer{ID: c.view.ID, Stop: &c.stop})
		if t == a6.HTTPRespCall {
			kind, answer = a6.Error, a6.EncodeError(a6.ServiceUnavailable)
		}
		if frame, err = a6.AppendFrame(c.out[:0], kind, answer); err != nil {
			return false
		}
	}
	if c.out = frame; cap(c.out) > maxKept {
		c.out = nil
	}
	if _, err := c.net.Write(frame); err != nil {
		c.ended(err)
		return false
	}
	return kind != a6.Error || answerable(answer)
}

// answerable tells whether a connection goes on after an error: APISIX itself
// causes only "conf token not found"; all else is a peer that is no APISIX.
func answerable(payload []byte) bool {
	code, err := a6.DecodeError(payload)
	return err == nil && code != a6.BadRequest
}

func (c *conn) answer(t a6.Type, payload []byte) (a6.Type, []byte) {
	switch t {
	case a6.PrepareConf:
		key, entries, err := a6.DecodePrepareConf(payload)
		if err != nil {
			return c.refuse(err)
		}
		return t, a6.EncodePrepareConfResp(c.server.confs.prepare(key, entries))
	case a6.HTTPReqCall:
		if err := c.view.Read(payload); err != nil {
			return c.refuse(err)
		}
		conf := c.server.confs.lookup(c.view.ConfToken)
		if conf == nil {
			return a6.Error, a6.EncodeError(a6.ConfTokenNotFound)
		}
		return t, c.encoder.Encode(c.judge(conf))
	case a6.HTTPRespCall:
		r, err := a6.DecodeResponse(payload)
		if err != nil {
			return c.refuse(err)
		}
		conf := c.server.confs.lookup(r.ConfToken)
		if conf == nil {
			return a6.Error, a6.EncodeError(a6.ConfTokenNotFound)
		}
		return c.respond(conf, r)
	case a6.Error, a6.ExtraInfo: // the runner's to send, or an answer nobody asked for
	}
	c.server.log.Warn("a frame of a type that APISIX does not send", "type", int(t))
	return a6.Error, a6.EncodeError(a6.BadRequest)
}

func (c *conn) refuse(err error) (a6.Type, []byte) {
	c.server.log.Warn("a frame could not be read; its connection is closed", "error", err.Error())
	return a6.Error, a6.EncodeError(a6.BadRequest)
}

// judge runs the plugins of a configuration on the request in view.
func (c *conn) judge(conf *conf) a6.Answer {
	a := a6.Answer{ID: c.view.ID}
	if conf.denies {
		c.stop = denied()
		a.Stop = &c.stop
		return a
	}
	c.request.begin(&c.view)
	defer c.request.end()
	c.writer.begin()
	for i := range conf.steps {
		step := &conf.steps[i]
		if !c.filter(step) {
			c.stop = denied()
			a.Stop = &c.stop
			return a
		}
		if c.writer.written() {
			c.writer.stop(&c.stop)
			a.Stop = &c.stop
			return a
		}
	}
	if c.request.edits(&c.rewrite) {
		a.Rewrite = &c.rewrite
	}
	return a
}

// filter runs one plugin and tells whether it came to an end.
func (c *conn) filter(step *step) (ok bool) {
	defer func() {
		if caught := recover(); caught != nil {
			c.server.panicked(step.plugin.Name(), caught)
			ok = false
		}
	}()
	step.plugin.RequestFilter(step.conf, &c.writer, &c.request)
	return true
}

// denied is what a client gets when the runner could not judge: 500, and
// nothing that says why.
func denied() a6.Stop {
	return a6.Stop{
		Status: http.StatusInternalServerError,
		Headers: []a6.Entry{
			{Name: "Content-Type", Value: "application/json", HasValue: true},
			{Name: "Cache-Control", Value: "no-store", HasValue: true},
		},
		Body: []byte(`{"error":"server_error","error_description":"the request could not be checked"}`),
	}
}
