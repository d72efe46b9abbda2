package a6

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ErrMalformed says that a payload is not the flatbuffer it should be: an
// offset, a size or a required field is wrong.
var ErrMalformed = errors.New("malformed flatbuffer")

// maxEntries bounds what one vector of entries may make us keep: APISIX shows
// 100 headers, and arguments that fit nginx's request line.
const maxEntries = 1 << 16

// reader holds a payload and the bytes that may still be copied out of it.
// Without that budget a small payload whose many entries point at one long
// string would take far more memory than it brought.
type reader struct {
	buf    []byte
	budget int
}

// table is a flatbuffer table whose own bounds, and its vtable's, were
// checked; every field access checks the rest.
type table struct {
	r       *reader
	pos     int // of the table
	size    int // of the table
	vtable  int // its position
	vtabLen int
}

func root(buf []byte) (table, error) {
	r := &reader{buf: buf, budget: MaxPayload}
	return r.root()
}

func (r *reader) root() (table, error) {
	pos, err := r.target(0)
	if err != nil {
		return table{}, err
	}
	return r.table(pos)
}

func (r *reader) within(pos, size int) bool {
	return pos >= 0 && size >= 0 && pos <= len(r.buf)-size
}

// target follows the unsigned offset stored at pos.
func (r *reader) target(pos int) (int, error) {
	if !r.within(pos, 4) {
		return 0, ErrMalformed
	}
	offset := int64(binary.LittleEndian.Uint32(r.buf[pos:]))
	if offset == 0 || int64(pos)+offset > int64(len(r.buf)-4) {
		return 0, ErrMalformed
	}
	return pos + int(offset), nil
}

func (r *reader) table(pos int) (table, error) {
	if !r.within(pos, 4) {
		return table{}, ErrMalformed
	}
	back := int64(int32(binary.LittleEndian.Uint32(r.buf[pos:])))
	at := int64(pos) - back
	if at < 0 || at > int64(len(r.buf)-4) {
		return table{}, ErrMalformed
	}
	t := table{r: r, pos: pos, vtable: int(at)}
	t.vtabLen = int(binary.LittleEndian.Uint16(r.buf[t.vtable:]))
	t.size = int(binary.LittleEndian.Uint16(r.buf[t.vtable+2:]))
	if t.vtabLen < 4 || t.vtabLen%2 != 0 || !r.within(t.vtable, t.vtabLen) {
		return table{}, ErrMalformed
	}
	if t.size < 4 || !r.within(t.pos, t.size) {
		return table{}, ErrMalformed
	}
	return t, nil
}

// field returns the position of the field with that index, or 0 where the
// table does not have it.
func (t table) field(index, size int) (int, error) {
	slot := 4 + 2*index
	if slot+2 > t.vtabLen {
		return 0, nil
	}
	offset := int(binary.LittleEndian.Uint16(t.r.buf[t.vtable+slot:]))
	if offset == 0 {
		return 0, nil
	}
	if offset < 4 || offset+size > t.size {
		return 0, ErrMalformed
	}
	return t.pos + offset, nil
}

func (t table) uint8(index int) (uint8, error) {
	pos, err := t.field(index, 1)
	if pos == 0 {
		return 0, err
	}
	return t.r.buf[pos], nil
}

func (t table) uint16(index int) (uint16, error) {
	pos, err := t.field(index, 2)
	if pos == 0 {
		return 0, err
	}
	return binary.LittleEndian.Uint16(t.r.buf[pos:]), nil
}

func (t table) uint32(index int) (uint32, error) {
	pos, err := t.field(index, 4)
	if pos == 0 {
		return 0, err
	}
	return binary.LittleEndian.Uint32(t.r.buf[pos:]), nil
}

// child returns the table a field points at.
func (t table) child(index int) (table, bool, error) {
	pos, err := t.field(index, 4)
	if pos == 0 {
		return table{}, false, err
	}
	if pos, err = t.r.target(pos); err != nil {
		return table{}, false, err
	}
	child, err := t.r.table(pos)
	return child, err == nil, err
}

// vector returns the position of a vector's first element and its length.
func (t table) vector(index, elemSize int) (start, length int, there bool, err error) {
	pos, err := t.field(index, 4)
	if pos == 0 {
		return 0, 0, false, err
	}
	if pos, err = t.r.target(pos); err != nil {
		return 0, 0, false, err
	}
	count := int64(binary.LittleEndian.Uint32(t.r.buf[pos:]))
	if count*int64(elemSize) > int64(len(t.r.buf)-pos-4) {
		return 0, 0, false, ErrMalformed
	}
	return pos + 4, int(count), true, nil
}

// view is a vector of bytes or a string where it stands in the payload.
func (t table) view(index int) (raw []byte, there bool, err error) {
	start, length, there, err := t.vector(index, 1)
	if err != nil || !there {
		return nil, false, err
	}
	return t.r.buf[start : start+length : start+length], true, nil
}

// bytes copies a vector of bytes or a string out of the payload.
func (t table) bytes(index int) ([]byte, bool, error) {
	raw, there, err := t.view(index)
	if err != nil || !there {
		return nil, false, err
	}
	if len(raw) > t.r.budget {
		return nil, false, ErrMalformed
	}
	t.r.budget -= len(raw)
	return append([]byte{}, raw...), true, nil
}

func (t table) string(index int) (string, bool, error) {
	raw, there, err := t.bytes(index)
	return string(raw), there, err
}

// row is the table that an element of a vector of tables points at.
func (r *reader) row(at int) (table, error) {
	pos, err := r.target(at)
	if err != nil {
		return table{}, err
	}
	return r.table(pos)
}

// pairs reads a vector of TextEntry into the memory of dst, in place. An entry
// without a name is malformed.
func (t table) pairs(index int, dst []Pair) ([]Pair, error) {
	start, count, _, err := t.vector(index, 4)
	if err != nil {
		return dst, err
	}
	if count > maxEntries {
		return dst, ErrMalformed
	}
	dst = slices.Grow(dst[:0], count)[:count]
	shape := entryShape{vtable: -1}
	for i := range count {
		if err := t.r.pair(start+4*i, &shape, &dst[i]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// entryShape is what the vtable of a TextEntry says: where in the table its
// fields are, 0 for not at all. The rows of one vector mostly share a vtable,
// so that it is read once.
type entryShape struct{ vtable, size, name, value int }

// pair reads the TextEntry that an element of a vector points at, in place.
func (r *reader) pair(at int, shape *entryShape, p *Pair) error {
	pos, err := r.target(at)
	if err != nil {
		return err
	}
	vtable := pos - int(int32(binary.LittleEndian.Uint32(r.buf[pos:])))
	if vtable != shape.vtable {
		if *shape, err = r.entryShape(pos); err != nil {
			return err
		}
	}
	if shape.name == 0 || !r.within(pos, shape.size) {
		return ErrMalformed
	}
	if p.Name, err = r.text(pos + shape.name); err != nil {
		return err
	}
	p.Value, p.HasValue = nil, shape.value != 0
	if p.HasValue {
		p.Value, err = r.text(pos + shape.value)
	}
	return err
}

func (r *reader) entryShape(pos int) (s entryShape, err error) {
	row, err := r.table(pos)
	if err != nil {
		return s, err
	}
	name, err := row.field(0, 4)
	if err != nil {
		return s, err
	}
	if s.value, err = row.field(1, 4); err != nil {
		return s, err
	}
	s.vtable, s.size = row.vtable, row.size
	if s.name = name; s.name != 0 {
		s.name -= pos
	}
	if s.value != 0 {
		s.value -= pos
	}
	return s, nil
}

// text is the string that the field at pos, which is within the payload, points
// at, in place.
func (r *reader) text(pos int) ([]byte, error) {
	pos, err := r.target(pos)
	if err != nil {
		return nil, err
	}
	end := int64(pos) + 4 + int64(binary.LittleEndian.Uint32(r.buf[pos:]))
	if end > int64(len(r.buf)) {
		return nil, ErrMalformed
	}
	return r.buf[pos+4 : end : end], nil
}

// entries reads a vector of TextEntry. An entry without a name is malformed.
func (t table) entries(index int) ([]Entry, error) {
	start, count, there, err := t.vector(index, 4)
	if err != nil || !there || count == 0 {
		return nil, err
	}
	if count > maxEntries {
		return nil, ErrMalformed
	}
	entries := make([]Entry, count)
	for i := range entries {
		row, err := t.r.row(start + 4*i)
		if err != nil {
			return nil, err
		}
		name, named, err := row.string(0)
		if err != nil {
			return nil, err
		}
		if !named {
			return nil, ErrMalformed
		}
		value, valued, err := row.string(1)
		if err != nil {
			return nil, err
		}
		entries[i] = Entry{Name: name, Value: value, HasValue: valued}
	}
	return entries, nil
}
