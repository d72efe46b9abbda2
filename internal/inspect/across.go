package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// acrossResources are the checks that need all documents: what one object says
// of another, in the order in which they run.
var acrossResources = []func(*Report){
	(*Report).references,
	(*Report).protection,
	(*Report).sharedSessions,
	(*Report).ownPathsAreRouted,
	(*Report).pagesAreAskedFor,
	(*Report).connectionHeader,
	(*Report).identityInVars,
	(*Report).anything,
}

var errNoConfiguration = errors.New("there is no configuration of auth0-jwt in it")

// protected reports whether the resource's own plugins hold the plugin where
// it decides.
func (about *resource) protected() bool {
	return slices.ContainsFunc(deciding, func(phase string) bool { return len(about.blocks[phase]) > 0 })
}

// refersTo are the members of a route that name an object with plugins, from
// the one that wins down (apisix/plugin.lua, apisix/plugin_config.lua).
var refersTo = []struct{ member, kind string }{
	{"plugin_config_id", "plugin_configs"},
	{"service_id", "services"},
}

func (r *Report) resource(kind, id string) *resource {
	for _, other := range r.resources {
		if other.kind == kind && other.id == id {
			return other
		}
	}
	return nil
}

// references warns of what a route refers to and no document has.
func (r *Report) references() {
	for _, about := range r.resources {
		if about.kind != "routes" {
			continue
		}
		for _, ref := range refersTo {
			id := about.node.string(ref.member)
			if id == "" || r.resource(ref.kind, id) != nil {
				continue
			}
			at, _ := about.member(about.node, ref.member)
			r.warn(at, fmt.Sprintf("none of the documents has %s %s; check it too, since it may hold or replace the configuration",
				strings.TrimSuffix(strings.ReplaceAll(ref.kind, "_", " "), "s"), shortened(id)))
		}
	}
}

// governing are the entries that judge a route's requests, in the order in
// which they do: a block of the route's own replaces the same block of what it
// refers to. known is false where something it refers to is in no document.
func (r *Report) governing(about *resource) (entries []int, known bool) {
	known = true
	chain := []*resource{about}
	for _, ref := range refersTo {
		if id := about.node.string(ref.member); id != "" && about.kind == "routes" {
			other := r.resource(ref.kind, id)
			if other == nil {
				known = false
				continue
			}
			chain = append(chain, other)
		}
	}
	for _, other := range r.resources {
		if other.kind == "global_rules" && about.kind == "routes" {
			for _, phase := range deciding {
				entries = append(entries, other.blocks[phase]...)
			}
		}
	}
	for _, phase := range deciding {
		for _, of := range chain {
			if of.node.get("plugins").get(phase) != nil || len(of.blocks[phase]) > 0 {
				entries = append(entries, of.blocks[phase]...)
				break
			}
		}
	}
	return entries, known
}

// protection finds routes whose requests nothing judges. One among many may be
// meant to be open; a document that is one object is about the plugin.
func (r *Report) protection() {
	for _, about := range r.resources {
		if about.kind != "routes" && about.listed {
			continue
		}
		entries, known := r.governing(about)
		at, plugins := about.member(about.node, "plugins")
		if plugins == nil {
			at = about.spot
		}
		const said = "no entry named auth0-jwt in ext-plugin-pre-req or ext-plugin-post-req: the route is not protected"
		switch {
		case len(entries) > 0 || about.refuses || !known:
		case about.listed:
			r.warn(at, said)
		case about.kind != "plugin_configs" && about.kind != "services" || len(r.resources) == 1:
			r.fail(at, said)
		}
	}
}

// anything warns where there was nothing to check, as with the name of another
// file than was meant.
func (r *Report) anything() {
	if len(r.Entries) == 0 && r.OK() && len(r.inputs) > 0 {
		r.warn(spot{input: r.inputs[0].Name}, "no configuration of auth0-jwt is in it, or in any other document that was read")
	}
}

// Choose is the configuration that judges the requests of a route first, by the
// route's id; with "" that of the only object that has any. An error says which
// ids there are.
func (r *Report) Choose(route string) (Entry, error) {
	if route == "" {
		holders := slices.DeleteFunc(slices.Clone(r.resources), func(about *resource) bool { return !about.protected() })
		switch {
		case len(r.Entries) == 0:
			return Entry{}, errNoConfiguration
		case len(r.Entries) == 1:
			return r.Entries[0], nil
		case len(holders) == 1:
			first, _ := r.governing(holders[0])
			return r.Entries[first[0]], nil
		}
		return Entry{}, fmt.Errorf("there are %d configurations; choose one by --route, which takes %s", len(r.Entries), r.ids())
	}
	for _, about := range r.resources {
		if about.id != route {
			continue
		}
		if entries, _ := r.governing(about); len(entries) > 0 {
			return r.Entries[entries[0]], nil
		}
	}
	return Entry{}, fmt.Errorf("no route %s with a configuration of auth0-jwt; --route takes %s", shortened(route), r.ids())
}

// ids are those that [Report.Choose] takes.
func (r *Report) ids() string {
	var ids []string
	for _, about := range r.resources {
		if entries, _ := r.governing(about); len(entries) > 0 && about.id != "" && !slices.Contains(ids, shortened(about.id)) {
			ids = append(ids, shortened(about.id))
		}
	}
	if len(ids) == 0 {
		return "the id of a route, and none here has one"
	}
	return strings.Join(ids, ", ")
}

// Of is the part of the report that is about one configuration and the block
// that it stands in.
func (r *Report) Of(e Entry) *Report {
	block, _, _ := strings.Cut(e.Path, ".conf[")
	part := &Report{Entries: []Entry{e}}
	for _, f := range r.Findings {
		if f.Input == e.Input && strings.HasPrefix(f.Path, block) {
			part.Findings = append(part.Findings, f)
		}
	}
	return part
}
