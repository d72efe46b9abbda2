package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// The plugins of APISIX that run ours (apisix/plugins/ext-plugin-*.lua). The
// last of them runs when the upstream has answered.
var (
	phases   = []string{"ext-plugin-pre-req", "ext-plugin-post-req", "ext-plugin-post-resp"}
	deciding = phases[:2]
	// ours are all names that may be misspelt, as [config.Nearest] takes them.
	ours = []string{"ext_plugin_pre_req", "ext_plugin_post_req", "ext_plugin_post_resp"}
)

// plugins reads the plugins of a resource.
func (r *Report) plugins(about *resource, s spot, plugins *node) {
	about.blocks = map[string][]int{}
	r.resources = append(r.resources, about)
	if plugins.kind != object {
		r.fail(s, "given "+string(plugins.kind)+"; allowed: an object of plugins")
		return
	}
	for _, m := range plugins.members {
		r.blockName(s.in(m.name, m.at), m.name)
		if slices.Contains(phases, m.name) {
			r.block(about, s.in(m.name, m.at), m.name, m.node)
		}
	}
	if at, late := s.member(plugins, phases[2]); late != nil && about.protected() {
		r.warn(at, "APISIX then sends the request to the upstream itself; identity headers were reported lost (apisix#13015)")
	}
}

// blockName finds names that nearly are one that runs the plugin.
func (r *Report) blockName(s spot, name string) {
	switch near := config.Nearest(name, ours); {
	case slices.Contains(phases, name):
	case name == pluginName, config.Nearest(name, []string{"auth0_jwt"}) != "":
		r.fail(s, "APISIX has no plugin of that name; auth0-jwt is an entry of the list conf of ext-plugin-pre-req: go-runner route writes it")
	case near != "":
		r.fail(s, "APISIX has no plugin of that name; did you mean "+strings.ReplaceAll(near, "_", "-")+"?")
	}
}

// block reads one ext-plugin block.
func (r *Report) block(about *resource, s spot, phase string, block *node) {
	if block.kind != object {
		r.fail(s, "given "+string(block.kind)+`; allowed: an object such as {"conf": [{"name": "auth0-jwt", "value": "…"}]}`)
		return
	}
	at, conf := s.member(block, "conf")
	switch {
	case conf == nil:
		r.fail(at, "want a list of plugins; APISIX takes a block without it, and runs nothing")
		return
	case conf.kind != list:
		r.fail(at, "want a list of plugins, not "+string(conf.kind)+`: write [{"name": "auth0-jwt", "value": "…"}]`)
		return
	}
	before := len(r.Entries)
	for i := range conf.elements {
		at, e := at.element(conf, i)
		r.pluginEntry(about, at, e, phase)
	}
	for i := before; i < len(r.Entries); i++ {
		about.blocks[phase] = append(about.blocks[phase], i)
	}
	if len(r.Entries) > before {
		r.doors(s, block)
	}
}

// pluginEntry reads one entry of conf.
func (r *Report) pluginEntry(about *resource, s spot, e *node, phase string) {
	at, name := s.member(e, "name")
	switch {
	case e.kind != object || name == nil || name.kind != text:
		r.fail(s, `want an object such as {"name": "auth0-jwt", "value": "…"}`)
		return
	case slices.Contains(r.opt.Plugins, name.text):
		return
	case name.text != pluginName:
		said := "the runner has no plugin " + shortened(name.text) + ": requests are answered with 500"
		if config.Nearest(name.text, []string{"auth0_jwt"}) != "" {
			said += "; did you mean auth0-jwt?"
		}
		r.fail(at, said)
		about.refuses = true
		return
	case !slices.Contains(deciding, phase):
		r.warn(s, "auth0-jwt does nothing in this phase")
		return
	}
	at, value := s.member(e, "value")
	if value == nil || value.kind != text {
		given := "nothing"
		if value != nil {
			given = string(value.kind)
		}
		r.fail(at, "want the configuration as a string that holds JSON, not "+given+": go-runner route writes it")
		r.Entries = append(r.Entries, Entry{Input: at.input, Path: at.path})
		return
	}
	inner := sync.OnceValue(func() *node {
		n, _ := readJSON([]byte(value.text)) // nil where it is no JSON
		return n
	})
	r.entry(at, []byte(value.text), func(path string) place {
		if inner() == nil || value.inside == nil {
			return value.at
		}
		return value.inside(offsetOf(value.text, inner().find(path)))
	})
}

// offsetOf is the offset of a place in a text.
func offsetOf(s string, p place) int {
	offset := 0
	for range p.line - 1 {
		offset += strings.IndexByte(s[offset:], '\n') + 1
	}
	return offset + p.column - 1
}

// shortened makes a name safe for one line.
func shortened(name string) string {
	const most = 64
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return strconv.Quote(name)
}

// doors warns of what lets requests pass unchecked.
func (r *Report) doors(s spot, block *node) {
	if at, degradation := s.member(block, "allow_degradation"); degradation.isTrue() {
		r.warn(at, "every request passes while the runner is away")
	}
	at, meta := s.member(block, "_meta")
	if meta == nil {
		return
	}
	if at, disabled := at.member(meta, "disable"); disabled != nil && disabled.scalar != false {
		r.warn(at, "the block is switched off: nothing is checked")
	}
	if at, filter := at.member(meta, "filter"); filter != nil {
		r.warn(at, "requests that the filter does not select are not checked")
	}
	if at, priority := at.member(meta, "priority"); priority != nil && priority.scalar != nil {
		r.warn(at, fmt.Sprintf("plugins of higher priority than %v answer before the token is checked", priority.scalar))
	}
}
