package a6

import (
	"github.com/api7/ext-plugin-proto/go/A6"
)

// Pair is a header or an argument where it stands in a payload.
type Pair struct {
	Name, Value []byte
	HasValue    bool
}

// RequestView is an HTTPReqCall read in place: its slices are the payload's
// own memory, and its lists are used again by the next Read.
type RequestView struct {
	ID        uint32
	ConfToken uint32
	Method    string
	Path      []byte
	SrcIP     []byte // 4 or 16 bytes
	Args      []Pair
	Headers   []Pair

	reader reader
}

// Read verifies a payload whole and points the view at it. The error wraps
// ErrMalformed; the view is not to be used then.
func (v *RequestView) Read(payload []byte) error {
	v.reader = reader{buf: payload}
	return inside("HTTPReqCall request", v.read())
}

func (v *RequestView) read() error {
	t, err := v.reader.root()
	if err != nil {
		return err
	}
	if v.ID, err = t.uint32(0); err != nil {
		return inside("id", err)
	}
	if v.SrcIP, _, err = t.view(1); err != nil {
		return inside("src_ip", err)
	}
	method, err := t.uint8(2)
	if err != nil {
		return inside("method", err)
	}
	if int(method) >= len(methods) {
		return inside("method", ErrMalformed)
	}
	v.Method = methods[method]
	if v.Path, _, err = t.view(3); err != nil {
		return inside("path", err)
	}
	if v.Args, err = t.pairs(4, v.Args[:0]); err != nil {
		return inside("args", err)
	}
	if v.Headers, err = t.pairs(5, v.Headers[:0]); err != nil {
		return inside("headers", err)
	}
	v.ConfToken, err = t.uint32(6)
	return inside("conf_token", err)
}

// methods are the names by their codes.
var methods = func() []string {
	names := make([]string, len(A6.EnumNamesMethod))
	for code, name := range A6.EnumNamesMethod {
		names[code] = name
	}
	return names
}()
