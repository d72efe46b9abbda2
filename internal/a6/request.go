package a6

import (
	"fmt"

	"github.com/api7/ext-plugin-proto/go/A6"
	wire "github.com/api7/ext-plugin-proto/go/A6/HTTPReqCall"
)

// Request is what APISIX shows of a client's request.
type Request struct {
	ID        uint32
	SrcIP     []byte // 4 or 16 bytes
	Method    string // upper case
	Path      string // decoded and normalised
	Args      []Entry
	Headers   []Entry
	ConfToken uint32
}

// EncodeRequest builds an HTTPReqCall. It is an error where APISIX has no code
// for the method.
func EncodeRequest(r Request) ([]byte, error) {
	method, known := A6.EnumValuesMethod[r.Method]
	if !known {
		return nil, fmt.Errorf("method %q has no code in the ext-plugin protocol", r.Method)
	}
	b := newBuilder()
	path := b.CreateString(r.Path)
	ip := b.CreateByteVector(r.SrcIP)
	args := entryVector(b, r.Args)
	headers := entryVector(b, r.Headers)
	wire.ReqStart(b)
	wire.ReqAddId(b, r.ID)
	wire.ReqAddConfToken(b, r.ConfToken)
	wire.ReqAddSrcIp(b, ip)
	wire.ReqAddPath(b, path)
	if args != 0 {
		wire.ReqAddArgs(b, args)
	}
	if headers != 0 {
		wire.ReqAddHeaders(b, headers)
	}
	wire.ReqAddMethod(b, method)
	return finish(b, wire.ReqEnd(b)), nil
}

// DecodeRequest reads an HTTPReqCall. The error wraps ErrMalformed; a method
// code that no name belongs to is malformed too.
func DecodeRequest(payload []byte) (Request, error) {
	r, err := decodeRequest(payload)
	if err != nil {
		return Request{}, inside("HTTPReqCall request", err)
	}
	return r, nil
}

func decodeRequest(payload []byte) (r Request, err error) {
	t, err := root(payload)
	if err != nil {
		return r, err
	}
	if r.ID, err = t.uint32(0); err != nil {
		return r, inside("id", err)
	}
	if r.SrcIP, _, err = t.bytes(1); err != nil {
		return r, inside("src_ip", err)
	}
	method, err := t.uint8(2)
	if err != nil {
		return r, inside("method", err)
	}
	name, known := A6.EnumNamesMethod[A6.Method(method)]
	if !known {
		return r, inside("method", ErrMalformed)
	}
	r.Method = name
	if r.Path, _, err = t.string(3); err != nil {
		return r, inside("path", err)
	}
	if r.Args, err = t.entries(4); err != nil {
		return r, inside("args", err)
	}
	if r.Headers, err = t.entries(5); err != nil {
		return r, inside("headers", err)
	}
	r.ConfToken, err = t.uint32(6)
	return r, inside("conf_token", err)
}
