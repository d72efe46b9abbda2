package a6

import (
	"encoding/binary"
	"slices"
)

// Nearly every answer sets a few headers and does nothing else. It is written
// front to back, in one pass, after a head that is always the same; whatever
// more an answer holds, the flatbuffers library writes.

// Where things are in the head. A vtable is its own size, its table's size, and
// for each field where in the table it is.
const (
	headID      = 40
	headCount   = 60
	entryVtable = 14
	nameVtable  = 22
)

var editsHead = func() []byte {
	var b []byte
	u16 := func(values ...uint16) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	u32 := func(v uint32) { b = binary.LittleEndian.AppendUint32(b, v) }
	u32(36)                // 0: the root is at 36
	u16(10, 13, 4, 12, 8)  // 4: vtable of Resp: id, action_type, action
	u16(8, 12, 4, 8)       // 14: vtable of TextEntry: name, value
	u16(6, 8, 4)           // 22: vtable of TextEntry without a value
	u16(8, 8, 0, 4)        // 28: vtable of Rewrite: no path, headers
	u32(36 - 4)            // 36: Resp, whose vtable is so far before it
	u32(0)                 // 40: id
	u32(52 - 44)           // 44: action
	b = append(b, 2, 0, 0) // 48: action_type Rewrite, and to the next multiple of 4
	b = append(b, 0)
	u32(52 - 28) // 52: Rewrite
	u32(60 - 56) // 56: headers
	u32(0)       // 60: their count
	return b
}()

// onlyHeaders reports whether [appendEdits] can write a.
func (r *Rewrite) onlyHeaders() bool {
	return r.Path == "" && len(r.Headers) > 0 && len(r.Args)+len(r.RespHeaders)+len(r.Body) == 0
}

// appendEdits writes the answer that has these header edits to the front of
// buf.
func appendEdits(buf []byte, id uint32, headers []Entry) []byte {
	buf = append(buf[:0], editsHead...)
	binary.LittleEndian.PutUint32(buf[headID:], id)
	binary.LittleEndian.PutUint32(buf[headCount:], uint32(len(headers)))
	row := len(buf)
	buf = slices.Grow(buf, 4*len(headers))[:row+4*len(headers)]
	for _, h := range headers {
		table := len(buf)
		binary.LittleEndian.PutUint32(buf[row:], uint32(table-row))
		row += 4
		if !h.HasValue {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(table-nameVtable))
			buf = binary.LittleEndian.AppendUint32(buf, 4)
			buf = appendText(buf, h.Name)
			continue
		}
		buf = binary.LittleEndian.AppendUint32(buf, uint32(table-entryVtable))
		buf = binary.LittleEndian.AppendUint32(buf, 8) // the name follows the table
		buf = binary.LittleEndian.AppendUint32(buf, uint32(4+textSize(h.Name)))
		buf = appendText(buf, h.Name)
		buf = appendText(buf, h.Value)
	}
	return buf
}

// textSize is what [appendText] writes: the length, the text, a zero, and as
// many more as it takes to a multiple of 4.
func textSize(s string) int { return 4 + (len(s)+4)&^3 }

func appendText(buf []byte, s string) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(s)))
	buf = append(buf, s...)
	return append(buf, "\x00\x00\x00\x00"[:4-len(s)&3]...)
}
