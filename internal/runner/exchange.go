package runner

import (
	"net/http"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// requestTimeout ends a request's context. APISIX gives up after 60 s (rpc_call
// in apisix/plugins/ext-plugin/init.lua); a plugin that heeds its context can
// still answer.
const requestTimeout = 56 * time.Second

// exchange answers one frame and reports whether the connection may go on.
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
	c.out, c.encoded = frame, max(c.encoded, len(answer))
	if err := c.write(frame); err != nil {
		c.ended(err)
		return false
	}
	return kind != a6.Error || answerable(answer)
}

// answerable reports whether a connection goes on after an error: APISIX itself
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
		conf := c.lookup(c.view.ConfToken)
		if conf == nil {
			return a6.Error, a6.EncodeError(a6.ConfTokenNotFound)
		}
		return t, c.encoder.Encode(c.judge(conf))
	case a6.HTTPRespCall:
		r, err := a6.DecodeResponse(payload)
		if err != nil {
			return c.refuse(err)
		}
		conf := c.lookup(r.ConfToken)
		if conf == nil {
			return a6.Error, a6.EncodeError(a6.ConfTokenNotFound)
		}
		return c.respond(conf, r)
	case a6.Error, a6.ExtraInfo: // the runner's to send, or an answer nobody asked for
	}
	c.server.counters.frameErrors.Add(1)
	c.server.log.Warn("a frame of a type that APISIX does not send", "type", int(t))
	return a6.Error, a6.EncodeError(a6.BadRequest)
}

// lookup is the configuration of a token, or nil. No configuration has the
// token 0: that is how go-runner ping asks, and not worth a count.
func (c *conn) lookup(token uint32) *conf {
	conf := c.server.confs.lookup(token)
	if conf == nil && token != 0 {
		c.server.counters.tokenNotFound.Add(1)
	}
	return conf
}

func (c *conn) refuse(err error) (a6.Type, []byte) {
	c.server.counters.frameErrors.Add(1)
	c.server.log.Warn("a frame could not be read; its connection is closed", "error", err.Error())
	return a6.Error, a6.EncodeError(a6.BadRequest)
}

// judge runs the plugins of a configuration on the request in view.
func (c *conn) judge(conf *conf) a6.Answer {
	a := a6.Answer{ID: c.view.ID}
	if conf.denies {
		c.server.counters.denied.Add(1)
		c.stop = denied()
		a.Stop = &c.stop
		return a
	}
	c.request.header.names.forget() // of an exchange before that was refused
	c.request.begin(&c.view)
	defer c.request.end()
	c.writer.begin()
	for i := range conf.steps {
		step := &conf.steps[i]
		count := &step.plugin.tally[c.stripe]
		if !c.filter(step) {
			count.failed.Add(1)
			c.stop = denied()
			a.Stop = &c.stop
			return a
		}
		if c.writer.written() {
			count.stopped.Add(1)
			c.writer.stop(&c.stop)
			a.Stop = &c.stop
			return a
		}
		count.passed.Add(1)
	}
	c.request.header.names.keep()
	if c.request.edits(&c.rewrite) {
		a.Rewrite = &c.rewrite
	}
	return a
}

// filter runs one plugin and reports whether it came to an end.
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
