// Package inspect answers an author's questions about a configuration before
// it is in force: what is wrong with it, what it would do to a request, and
// what clients may be told of it. It must not know the runner's wire.
package inspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// pluginName is the entry's name in an ext-plugin block.
const pluginName = "auth0-jwt"

// Finding is one thing to say about a document.
type Finding struct {
	Path    string // JSON path; "" is the whole document
	Text    string
	Warning bool // allowed, and a door left open
}

// String is the finding on one line.
func (f Finding) String() string {
	text := f.Text
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Warning {
		return "warning: " + text
	}
	return text
}

// Entry is one configuration of the plugin in a document.
type Entry struct {
	Path   string // of it in the document; "$" where it is the document
	Raw    []byte
	Config *config.Config
}

// Report is what there is in a document.
type Report struct {
	Entries  []Entry // those without errors
	Findings []Finding
}

// OK tells that nothing is wrong, warnings aside.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if !f.Warning {
			return false
		}
	}
	return true
}

// Check reads a configuration of the plugin, or a whole APISIX route, service
// or plugin config (an object with plugins; the Admin API's answer to a GET is
// taken too).
func Check(data []byte, opt config.Options) *Report {
	r := &Report{}
	v, err := strictjson.Parse(data, strictjson.Options{OnDuplicate: func(string) {}})
	document, _ := v.(map[string]any)
	if value, ok := document["value"].(map[string]any); ok && value["plugins"] != nil {
		r.plugins("$.value.plugins", value["plugins"], opt)
		return r
	}
	if plugins, there := document["plugins"]; there && err == nil {
		if _, err := strictjson.Parse(data, strictjson.Options{}); err != nil {
			r.fail("$", "a key is there twice: "+err.Error())
			return r
		}
		r.plugins("$.plugins", plugins, opt)
		return r
	}
	r.entry("$", data, opt)
	return r
}

func (r *Report) fail(path, text string) {
	r.Findings = append(r.Findings, Finding{Path: path, Text: text})
}

func (r *Report) warn(path, text string) {
	r.Findings = append(r.Findings, Finding{Path: path, Text: text, Warning: true})
}

// entry reads one configuration; paths within it go on from its own.
func (r *Report) entry(path string, data []byte, opt config.Options) {
	c, err := config.Parse(data, opt)
	if broken := (*config.Error)(nil); errors.As(err, &broken) {
		for _, p := range broken.Problems {
			r.fail(path+strings.TrimPrefix(p.Path, "$"), "given "+p.Given+"; allowed: "+p.Want)
		}
		return
	}
	if err != nil {
		r.fail(path, err.Error())
		return
	}
	for _, w := range c.Warnings {
		r.warn("", path+strings.TrimPrefix(w, "$"))
	}
	r.unreachable(path, c, opt)
	r.Entries = append(r.Entries, Entry{path, data, c})
}

// phases are APISIX's plugins that run ours (apisix/plugins/ext-plugin-*.lua).
var phases = []struct {
	name    string
	decides bool
}{{"ext-plugin-pre-req", true}, {"ext-plugin-post-req", true}, {"ext-plugin-post-resp", false}}

func (r *Report) plugins(path string, v any, opt config.Options) {
	plugins, ok := v.(map[string]any)
	if !ok {
		r.fail(path, "want an object of plugins")
		return
	}
	protected := false
	for _, phase := range phases {
		block, there := plugins[phase.name]
		if !there {
			continue
		}
		at := path + `["` + phase.name + `"]`
		if r.block(at, block, phase.decides, opt) && phase.decides {
			protected = true
		}
	}
	if _, there := plugins["ext-plugin-post-resp"]; there && protected {
		r.warn(path+`["ext-plugin-post-resp"]`, "APISIX then sends the request to the upstream itself; identity headers were reported lost (apisix#13015)")
	}
	if !protected {
		r.fail(path, "no entry named auth0-jwt in ext-plugin-pre-req or ext-plugin-post-req: the route is not protected")
	}
}

// block reads one ext-plugin block and tells whether the plugin is in it.
func (r *Report) block(path string, v any, decides bool, opt config.Options) (found bool) {
	block, ok := v.(map[string]any)
	if !ok {
		r.fail(path, "want an object with conf")
		return false
	}
	conf, ok := block["conf"].([]any)
	if !ok {
		r.fail(path+".conf", "want a list of plugins; APISIX takes a block without it, and runs nothing")
		return false
	}
	for i, e := range conf {
		entry, _ := e.(map[string]any)
		if entry["name"] != pluginName {
			continue
		}
		at := path + ".conf[" + strconv.Itoa(i) + "]"
		if !decides {
			r.warn(at, "auth0-jwt does nothing in this phase")
			continue
		}
		found = true
		value, ok := entry["value"].(string)
		if !ok {
			r.fail(at+".value", "want the configuration as a string that holds JSON")
			continue
		}
		r.entry(at+".value", []byte(value), opt)
	}
	if found {
		r.doors(path, block)
	}
	return found
}

// doors warns of what lets requests pass unchecked.
func (r *Report) doors(path string, block map[string]any) {
	if block["allow_degradation"] == true {
		r.warn(path+".allow_degradation", "every request passes while the runner is away")
	}
	meta, _ := block["_meta"].(map[string]any)
	if disabled, there := meta["disable"]; there && disabled != false {
		r.warn(path+"._meta.disable", "the block is switched off: nothing is checked")
	}
	if _, there := meta["filter"]; there {
		r.warn(path+"._meta.filter", "requests that the filter does not select are not checked")
	}
	if meta["priority"] != nil {
		r.warn(path+"._meta.priority", fmt.Sprintf("plugins of higher priority than %v answer before the token is checked", meta["priority"]))
	}
}
