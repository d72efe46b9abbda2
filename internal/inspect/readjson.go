package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

const (
	// MaxInput is the largest document that is read, in bytes.
	MaxInput = 16 << 20
	// maxNodes bounds the values of a document, and maxNested their nesting.
	maxNodes  = 1 << 20
	maxNested = 64
)

var errNodes = fmt.Errorf("more than %d values", maxNodes)

// problem is something wrong with a document as a whole.
type problem struct {
	at   place
	path string
	text string
}

// readJSON reads one JSON document. A nil node comes with a problem that says
// why; other problems are repeated keys.
func readJSON(data []byte) (*node, []problem) {
	_, err := strictjson.Parse(data, strictjson.Options{MaxValues: maxNodes, MaxDepth: maxNested, OnDuplicate: func(string) {}})
	if syntax, ok := errors.AsType[*strictjson.SyntaxError](err); ok {
		return nil, []problem{{at: placeOf(data, syntax.Offset), path: "$", text: "the JSON cannot be read: " + syntax.Kind.Error()}}
	}
	r := &jsonReader{data: data, d: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.d.UseNumber()
	n, err := r.value("$")
	if err != nil { // strictjson took it
		return nil, []problem{{at: place{1, 1}, path: "$", text: "the JSON cannot be read"}}
	}
	return n, r.problems
}

// jsonReader reads tokens and keeps account of where they begin.
type jsonReader struct {
	data        []byte
	d           *json.Decoder
	offset      int // of the last token's first byte
	line, start int // line of offset, and the offset at which that line starts
	problems    []problem
}

func (r *jsonReader) next() (json.Token, place, error) {
	begin := int(r.d.InputOffset())
	for begin < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[begin]) >= 0 {
		begin++
	}
	t, err := r.d.Token()
	return t, r.placeAt(begin), err
}

// placeAt is placeOf for offsets that grow.
func (r *jsonReader) placeAt(offset int) place {
	for i := r.offset; i < offset; i++ {
		if r.data[i] == '\n' {
			r.line, r.start = r.line+1, i+1
		}
	}
	r.offset = offset
	return place{r.line, offset - r.start + 1}
}

func (r *jsonReader) value(path string) (*node, error) {
	t, at, err := r.next()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return r.object(path, at)
		}
		return r.list(path, at)
	case string:
		begin, end := r.offset, int(r.d.InputOffset())
		quoted := r.data[begin:end]
		return &node{kind: text, at: at, text: t, inside: func(offset int) place {
			return place{at.line, at.column + escaped(quoted, offset)}
		}}, nil
	}
	return &node{kind: scalar, at: at, scalar: t}, nil
}

func (r *jsonReader) object(path string, at place) (*node, error) {
	n := &node{kind: object, at: at}
	seen := map[string]bool{}
	for r.d.More() {
		t, at, err := r.next()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.Join(err, errNodes)
		}
		if seen[name] {
			r.problems = append(r.problems, repeated(path, name, at))
		}
		seen[name] = true
		v, err := r.value(child(path, name))
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{name, at, v})
	}
	_, _, err := r.next()
	return n, err
}

func repeated(path, name string, at place) problem {
	return problem{at, child(path, name), "the same key again; each key may stand once in an object"}
}

func (r *jsonReader) list(path string, at place) (*node, error) {
	n := &node{kind: list, at: at}
	for r.d.More() {
		v, err := r.value(item(path, len(n.elements)))
		if err != nil {
			return nil, err
		}
		n.elements = append(n.elements, v)
	}
	_, _, err := r.next()
	return n, err
}

// escaped is how many bytes of a quoted JSON string come before the byte at
// offset of its text.
func escaped(quoted []byte, offset int) int {
	i := 1 // behind the quotation mark
	for done := 0; done < offset && i < len(quoted); {
		switch {
		case quoted[i] != '\\':
			i, done = i+1, done+1
		case i+1 < len(quoted) && quoted[i+1] == 'u':
			// One to three bytes of text; a configuration has hardly any.
			i, done = i+6, done+1
		default:
			i, done = i+2, done+1
		}
	}
	return i
}
