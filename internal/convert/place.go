package convert

import (
	"bytes"
	"encoding/json"
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
	body, plugins := members{}, members{}
	for _, m := range d.holder.plugins {
		switch {
		case m.name == d.result.Plugin && !d.holder.plugins.has(block):
			plugins.set(block, own)
		case m.name == block:
			plugins.set(block, own)
		case m.name != d.result.Plugin:
			plugins.put(m.name, m.value)
		}
	}
	for _, m := range d.holder.members {
		switch m.name {
		case "plugins":
			body.set("plugins", plugins)
		case "update_time": // the Admin API keeps one that it is given
		default:
			body.put(m.name, m.value)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(body), "", "  "); err != nil {
		d.problem("$", err.Error())
		return
	}
	d.result.Body = indented.Bytes()
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
	var doors struct {
		Conf []struct {
			Name string `json:"name"`
		} `json:"conf"`
		AllowDegradation bool `json:"allow_degradation"`
		Meta             struct {
			Disable any `json:"disable"`
			Filter  any `json:"filter"`
		} `json:"_meta"`
	}
	var entries []json.RawMessage
	if json.Unmarshal(encode(*own), &doors) != nil || own.has("conf") && json.Unmarshal(own.get("conf"), &entries) != nil {
		d.problem(block, "the block that is there already has another shape than APISIX's: "+elsewhere)
		return false
	}
	before := len(d.result.Problems)
	if doors.AllowDegradation {
		d.problem(block+".allow_degradation", "the block that is there already lets requests pass while the runner is away: "+elsewhere)
	}
	if doors.Meta.Disable != nil || doors.Meta.Filter != nil {
		d.problem(block+"._meta", "the block that is there already does not run for every request: "+elsewhere)
	}
	for _, e := range doors.Conf {
		if e.Name == auth0JWT {
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

// chained finds objects that the converted one meets in a route: of two blocks
// of one name APISIX runs the one of the object that wins, and no longer both.
func (d *draft) chained() {
	for i := range d.objects {
		route := &d.objects[i]
		if route.Kind != "routes" {
			continue
		}
		chain := []*holder{route}
		for _, ref := range refersTo {
			id := route.members.text(ref.member)
			if id == "" {
				continue
			}
			if other := d.find(ref.kind, id); other != nil {
				chain = append(chain, other)
			} else if route == d.holder {
				d.todo(ref.member, ref.name+" "+id+" was not read: if it has the plugin "+block+", that no longer runs for this route")
			}
		}
		d.meets(chain)
	}
}

func (d *draft) find(kind, id string) *holder {
	for i := range d.objects {
		if o := &d.objects[i]; o.Kind == kind && o.ID == id {
			return o
		}
	}
	return nil
}

// meets looks at the objects of one route, from the one that wins down.
func (d *draft) meets(chain []*holder) {
	at := -1
	for i, o := range chain {
		if o == d.holder {
			at = i
		}
	}
	for i, o := range chain {
		if at < 0 || i == at {
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
