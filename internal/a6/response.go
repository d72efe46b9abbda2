package a6

import (
	wire "github.com/api7/ext-plugin-proto/go/A6/HTTPRespCall"
)

// Response is what APISIX shows of an upstream's response.
type Response struct {
	ID        uint32
	Status    uint16
	Headers   []Entry
	ConfToken uint32
}

// EncodeResponse builds an HTTPRespCall.
func EncodeResponse(r Response) []byte {
	b := newBuilder()
	headers := entryVector(b, r.Headers)
	wire.ReqStart(b)
	wire.ReqAddId(b, r.ID)
	wire.ReqAddStatus(b, r.Status)
	if headers != 0 {
		wire.ReqAddHeaders(b, headers)
	}
	wire.ReqAddConfToken(b, r.ConfToken)
	return finish(b, wire.ReqEnd(b))
}

// DecodeResponse reads an HTTPRespCall. The error wraps ErrMalformed.
func DecodeResponse(payload []byte) (r Response, err error) {
	const where = "HTTPRespCall request"
	t, err := root(payload)
	if err != nil {
		return r, inside(where, err)
	}
	if r.ID, err = t.uint32(0); err != nil {
		return r, inside(where+": id", err)
	}
	if r.Status, err = t.uint16(1); err != nil {
		return r, inside(where+": status", err)
	}
	if r.Headers, err = t.entries(2); err != nil {
		return r, inside(where+": headers", err)
	}
	r.ConfToken, err = t.uint32(3)
	return r, inside(where+": conf_token", err)
}

// ResponseAnswer is the runner's answer to an HTTPRespCall. Status 0 and no
// headers leave the upstream's.
type ResponseAnswer struct {
	ID      uint32
	Status  uint16
	Headers []Entry
	Body    []byte // empty: unchanged
}

// EncodeResponseAnswer builds the runner's answer to an HTTPRespCall.
func EncodeResponseAnswer(a ResponseAnswer) []byte {
	b := newBuilder()
	headers := entryVector(b, a.Headers)
	body := byteVector(b, a.Body)
	wire.RespStart(b)
	wire.RespAddId(b, a.ID)
	wire.RespAddStatus(b, a.Status)
	if headers != 0 {
		wire.RespAddHeaders(b, headers)
	}
	if body != 0 {
		wire.RespAddBody(b, body)
	}
	return finish(b, wire.RespEnd(b))
}

// DecodeResponseAnswer reads what EncodeResponseAnswer built. The error wraps
// ErrMalformed.
func DecodeResponseAnswer(payload []byte) (a ResponseAnswer, err error) {
	const where = "HTTPRespCall answer"
	t, err := root(payload)
	if err != nil {
		return a, inside(where, err)
	}
	if a.ID, err = t.uint32(0); err != nil {
		return a, inside(where+": id", err)
	}
	if a.Status, err = t.uint16(1); err != nil {
		return a, inside(where+": status", err)
	}
	if a.Headers, err = t.entries(2); err != nil {
		return a, inside(where+": headers", err)
	}
	a.Body, _, err = t.bytes(3)
	return a, inside(where+": body", err)
}
