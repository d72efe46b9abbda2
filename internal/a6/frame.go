// Package a6 knows the wire of APISIX's ext-plugin RPC: frames and the
// flatbuffers in them, for both ends of the connection.
// It must not know what an answer is decided on, nor who is connected.
package a6

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Type is the first byte of a frame.
type Type byte

// The types of frames. Any other is an error of the peer.
const (
	Error Type = iota
	PrepareConf
	HTTPReqCall
	ExtraInfo
	HTTPRespCall
)

// MaxPayload is the most bytes a frame's three length bytes can announce.
const MaxPayload = 1<<24 - 1

const (
	headerLen = 4
	readStep  = 64 << 10 // what is believed of an announced length at a time
)

// ErrTooLong says that a payload does not fit a frame.
var ErrTooLong = errors.New("payload is longer than 16777215 bytes, the most a frame carries")

// ReadFrame reads one frame, however it is cut. The payload uses buf's memory
// where it suffices, and memory grows only as bytes arrive. The error is
// io.EOF between frames and io.ErrUnexpectedEOF inside one.
func ReadFrame(r *bufio.Reader, buf []byte) (Type, []byte, error) {
	t, size, err := ReadHeader(r)
	if err != nil {
		return 0, nil, err
	}
	payload, err := ReadPayload(r, size, buf)
	return t, payload, err
}

// ReadHeader reads the head of a frame: its type and the size of its payload
// in bytes. Its errors are those of ReadFrame.
func ReadHeader(r *bufio.Reader) (t Type, size int, err error) {
	header, err := r.Peek(headerLen)
	if err != nil {
		if len(header) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	t, size = Type(header[0]), int(header[1])<<16|int(header[2])<<8|int(header[3])
	_, err = r.Discard(headerLen)
	return t, size, err
}

// ReadPayload reads the payload of a frame, as ReadFrame does.
func ReadPayload(r *bufio.Reader, size int, buf []byte) ([]byte, error) {
	payload := buf[:0]
	for left := size; left > 0; {
		step := min(left, max(readStep, cap(payload)-len(payload)))
		start := len(payload)
		payload = slices.Grow(payload, step)[:start+step]
		if _, err := io.ReadFull(r, payload[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		left -= step
	}
	return payload, nil
}

// WriteFrame writes one frame in one Write. It returns ErrTooLong, and writes
// nothing, where the payload is longer than MaxPayload.
func WriteFrame(w io.Writer, t Type, payload []byte) error {
	frame, err := AppendFrame(nil, t, payload)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// AppendFrame appends one frame to dst. It returns ErrTooLong, and dst as it
// was, where the payload is longer than MaxPayload.
func AppendFrame(dst []byte, t Type, payload []byte) ([]byte, error) {
	size := len(payload)
	if size > MaxPayload {
		return dst, fmt.Errorf("frame of type %d with %d bytes: %w", t, size, ErrTooLong)
	}
	dst = slices.Grow(dst, headerLen+size)
	dst = append(dst, byte(t), byte(size>>16), byte(size>>8), byte(size))
	return append(dst, payload...), nil
}
