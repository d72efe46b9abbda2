package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readYAML reads one YAML document. A nil node comes with a problem that says
// why.
func readYAML(data []byte) (*node, []problem) {
	broken := func(text string) (*node, []problem) {
		return nil, []problem{{at: place{1, 1}, path: "$", text: "the YAML cannot be read: " + text}}
	}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	if err := d.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return broken("there is nothing in it")
		}
		n, problems := broken(yamlProblem(err))
		problems[0].at.line = yamlLine(err)
		return n, problems
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return broken("there is more than one document in it")
	}
	r := &yamlReader{lines: strings.Split(string(data), "\n")}
	n, err := r.value("$", document.Content[0], 0)
	if err != nil {
		return broken(err.Error())
	}
	return n, r.problems
}

// yamlProblem is an error's text without what it may repeat of the document.
func yamlProblem(err error) string {
	reason, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "`")
	return reason
}

var lineOf = regexp.MustCompile(`line (\d+)`)

func yamlLine(err error) int {
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1]) // digits
		return max(line, 1)
	}
	return 1
}

type yamlReader struct {
	lines    []string
	nodes    int
	problems []problem
}

var errNested = fmt.Errorf("nested more than %d deep", maxNested)

// value follows aliases, within the bound of values that a document may have.
func (r *yamlReader) value(path string, y *yaml.Node, depth int) (*node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, errNodes
	}
	if depth > maxNested {
		return nil, errNested
	}
	n := &node{at: place{y.Line, y.Column}}
	switch y.Kind {
	case yaml.AliasNode:
		return r.value(path, y.Alias, depth+1)
	case yaml.MappingNode:
		n.kind = object
		return n, r.mapping(path, y, depth, n)
	case yaml.SequenceNode:
		n.kind = list
		for i, e := range y.Content {
			v, err := r.value(item(path, i), e, depth+1)
			if err != nil {
				return nil, err
			}
			n.elements = append(n.elements, v)
		}
		return n, nil
	}
	if y.ShortTag() == "!!str" {
		n.kind, n.text, n.inside = text, y.Value, r.inside(y)
		return n, nil
	}
	n.kind = scalar
	switch y.ShortTag() {
	case "!!bool":
		n.scalar = strings.EqualFold(y.Value, "true")
	case "!!int", "!!float":
		n.scalar = json.Number(y.Value)
	}
	return n, nil
}

func (r *yamlReader) mapping(path string, y *yaml.Node, depth int, n *node) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		at := place{key.Line, key.Column}
		if seen[key.Value] {
			r.problems = append(r.problems, repeated(path, key.Value, at))
		}
		seen[key.Value] = true
		v, err := r.value(child(path, key.Value), y.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{key.Value, at, v})
	}
	return nil
}

// inside tells positions in a block whose lines stand as they are written (YAML
// 1.2 section 8.1.2), and in a text on one line.
func (r *yamlReader) inside(y *yaml.Node) func(int) place {
	switch {
	case y.Style&yaml.LiteralStyle != 0 && y.Line < len(r.lines):
		first := r.lines[y.Line]
		indent := len(first) - len(strings.TrimLeft(first, " "))
		return func(offset int) place {
			in := placeOf([]byte(y.Value), offset)
			return place{y.Line + in.line, indent + in.column}
		}
	case y.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(y.Value, "'\n"):
		return func(offset int) place { return place{y.Line, y.Column + 1 + offset} }
	}
	return nil
}
