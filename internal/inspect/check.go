// Package inspect answers an author's questions about a configuration before
// it is in force: what is wrong with it, what it would do to a request, and
// what clients may be told of it. It must not know the runner's wire.
package inspect

import (
	"errors"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// pluginName is the entry's name in an ext-plugin block.
const pluginName = "auth0-jwt"

// Input is one document to check.
type Input struct {
	Name string // of the file, or where else it comes from
	Data []byte // at most [MaxInput] bytes
}

// Options say how the runner stands that the configurations are for.
type Options struct {
	Config config.Options
	// Plugins are the names of plugins that the runner has besides auth0-jwt.
	Plugins []string
	// Redis is what is known of its Redis. Config.Redis says whether
	// configurations may ask for one.
	Redis RedisKnowledge
}

// RedisKnowledge says whether the runner is known to have a Redis.
type RedisKnowledge uint8

// The values of RedisKnowledge.
const (
	RedisUnknown RedisKnowledge = iota // whatever needs one gets a warning
	RedisKnown
)

// Finding is one thing to say about a document.
type Finding struct {
	Input   string // the name of the document
	Path    string // JSON path; "" is the whole document
	Text    string
	Warning bool // allowed, and hardly meant
	// Outside says that the reason is outside of the document, such as a secret
	// that is not there.
	Outside bool

	Line, Column int // from 1; 0 where they are not known
}

// String is the finding on one line, without the document's name.
func (f Finding) String() string {
	said := f.Text
	if f.Path != "" {
		said = f.Path + ": " + said
	}
	if f.Warning {
		return "warning: " + said
	}
	return said
}

// Entry is one configuration of the plugin in a document.
type Entry struct {
	Input  string
	Path   string // of it in the document; "$" where it is the document
	Raw    []byte
	Config *config.Config // nil where it has errors

	where func(path string) place // in the file, of a path within the configuration
}

// Report is what there is in the documents.
type Report struct {
	Entries  []Entry
	Findings []Finding

	opt       Options
	inputs    []Input
	resources []*resource
}

// OK reports whether nothing is wrong, warnings aside.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if !f.Warning {
			return false
		}
	}
	return true
}

// InputOK is OK for one of the documents.
func (r *Report) InputOK(name string) bool {
	for _, f := range r.Findings {
		if !f.Warning && f.Input == name {
			return false
		}
	}
	return true
}

// Check reads documents: a configuration of the plugin, a route or another
// object with plugins, lists of such objects as the Admin API gives them, and
// an apisix.yaml in YAML or JSON. Routes find what they refer to in any of the
// documents.
func Check(inputs []Input, opt Options) *Report {
	r := &Report{opt: opt, inputs: inputs}
	for _, in := range inputs {
		r.document(in)
	}
	for _, check := range acrossResources {
		check(r)
	}
	return r
}

// spot is a place in a document that findings are about.
type spot struct {
	input string
	path  string
	at    place
}

func (s spot) in(name string, at place) spot { return spot{s.input, child(s.path, name), at} }

// member is the spot of an object's member, and its value.
func (s spot) member(n *node, name string) (spot, *node) {
	for _, m := range n.members {
		if m.name == name {
			return s.in(name, m.at), m.node
		}
	}
	return s.in(name, n.at), nil
}

// element is the spot of a list's element.
func (s spot) element(n *node, i int) (spot, *node) {
	return spot{s.input, item(s.path, i), n.elements[i].at}, n.elements[i]
}

func (s spot) finding(said string) Finding {
	return Finding{Input: s.input, Path: s.path, Text: said, Line: s.at.line, Column: s.at.column}
}

func (r *Report) fail(s spot, said string) { r.Findings = append(r.Findings, s.finding(said)) }

func (r *Report) warn(s spot, said string) {
	f := s.finding(said)
	f.Warning = true
	r.Findings = append(r.Findings, f)
}

// entry reads one configuration; paths within it continue its own.
func (r *Report) entry(s spot, data []byte, where func(path string) place) *Entry {
	e := Entry{Input: s.input, Path: s.path, Raw: data, where: where}
	at := func(path string) spot {
		return spot{s.input, s.path + strings.TrimPrefix(path, "$"), where(path)}
	}
	c, err := config.Parse(data, r.opt.Config)
	switch broken, ok := errors.AsType[*config.Error](err); {
	case ok:
		for _, p := range broken.Problems {
			f := at(p.Path).finding("given " + p.Given + "; allowed: " + p.Want)
			f.Outside = p.Outside
			r.Findings = append(r.Findings, f)
		}
	case err != nil:
		r.fail(s, err.Error())
	default:
		e.Config = c
		for _, w := range c.Warnings {
			path, said := splitWarning(w)
			r.warn(at(path), said)
		}
		for _, a := range advise(c, data, r.opt) {
			r.warn(at(a.path), a.text)
		}
	}
	r.Entries = append(r.Entries, e)
	return &r.Entries[len(r.Entries)-1]
}

// splitWarning takes the path off a warning of a configuration.
func splitWarning(w string) (path, said string) {
	rest := w
	for {
		_, _, next, ok := cutStep(rest)
		if !ok {
			break
		}
		rest = next
		if strings.HasPrefix(rest, ":") {
			break
		}
	}
	return w[:len(w)-len(rest)], strings.TrimPrefix(strings.TrimPrefix(rest, "$"), ": ")
}

// Valid is OK where reasons outside of the documents, such as a secret that is
// not there, do not count.
func (r *Report) Valid() bool {
	for _, f := range r.Findings {
		if !f.Warning && !f.Outside {
			return false
		}
	}
	return true
}
