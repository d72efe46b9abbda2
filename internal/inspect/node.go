package inspect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// place is a position in a file; both count from 1, the column in bytes. The
// zero place is none.
type place struct{ line, column int }

// placeOf is the position of an offset.
func placeOf(data []byte, offset int) place {
	before := string(data[:min(max(offset, 0), len(data))])
	return place{strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')}
}

// node is one value of a document in JSON or YAML, and where it stands.
type node struct {
	kind     kind
	at       place
	text     string // of a text
	scalar   any    // of what is no text, object or list: a bool, nil or a number as it is written
	members  []member
	elements []*node
	// inside is the position in the file of an offset in text; nil is not known.
	inside func(offset int) place
}

type kind string

// The kinds, in the words of a message.
const (
	object kind = "an object"
	list   kind = "a list"
	text   kind = "a string"
	scalar kind = "a number, true, false or null"
)

type member struct {
	name string
	at   place // of the name
	node *node
}

// get is a member of an object, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	return nil
}

// string is the text of a member, or a number's; "" where it is neither.
func (n *node) string(name string) string {
	m := n.get(name)
	switch {
	case m == nil:
		return ""
	case m.kind == text:
		return m.text
	}
	if number, ok := m.scalar.(fmt.Stringer); ok {
		return number.String()
	}
	return ""
}

func (n *node) isTrue() bool { return n != nil && n.scalar == true }

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// child is the JSON path of an object's member.
func child(path, name string) string {
	if plainName.MatchString(name) {
		return path + "." + name
	}
	return path + "[" + strconv.Quote(name) + "]"
}

// item is the JSON path of a list's element.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// cutStep takes the first step off a JSON path as [child] and [item] write it,
// "$" before it aside. ok is false where there is none.
func cutStep(path string) (name string, index int, rest string, ok bool) {
	path = strings.TrimPrefix(path, "$")
	switch {
	case strings.HasPrefix(path, "."):
		end := strings.IndexAny(path[1:], ".[: ")
		if end < 0 {
			return path[1:], 0, "", true
		}
		return path[1 : end+1], 0, path[end+1:], true
	case strings.HasPrefix(path, `["`):
		quoted, err := strconv.QuotedPrefix(path[1:])
		if err != nil {
			return "", 0, "", false
		}
		name, _ = strconv.Unquote(quoted) // QuotedPrefix took it
		return name, 0, strings.TrimPrefix(path[1+len(quoted):], "]"), true
	case strings.HasPrefix(path, "["):
		digits, rest, _ := strings.Cut(path[1:], "]")
		index, err := strconv.Atoi(digits)
		return "", index, rest, err == nil
	}
	return "", 0, "", false
}

// find is the position of what a path names. Where nothing is there, as with a
// key that is missing, it is the position of what should hold it.
func (n *node) find(path string) place {
	at := place{}
	for n != nil {
		if at == (place{}) {
			at = n.at
		}
		name, index, rest, ok := cutStep(path)
		if !ok {
			return at
		}
		var next *node
		if name != "" {
			for _, m := range n.members {
				if m.name == name {
					at, next = m.at, m.node
				}
			}
		} else if index < len(n.elements) {
			next = n.elements[index]
			at = next.at
		}
		n, path = next, rest
	}
	return at
}
