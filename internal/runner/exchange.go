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

// peer is APISIX, as far as a plugin can ask it in the middle of an exchange.
type peer interface {
	ask(a6.Question) ([]byte, error)
}

// exchange answers frames, one at a time, and has no socket: open reads a
// frame, now decides what can be decided without waiting, and finish does
// whatever is left and may wait. Answers are appended to out.
type exchange struct {
	server *Server
	peer   peer
	stripe int

	out     []byte // whole frames, to be sent
	ends    bool   // the connection ends after what is in out
	encoded int    // bytes of the longest answer

	kind    a6.Type
	kept    *kept // the configuration that the frame names
	prepare prepare
	sent    a6.Response
	judging

	encoder *a6.AnswerEncoder
}

// prepare is what PrepareConf brought.
type prepare struct {
	route   string
	entries []a6.Entry
}

// open reads a frame, and reports whether it is answered already: what is no
// frame of APISIX's, or names a configuration that is not there.
func (x *exchange) open(t a6.Type, payload []byte) (answered bool) {
	x.kind, x.ends, x.conf = t, false, nil
	var err error
	switch t {
	case a6.PrepareConf:
		if x.prepare.route, x.prepare.entries, err = a6.DecodePrepareConf(payload); err != nil {
			return x.refuse(err)
		}
		return false
	case a6.HTTPReqCall:
		if err = x.view.Read(payload); err != nil {
			return x.refuse(err)
		}
		return x.find(x.view.ConfToken)
	case a6.HTTPRespCall:
		if x.sent, err = a6.DecodeResponse(payload); err != nil {
			return x.refuse(err)
		}
		return x.find(x.sent.ConfToken)
	case a6.Error, a6.ExtraInfo: // the runner's to send, or an answer nobody asked for
	}
	x.server.counters.frameErrors.Add(1)
	x.server.log.Warn("a frame of a type that APISIX does not send", "type", int(t))
	x.fail(a6.BadRequest)
	return true
}

// now answers what open left, where nothing has to be waited for and nothing
// costly to be computed. Otherwise it is false, and finish answers.
func (x *exchange) now() (answered bool) {
	switch x.kind {
	case a6.PrepareConf:
		token, known := x.server.confs.known(x.prepare.entries)
		if known {
			x.prepared(token)
		}
		return known
	case a6.HTTPReqCall:
		conf := x.kept.conf.Load()
		if conf == nil {
			return false
		}
		x.begin(conf)
		if !x.runNow() {
			return false
		}
		x.verdict()
		return true
	default: // whatever filters a response may take its time
		return false
	}
}

// finish answers what open, or now, left.
func (x *exchange) finish() {
	switch x.kind {
	case a6.PrepareConf:
		x.prepared(x.server.confs.prepare(x.prepare.route, x.prepare.entries))
	case a6.HTTPReqCall:
		if x.conf == nil {
			x.begin(x.kept.wait())
		}
		x.run()
		x.verdict()
	default:
		x.respond(x.kept.wait())
	}
}

// find looks the configuration of a token up, and answers where there is none.
// No configuration has the token 0: that is how go-runner ping asks, and not
// worth a count.
func (x *exchange) find(token uint32) (answered bool) {
	x.kept = x.server.confs.find(token)
	if x.kept != nil {
		return false
	}
	if token != 0 {
		x.server.counters.tokenNotFound.Add(1)
	}
	x.fail(a6.ConfTokenNotFound)
	return true
}

func (x *exchange) refuse(err error) (answered bool) {
	x.server.counters.frameErrors.Add(1)
	x.server.log.Warn("a frame could not be read; its connection is closed", "error", err.Error())
	x.fail(a6.BadRequest)
	return true
}

func (x *exchange) prepared(token uint32) {
	x.prepare = prepare{}
	x.reply(a6.PrepareConf, a6.EncodePrepareConfResp(token))
}

// fail answers with an error. A connection stays open after "conf token not found"
// and what a plugin failed with; all else is a peer that is no APISIX.
func (x *exchange) fail(code a6.Code) {
	x.ends = code == a6.BadRequest
	x.reply(a6.Error, a6.EncodeError(code))
}

// reply appends an answer to what is to be sent.
func (x *exchange) reply(kind a6.Type, answer []byte) {
	frames, err := a6.AppendFrame(x.out, kind, answer)
	if err != nil {
		// An answer that no frame can carry must not become a shorter one.
		x.server.log.Error("an answer is too long and the request was denied", "bytes", len(answer))
		x.stop = denied()
		answer = x.encoder.Encode(a6.Answer{ID: x.view.ID, Stop: &x.stop})
		if kind == a6.HTTPRespCall {
			kind, answer = a6.Error, a6.EncodeError(a6.ServiceUnavailable)
		}
		if frames, err = a6.AppendFrame(x.out, kind, answer); err != nil {
			x.ends = true
			return
		}
	}
	x.out, x.encoded = frames, max(x.encoded, len(answer))
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
