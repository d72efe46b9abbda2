package inspect

import (
	"bytes"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// resource is one object of APISIX's that may have plugins.
type resource struct {
	spot
	kind   string // as APISIX names its lists
	id     string // "" is none
	node   *node
	listed bool // it is one of several
	// refuses says that a block names a plugin that the runner does not have, so
	// that every request is answered with 500.
	refuses bool
	blocks  map[string][]int // which entries of the report each block of ours has
}

// lists are those of APISIX's objects that may have plugins.
var lists = []string{"routes", "services", "plugin_configs", "global_rules", "consumers", "consumer_groups"}

// document reads one input.
func (r *Report) document(in Input) {
	whole := spot{in.Name, "$", place{1, 1}}
	if len(in.Data) > MaxInput {
		r.fail(whole, "larger than 16 MiB, which is the most that is read")
		return
	}
	root, problems := read(in.Data)
	if !isConfiguration(root, in.Data) {
		for _, p := range problems {
			r.fail(spot{in.Name, p.path, p.at}, p.text)
		}
		if root != nil {
			r.root(whole, root, in.Data)
		}
		return
	}
	r.entry(whole, in.Data, root.find)
}

func read(data []byte) (*node, []problem) {
	if start := bytes.TrimSpace(data); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return readJSON(data)
	}
	return readYAML(data)
}

// marks are members of what is no configuration of the plugin.
var marks = slices.Concat(lists, []string{
	"plugins", "list", "node", "value", "conf", "uri", "uris", "upstream", "upstream_id", "service_id", "plugin_config_id",
	"ext-plugin-pre-req", "ext-plugin-post-req", "ext-plugin-post-resp",
})

// isConfiguration reports whether a document is a configuration of the plugin
// and not something around one. What cannot be read as anything is for the
// configuration's own reader to judge, whose messages are the better ones.
func isConfiguration(root *node, data []byte) bool {
	if root == nil {
		return len(data) <= config.MaxDocument && !slices.ContainsFunc(marks, func(mark string) bool { return bytes.Contains(data, []byte(mark)) })
	}
	if root.kind != object {
		return root.kind != list
	}
	for _, m := range root.members {
		if slices.Contains(config.Keys(), m.name) && m.name != "name" {
			return true
		}
	}
	for _, m := range root.members {
		if slices.Contains(marks, m.name) || config.Nearest(m.name, ours) != "" {
			return false
		}
	}
	return true
}

// root finds the resources in a document.
func (r *Report) root(s spot, n *node, data []byte) {
	switch {
	case n.kind == list && len(n.elements) > 0 && isEntry(n.elements[0]):
		r.alone(s, &node{kind: object, at: n.at, members: []member{{"conf", n.at, n}}})
	case n.kind == list:
		r.list(s, n, "routes")
	case n.get("list") != nil:
		at, l := s.member(n, "list")
		r.list(at, l, "routes")
	case n.get("node").get("nodes") != nil:
		at, inner := s.member(n, "node")
		at, l := at.member(inner, "nodes")
		r.list(at, l, "routes")
	case n.get("node").get("value") != nil:
		at, inner := s.member(n, "node")
		r.keyed(at, inner, "routes", false)
	case hasList(n):
		if !isJSON(data) {
			r.endMark(s, data)
		}
		for _, name := range lists {
			if at, l := s.member(n, name); l != nil {
				r.list(at, l, name)
			}
		}
	case isEntry(n):
		r.alone(s, &node{kind: object, at: n.at, members: []member{{"conf", n.at, &node{kind: list, at: n.at, elements: []*node{n}}}}})
	case n.get("conf") != nil:
		r.alone(s, n)
	case slices.ContainsFunc(n.members, func(m member) bool { return slices.Contains(phases, m.name) || config.Nearest(m.name, ours) != "" }):
		r.plugins(&resource{spot: s, kind: "plugins", node: n}, s, n)
	default:
		r.keyed(s, n, "routes", false)
	}
}

// isEntry reports whether an object is an entry of a block's conf.
func isEntry(n *node) bool {
	return n.get("name") != nil && n.get("value") != nil && n.get("plugins") == nil && n.get("value").get("plugins") == nil
}

// alone reads a block without its route.
func (r *Report) alone(s spot, block *node) {
	about := &resource{spot: s, kind: "plugins", node: block, blocks: map[string][]int{}}
	r.resources = append(r.resources, about)
	r.block(about, s, "ext-plugin-pre-req", block)
}

func hasList(n *node) bool {
	return slices.ContainsFunc(lists, func(name string) bool { return n.get(name) != nil && n.get(name).kind == list })
}

func isJSON(data []byte) bool {
	start := bytes.TrimSpace(data)
	return len(start) > 0 && start[0] == '{'
}

// endMark warns of an apisix.yaml that APISIX takes for one that is still being
// written (apisix/core/config_yaml.lua).
func (r *Report) endMark(s spot, data []byte) {
	if !bytes.HasSuffix(bytes.TrimRight(data, "\r\n \t"), []byte("#END")) {
		r.warn(s, "the last line is not #END: APISIX does not read such an apisix.yaml")
	}
}

func (r *Report) list(s spot, n *node, kind string) {
	if n.kind != list {
		r.fail(s, "given "+string(n.kind)+"; allowed: a list")
		return
	}
	for i := range n.elements {
		at, e := s.element(n, i)
		r.keyed(at, e, kind, true)
	}
}

// keyed reads one object, or the Admin API's wrapping of one, whose key says
// what it is.
func (r *Report) keyed(s spot, n *node, kind string, listed bool) {
	if n.kind != object {
		r.fail(s, "given "+string(n.kind)+"; allowed: an object")
		return
	}
	id := ""
	if key := n.string("key"); key != "" {
		parts := strings.Split(strings.Trim(key, "/"), "/")
		id = parts[len(parts)-1]
		if len(parts) > 1 {
			kind = parts[len(parts)-2]
		}
	}
	if value := n.get("value"); value != nil && value.kind == object && n.get("plugins") == nil {
		s, n = s.member(n, "value")
	}
	if n.get("id") != nil {
		id = n.string("id")
	}
	about := &resource{spot: s, kind: kind, id: id, node: n, listed: listed, blocks: map[string][]int{}}
	at, plugins := s.member(n, "plugins")
	switch {
	case plugins != nil:
		r.plugins(about, at, plugins)
	default:
		r.resources = append(r.resources, about)
	}
}
