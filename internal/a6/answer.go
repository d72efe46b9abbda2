package a6

import (
	wire "github.com/api7/ext-plugin-proto/go/A6/HTTPReqCall"
	flatbuffers "github.com/google/flatbuffers/go"
)

// Answer is the runner's verdict on an HTTPReqCall. At most one of Stop and
// Rewrite is set; with neither the request goes on as it is.
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

// Rewrite changes the request before it goes on. An entry without a value
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
	b := newBuilder()
	kind, action := wire.ActionNONE, flatbuffers.UOffsetT(0)
	switch {
	case a.Stop != nil:
		kind, action = wire.ActionStop, encodeStop(b, a.Stop)
	case a.Rewrite != nil:
		kind, action = wire.ActionRewrite, encodeRewrite(b, a.Rewrite)
	}
	wire.RespStart(b)
	wire.RespAddId(b, a.ID)
	if action != 0 {
		wire.RespAddActionType(b, kind)
		wire.RespAddAction(b, action)
	}
	return finish(b, wire.RespEnd(b))
}

func encodeStop(b *flatbuffers.Builder, s *Stop) flatbuffers.UOffsetT {
	headers := entryVector(b, s.Headers)
	body := byteVector(b, s.Body)
	wire.StopStart(b)
	wire.StopAddStatus(b, s.Status)
	if headers != 0 {
		wire.StopAddHeaders(b, headers)
	}
	if body != 0 {
		wire.StopAddBody(b, body)
	}
	return wire.StopEnd(b)
}

func encodeRewrite(b *flatbuffers.Builder, r *Rewrite) flatbuffers.UOffsetT {
	var path flatbuffers.UOffsetT
	if r.Path != "" {
		path = b.CreateString(r.Path)
	}
	headers := entryVector(b, r.Headers)
	args := entryVector(b, r.Args)
	respHeaders := entryVector(b, r.RespHeaders)
	body := byteVector(b, r.Body)
	wire.RewriteStart(b)
	for _, field := range []struct {
		at  flatbuffers.UOffsetT
		add func(*flatbuffers.Builder, flatbuffers.UOffsetT)
	}{
		{path, wire.RewriteAddPath},
		{headers, wire.RewriteAddHeaders},
		{args, wire.RewriteAddArgs},
		{respHeaders, wire.RewriteAddRespHeaders},
		{body, wire.RewriteAddBody},
	} {
		if field.at != 0 {
			field.add(b, field.at)
		}
	}
	return wire.RewriteEnd(b)
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
