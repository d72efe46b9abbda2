package a6

import (
	"fmt"

	wire "github.com/api7/ext-plugin-proto/go/A6/Err"
)

// Code is why a runner answered with a frame of type Error.
type Code uint8

// The codes APISIX knows. It tries again after ConfTokenNotFound, having
// dropped every token it holds, and gives up at once after any other.
const (
	BadRequest Code = iota
	ServiceUnavailable
	ConfTokenNotFound
)

// String is the text APISIX logs for the code.
func (c Code) String() string {
	switch c {
	case BadRequest:
		return "bad request"
	case ServiceUnavailable:
		return "service unavailable"
	case ConfTokenNotFound:
		return "conf token not found"
	}
	return fmt.Sprintf("unknown err %d", uint8(c))
}

// EncodeError builds the payload of a frame of type Error.
func EncodeError(code Code) []byte {
	b := newBuilder()
	wire.RespStart(b)
	wire.RespAddCode(b, wire.Code(code))
	return finish(b, wire.RespEnd(b))
}

// DecodeError returns the code, which may be one APISIX has no name for. The
// error wraps ErrMalformed.
func DecodeError(payload []byte) (Code, error) {
	t, err := root(payload)
	if err != nil {
		return 0, inside("error answer", err)
	}
	code, err := t.uint8(0)
	return Code(code), inside("error answer: code", err)
}

// inside names the message and field an error was met in.
func inside(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}
