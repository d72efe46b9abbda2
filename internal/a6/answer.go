package a6

import (
	"slices"

	wire "github.com/api7/ext-plugin-proto/go/A6/HTTPReqCall"
	flatbuffers "github.com/google/flatbuffers/go"
)

// Answer is the runner's verdict on an HTTPReqCall. At most one of Stop and
// Rewrite is set; with neither the request is forwarded as it is.
type Answer struct {
	ID      uint32
	Stop    *Stop
	Rewrite *Rewrite
}

// Stop answers the client. APISIX takes status 0 for 200, and an empty body
// for none.
type Stop struct {
	Status  uint16
	Headers []Entry
	Body    []byte
}

// Rewrite changes the request before it is forwarded. An entry without a value
// deletes, one with a value replaces every header or argument of that name.
type Rewrite struct {
	Path        string // empty: unchanged
	Headers     []Entry
	Args        []Entry
	RespHeaders []Entry
	Body        []byte // empty: unchanged
}

// EncodeAnswer builds the runner's answer to an HTTPReqCall. Where both Stop
// and Rewrite are set, Stop wins.
func EncodeAnswer(a Answer) []byte {
	return NewAnswerEncoder().Encode(a)
}

// AnswerEncoder builds answers to HTTPReqCalls, one after the other in the
// same memory.
type AnswerEncoder struct {
	b    *flatbuffers.Builder
	rows []flatbuffers.UOffsetT
	buf  []byte // of answers that the library does not write
}

// NewAnswerEncoder makes an encoder.
func NewAnswerEncoder() *AnswerEncoder { return &AnswerEncoder{b: newBuilder()} }

// maxKept is the most memory an encoder keeps for the next answer, in bytes.
const maxKept = 256 << 10

// Encode is EncodeAnswer; the result stands until the next call.
func (e *AnswerEncoder) Encode(a Answer) []byte {
	if a.Stop == nil && a.Rewrite != nil && a.Rewrite.onlyHeaders() {
		if cap(e.buf) > maxKept {
			e.buf = nil
		}
		e.buf = appendEdits(e.buf, a.ID, a.Rewrite.Headers)
		return e.buf
	}
	if cap(e.b.Bytes) > maxKept {
		e.b = newBuilder()
	}
	e.b.Reset()
	kind, action := wire.ActionNONE, flatbuffers.UOffsetT(0)
	switch {
	case a.Stop != nil:
		kind, action = wire.ActionStop, e.stop(a.Stop)
	case a.Rewrite != nil:
		kind, action = wire.ActionRewrite, e.rewrite(a.Rewrite)
	}
	wire.RespStart(e.b)
	wire.RespAddId(e.b, a.ID)
	if action != 0 {
		wire.RespAddActionType(e.b, kind)
		wire.RespAddAction(e.b, action)
	}
	return finish(e.b, wire.RespEnd(e.b))
}

func (e *AnswerEncoder) entries(entries []Entry) flatbuffers.UOffsetT {
	if len(entries) == 0 {
		return 0
	}
	e.rows = slices.Grow(e.rows[:0], len(entries))[:len(entries)]
	return vectorOf(e.b, entries, e.rows)
}

func (e *AnswerEncoder) stop(s *Stop) flatbuffers.UOffsetT {
	headers := e.entries(s.Headers)
	body := byteVector(e.b, s.Body)
	wire.StopStart(e.b)
	wire.StopAddStatus(e.b, s.Status)
	if headers != 0 {
		wire.StopAddHeaders(e.b, headers)
	}
	if body != 0 {
		wire.StopAddBody(e.b, body)
	}
	return wire.StopEnd(e.b)
}

func (e *AnswerEncoder) rewrite(r *Rewrite) flatbuffers.UOffsetT {
	var path flatbuffers.UOffsetT
	if r.Path != "" {
		path = e.b.CreateString(r.Path)
	}
	headers := e.entries(r.Headers)
	args := e.entries(r.Args)
	respHeaders := e.entries(r.RespHeaders)
	body := byteVector(e.b, r.Body)
	wire.RewriteStart(e.b)
	if path != 0 {
		wire.RewriteAddPath(e.b, path)
	}
	if headers != 0 {
		wire.RewriteAddHeaders(e.b, headers)
	}
	if args != 0 {
		wire.RewriteAddArgs(e.b, args)
	}
	if respHeaders != 0 {
		wire.RewriteAddRespHeaders(e.b, respHeaders)
	}
	if body != 0 {
		wire.RewriteAddBody(e.b, body)
	}
	return wire.RewriteEnd(e.b)
}

func byteVector(b *flatbuffers.Builder, raw []byte) flatbuffers.UOffsetT {
	if len(raw) == 0 {
		return 0
	}
	return b.CreateByteVector(raw)
}

// DecodeAnswer reads the runner's answer to an HTTPReqCall. An action APISIX
// does not know is none, as it is there. The error wraps ErrMalformed.
func DecodeAnswer(payload []byte) (Answer, error) {
	a, err := decodeAnswer(payload)
	if err != nil {
		return Answer{}, inside("HTTPReqCall answer", err)
	}
	return a, nil
}

func decodeAnswer(payload []byte) (a Answer, err error) {
	t, err := root(payload)
	if err != nil {
		return a, err
	}
	if a.ID, err = t.uint32(0); err != nil {
		return a, inside("id", err)
	}
	kind, err := t.uint8(1)
	if err != nil {
		return a, inside("action_type", err)
	}
	known := kind == uint8(wire.ActionStop) || kind == uint8(wire.ActionRewrite)
	if !known {
		return a, nil
	}
	action, there, err := t.child(2)
	if err != nil {
		return a, inside("action", err)
	}
	if !there {
		return a, inside("action", ErrMalformed)
	}
	if kind == uint8(wire.ActionStop) {
		a.Stop, err = decodeStop(action)
		return a, inside("stop", err)
	}
	a.Rewrite, err = decodeRewrite(action)
	return a, inside("rewrite", err)
}

func decodeStop(t table) (*Stop, error) {
	var s Stop
	var err error
	if s.Status, err = t.uint16(0); err != nil {
		return nil, inside("status", err)
	}
	if s.Headers, err = t.entries(1); err != nil {
		return nil, inside("headers", err)
	}
	if s.Body, _, err = t.bytes(2); err != nil {
		return nil, inside("body", err)
	}
	return &s, nil
}

func decodeRewrite(t table) (*Rewrite, error) {
	var r Rewrite
	var err error
	if r.Path, _, err = t.string(0); err != nil {
		return nil, inside("path", err)
	}
	if r.Headers, err = t.entries(1); err != nil {
		return nil, inside("headers", err)
	}
	if r.Args, err = t.entries(2); err != nil {
		return nil, inside("args", err)
	}
	if r.RespHeaders, err = t.entries(3); err != nil {
		return nil, inside("resp_headers", err)
	}
	if r.Body, _, err = t.bytes(4); err != nil {
		return nil, inside("body", err)
	}
	return &r, nil
}
