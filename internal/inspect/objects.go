package inspect

import (
	"bytes"
	"encoding/json"
)

// Object is one object of APISIX's in a document.
type Object struct {
	Input string // the name of the document
	Path  string // of it in the document
	Kind  string // as APISIX names its lists: routes, services, consumers …
	ID    string // "" is none
	// JSON is the object in the order in which it is written, numbers too.
	JSON json.RawMessage
}

// Objects reads the objects in documents, of every form that [Check] reads. The
// findings are about documents that cannot be read.
func Objects(inputs []Input) (objects []Object, broken *Report) {
	broken = &Report{inputs: inputs}
	for _, in := range inputs {
		whole := spot{in.Name, "$", place{1, 1}}
		if len(in.Data) > MaxInput {
			broken.fail(whole, "larger than 16 MiB, which is the most that is read")
			continue
		}
		root, problems := read(in.Data)
		for _, p := range problems {
			broken.fail(spot{in.Name, p.path, p.at}, p.text)
		}
		if root == nil || root.kind == scalar || root.kind == text {
			continue
		}
		found := &Report{}
		found.root(whole, root, in.Data)
		for _, about := range found.resources {
			id := about.id
			if id == "" { // a consumer has a name in its place
				id = about.node.string("username")
			}
			objects = append(objects, Object{Input: in.Name, Path: about.path, Kind: about.kind, ID: id, JSON: about.node.json()})
		}
	}
	return objects, broken
}

// json is the value as JSON on one line.
func (n *node) json() json.RawMessage {
	var b bytes.Buffer
	n.writeJSON(&b)
	return b.Bytes()
}

func (n *node) writeJSON(b *bytes.Buffer) {
	switch n.kind {
	case object:
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quoted(m.name))
			b.WriteByte(':')
			m.node.writeJSON(b)
		}
		b.WriteByte('}')
	case list:
		b.WriteByte('[')
		for i, e := range n.elements {
			if i > 0 {
				b.WriteByte(',')
			}
			e.writeJSON(b)
		}
		b.WriteByte(']')
	case text:
		b.Write(quoted(n.text))
	default:
		b.Write(n.scalarJSON())
	}
}

// scalarJSON is a number as it is written, or as text where YAML has numbers
// that JSON has not.
func (n *node) scalarJSON() []byte {
	switch v := n.scalar.(type) {
	case bool:
		if v {
			return []byte("true")
		}
		return []byte("false")
	case json.Number:
		if json.Valid([]byte(v)) {
			return []byte(v)
		}
		return quoted(v.String())
	}
	return []byte("null")
}

func quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil { // a string can be written
		return []byte(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
