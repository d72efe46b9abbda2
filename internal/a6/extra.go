package a6

import (
	wire "github.com/api7/ext-plugin-proto/go/A6/ExtraInfo"
	flatbuffers "github.com/google/flatbuffers/go"
)

// Question is what a runner asks in the middle of an exchange: the request's
// body, the response's body, or the nginx variable Var.
type Question struct {
	Var      string
	Body     bool
	RespBody bool
}

// EncodeExtraInfoReq builds the runner's question. The first of Body, RespBody
// and Var that is set is asked.
func EncodeExtraInfoReq(q Question) []byte {
	b := newBuilder()
	kind := wire.InfoVar
	var info flatbuffers.UOffsetT
	switch {
	case q.Body:
		kind = wire.InfoReqBody
		wire.ReqBodyStart(b)
		info = wire.ReqBodyEnd(b)
	case q.RespBody:
		kind = wire.InfoRespBody
		wire.RespBodyStart(b)
		info = wire.RespBodyEnd(b)
	default:
		name := b.CreateString(q.Var)
		wire.VarStart(b)
		wire.VarAddName(b, name)
		info = wire.VarEnd(b)
	}
	wire.ReqStart(b)
	wire.ReqAddInfoType(b, kind)
	wire.ReqAddInfo(b, info)
	return finish(b, wire.ReqEnd(b))
}

// DecodeExtraInfoReq reads the runner's question. A kind that does not exist
// is malformed; the error wraps ErrMalformed.
func DecodeExtraInfoReq(payload []byte) (Question, error) {
	const where = "ExtraInfo request"
	t, err := root(payload)
	if err != nil {
		return Question{}, inside(where, err)
	}
	kind, err := t.uint8(0)
	if err != nil {
		return Question{}, inside(where+": info_type", err)
	}
	switch wire.Info(kind) {
	case wire.InfoReqBody:
		return Question{Body: true}, nil
	case wire.InfoRespBody:
		return Question{RespBody: true}, nil
	case wire.InfoVar:
		info, there, err := t.child(1)
		if err != nil {
			return Question{}, inside(where+": info", err)
		}
		if there {
			name, named, err := info.string(0)
			if err == nil && named {
				return Question{Var: name}, nil
			}
		}
	}
	return Question{}, inside(where+": info", ErrMalformed)
}

// EncodeExtraInfoResp builds APISIX's answer; nil is "there is none", which an
// empty result is not.
func EncodeExtraInfoResp(result []byte) []byte {
	b := newBuilder()
	var at flatbuffers.UOffsetT
	if result != nil {
		at = b.CreateByteVector(result)
	}
	wire.RespStart(b)
	if result != nil {
		wire.RespAddResult(b, at)
	}
	return finish(b, wire.RespEnd(b))
}

// DecodeExtraInfoResp reads APISIX's answer: nil where there is none. The
// error wraps ErrMalformed.
func DecodeExtraInfoResp(payload []byte) ([]byte, error) {
	t, err := root(payload)
	if err != nil {
		return nil, inside("ExtraInfo answer", err)
	}
	result, _, err := t.bytes(0)
	return result, inside("ExtraInfo answer: result", err)
}
