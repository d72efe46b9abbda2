// Package strictjson reads JSON the way a security boundary has to: one
// document, valid UTF-8, bounded nesting and no member name twice, so that no
// two readers of the same bytes can disagree about what they say.
//
// It knows nothing of tokens or configurations; it must not know what a value
// means.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// DefaultMaxDepth is the deepest nesting of arrays and objects that [Parse]
// takes when it is given no other limit.
const DefaultMaxDepth = 64

// The kinds of error, for errors.Is. Every error of this package is a
// [*SyntaxError] that wraps one of them.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrTrailing  = errors.New("text after the JSON document")
	ErrUTF8      = errors.New("not valid UTF-8")
	ErrDepth     = errors.New("nested too deep")
	ErrDuplicate = errors.New("repeated member name")
	ErrValues    = errors.New("too many values")
)

// SyntaxError says which rule a document broke and at which byte. It never
// holds any of the document's own text.
type SyntaxError struct {
	Kind   error // one of the Err… values of this package
	Offset int   // bytes from the start of the document
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%v at byte %d", e.Kind, e.Offset) }
func (e *SyntaxError) Unwrap() error { return e.Kind }

// Options bounds a parse.
type Options struct {
	// MaxDepth is how deep arrays and objects may nest; 0 means
	// [DefaultMaxDepth].
	MaxDepth int
	// MaxValues is how many values, those within others included, a document
	// may have; 0 means any number.
	MaxValues int
	// OnDuplicate, if set, is told the JSON Pointer (RFC 6901) of a member
	// whose name was there before, and the parse continues with the first
	// value. Without it a repeated name is an error, and with it one that
	// follows maxDuplicates others, or others whose pointers are long.
	OnDuplicate func(pointer string)
}

// What OnDuplicate is told of one document at most: that many repeated names,
// or somewhat more than that many bytes of pointers. A pointer repeats the names
// above it, so that a document with one long name above many repeated ones would
// make gigabytes of them.
const (
	maxDuplicates     = 100
	maxDuplicateBytes = 64 << 10
)

// Parse reads one JSON document (RFC 8259). Objects become map[string]any,
// arrays []any, numbers [json.Number] with the digits of the document, the
// rest string, bool and nil. The error is a [*SyntaxError].
func Parse(data []byte, opt Options) (any, error) {
	if opt.MaxDepth == 0 {
		opt.MaxDepth = DefaultMaxDepth
	}
	p := parser{data: data, opt: opt}
	p.space()
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos != len(data) {
		return nil, p.fail(ErrTrailing)
	}
	return v, nil
}

type parser struct {
	data  []byte
	pos   int
	depth int
	opt   Options
	path  []string // kept only for OnDuplicate

	duplicates, duplicateBytes int // told OnDuplicate
	values                     int
}

func (p *parser) fail(kind error) error { return &SyntaxError{Kind: kind, Offset: p.pos} }

func (p *parser) space() {
	rest := p.data[p.pos:]
	for i, c := range rest {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			p.pos += i
			return
		}
	}
	p.pos += len(rest)
}

// peek is the byte at the cursor, or 0 at the end (0 is no JSON byte).
func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) value() (any, error) {
	if p.values++; p.opt.MaxValues > 0 && p.values > p.opt.MaxValues {
		return nil, p.fail(ErrValues)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.array)
	case c == '"':
		return p.str()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return true, p.literal("true")
	case c == 'f':
		return false, p.literal("false")
	case c == 'n':
		return nil, p.literal("null")
	}
	return nil, p.fail(ErrSyntax)
}

func (p *parser) nested(read func() (any, error)) (any, error) {
	if p.depth++; p.depth > p.opt.MaxDepth {
		return nil, p.fail(ErrDepth)
	}
	p.pos++ // the bracket
	v, err := read()
	p.depth--
	return v, err
}

func (p *parser) object() (any, error) {
	members := map[string]any{}
	p.space()
	if p.peek() == '}' {
		p.pos++
		return members, nil
	}
	for {
		p.space()
		if p.peek() != '"' {
			return nil, p.fail(ErrSyntax)
		}
		at := p.pos
		name, err := p.str()
		if err != nil {
			return nil, err
		}
		_, repeated := members[name]
		if repeated && !p.mayRepeat() {
			p.pos = at
			return nil, p.fail(ErrDuplicate)
		}
		p.space()
		if p.peek() != ':' {
			return nil, p.fail(ErrSyntax)
		}
		p.pos++
		p.space()
		p.push(name)
		if repeated {
			p.report()
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.pop()
		if !repeated {
			members[name] = v
		}
		if done, err := p.next('}'); done || err != nil {
			return members, err
		}
	}
}

func (p *parser) array() (any, error) {
	items := []any{}
	p.space()
	if p.peek() == ']' {
		p.pos++
		return items, nil
	}
	for {
		p.space()
		if p.opt.OnDuplicate != nil {
			p.push(strconv.Itoa(len(items)))
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.pop()
		items = append(items, v)
		if done, err := p.next(']'); done || err != nil {
			return items, err
		}
	}
}

// next steps over the comma between two elements, or over the closing
// bracket, and tells which it was.
func (p *parser) next(closing byte) (done bool, err error) {
	p.space()
	switch p.peek() {
	case closing:
		p.pos++
		return true, nil
	case ',':
		p.pos++
		return false, nil
	}
	return false, p.fail(ErrSyntax)
}

// mayRepeat reports whether a repeated name is told, and no error.
func (p *parser) mayRepeat() bool {
	return p.opt.OnDuplicate != nil && p.duplicates < maxDuplicates && p.duplicateBytes < maxDuplicateBytes
}

func (p *parser) report() {
	pointer := Pointer(p.path...)
	p.duplicates++
	p.duplicateBytes += len(pointer)
	p.opt.OnDuplicate(pointer)
}

func (p *parser) push(name string) {
	if p.opt.OnDuplicate != nil {
		p.path = append(p.path, name)
	}
}

func (p *parser) pop() {
	if p.opt.OnDuplicate != nil {
		p.path = p.path[:len(p.path)-1]
	}
}

func (p *parser) literal(word string) error {
	if len(p.data)-p.pos < len(word) || string(p.data[p.pos:p.pos+len(word)]) != word {
		return p.fail(ErrSyntax)
	}
	p.pos += len(word)
	return nil
}

func (p *parser) number() (any, error) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	switch c := p.peek(); {
	case c == '0':
		p.pos++
	case c >= '1' && c <= '9':
		p.digits()
	default:
		return nil, p.fail(ErrSyntax)
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return nil, p.fail(ErrSyntax)
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return nil, p.fail(ErrSyntax)
		}
	}
	return json.Number(p.data[start:p.pos]), nil
}

func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

// Finite reports n as a float64, and whether it is one that is finite.
func Finite(n json.Number) (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}
