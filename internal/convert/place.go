package convert

import (
	"bytes"
	"encoding/json"
	"slices"
)

const (
	block     = "ext-plugin-pre-req"
	auth0JWT  = "auth0-jwt"
	elsewhere = "convert it by hand"
)

// placed puts the configuration into the object, in place of the old plugin.
func (d *draft) placed() {
	d.chained()
	own, ok := d.block()
	if !ok || len(d.result.Problems) > 0 {
		return
	}
	body, plugins := members{}, members{} // each name once, as in the holder
	there := d.holder.plugins.has(block)
	for _, m := range d.holder.plugins {
		switch {
		case m.name == block, m.name == d.result.Plugin && !there:
			plugins = append(plugins, member{block, encode(own)})
		case m.name != d.result.Plugin:
			plugins = append(plugins, m)
		}
	}
	for _, m := range d.holder.members {
		switch m.name {
		case "plugins":
			body.set("plugins", plugins)
		case "update_time": // the Admin API keeps one that it is given
		default:
			body = append(body, m)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(body), "", "  "); err != nil {
		d.problem("$", err.Error())
		return
	}
	d.result.Body = shown(indented.Bytes())
}

// block is the block that runs auth0-jwt, with what is in it already.
func (d *draft) block() (own members, ok bool) {
	entry := members{}
	entry.set("name", auth0JWT)
	entry.set("value", string(d.result.Configuration))
	meta, err := parseObject(d.holder.plugins[d.holder.plugins.index(d.result.Plugin)].value)
	if err != nil {
		d.problem(d.result.Plugin, "want an object")
		return nil, false
	}
	if !d.holder.plugins.has(block) {
		own.set("conf", []members{entry})
		own.set("_meta", d.meta(meta.get("_meta")))
		return own, true
	}
	if meta.has("_meta") {
		d.stricter("_meta", "the block "+block+" that is there already keeps its own: every request that it gets is checked, at its place among the plugins")
	}
	if own, err = parseObject(d.holder.plugins.get(block)); err != nil {
		d.problem(block, "want an object")
		return nil, false
	}
	return own, d.extend(&own, entry)
}

// meta keeps the old plugin's place among the others: what ran before it still
// does, such as cors, which answers pre-flights.
func (d *draft) meta(old json.RawMessage) members {
	own, err := parseObject(old)
	if old != nil && err != nil {
		d.problem("_meta", "want an object")
	}
	if !own.has("priority") {
		own.set("priority", priorities[d.result.Plugin])
	}
	return own
}

// extend adds an entry to a block, unless the block lets requests pass that
// the old plugin checked.
func (d *draft) extend(own *members, entry members) bool {
	var entries []json.RawMessage
	meta, err := parseObject(own.get("_meta"))
	if own.has("_meta") && err != nil || own.has("conf") && json.Unmarshal(own.get("conf"), &entries) != nil {
		d.problem(block, "the block that is there already has another shape than APISIX's: "+elsewhere)
		return false
	}
	before := len(d.result.Problems)
	if degrades := own.get("allow_degradation"); degrades != nil && string(degrades) != "false" {
		d.problem(block+".allow_degradation", "the block that is there already lets requests pass while the runner is away: "+elsewhere)
	}
	if meta.has("disable") || meta.has("filter") {
		d.problem(block+"._meta", "the block that is there already does not run for every request: "+elsewhere)
	}
	if runs := meta.get("priority"); runs != nil && d.runsAfter(runs) {
		d.problem(block+"._meta.priority", "the block that is there already runs later than "+d.result.Plugin+" does, after plugins that answer themselves: "+elsewhere)
	}
	for _, e := range entries {
		if one, err := parseObject(e); err == nil && one.text("name") == auth0JWT {
			d.problem(block+".conf", "it has auth0-jwt already: take "+d.result.Plugin+" out of it, or auth0-jwt")
		}
	}
	own.set("conf", append(entries, encode(entry)))
	return len(d.result.Problems) == before
}

// refersTo are the members of a route that name an object with plugins, from
// the one that wins down.
var refersTo = []struct{ member, kind, name string }{
	{"plugin_config_id", "plugin_configs", "plugin config"},
	{"service_id", "services", "service"},
}

// chain is the objects of one route with plugins, from the one that wins down.
type chain []*holder

// chain finds the chains of all routes, once.
func (c *converter) chain() {
	type name struct{ kind, id string }
	named := map[name]*holder{}
	for i := range c.objects {
		o := &c.objects[i]
		if of := (name{o.Kind, o.ID}); named[of] == nil {
			named[of] = o
		}
	}
	c.chains = map[*holder][]chain{}
	for i := range c.objects {
		route := &c.objects[i]
		if route.Kind != "routes" {
			continue
		}
		all := chain{route}
		for _, ref := range refersTo {
			if other := named[name{ref.kind, route.members.text(ref.member)}]; other != nil {
				all = append(all, other)
			} else if id := route.members.text(ref.member); id != "" {
				route.missing = append(route.missing, Note{ref.member, ref.name + " " + id})
			}
		}
		for _, o := range all {
			c.chains[o] = append(c.chains[o], all)
		}
	}
}

// chained finds objects that the converted one meets in a route: of two blocks
// of one name APISIX runs the one of the object that wins, and no longer both.
func (d *draft) chained() {
	for _, ref := range d.holder.missing {
		d.todo(ref.Key, ref.Text+" was not read: if it has the plugin "+block+", that no longer runs for this route")
	}
	if kind := d.holder.Kind; (kind == "services" || kind == "plugin_configs") &&
		!slices.ContainsFunc(d.objects, func(o holder) bool { return o.Kind == "routes" }) {
		d.todo(block, "no route was read: one that refers to this "+singular[kind]+" and has the plugin "+block+" of its own would be open")
	}
	for _, all := range d.chains[d.holder] {
		d.meets(all)
	}
}

// runsAfter reports whether a priority is behind the old plugin's own.
func (d *draft) runsAfter(priority json.RawMessage) bool {
	var runs, ran float64
	meta, _ := parseObject(d.holderConf().get("_meta")) // none is none
	if err := json.Unmarshal(meta.get("priority"), &ran); err != nil {
		ran = float64(priorities[d.result.Plugin])
	}
	return json.Unmarshal(priority, &runs) != nil || runs < ran
}

// meets looks at the objects of one route, from the one that wins down.
func (d *draft) meets(all chain) {
	at := slices.Index(all, d.holder)
	for i, o := range all {
		if i == at {
			continue
		}
		called := o.Kind + "/" + o.ID
		other := o.auth()
		switch {
		case i < at && o.plugins.has(block):
			d.problem(block, called+" has this plugin too, which replaces the converted one there: the route would be open; "+elsewhere)
		case i > at && o.plugins.has(block) && !d.holder.plugins.has(block):
			d.problem(block, called+" has this plugin too, which the converted one would replace; "+elsewhere)
		case len(other) > 0 && other[0] != d.result.Plugin:
			d.problem("plugins", called+" has "+other[0]+", and one of the two converted ones would replace the other; "+elsewhere)
		}
	}
}
