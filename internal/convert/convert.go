// Package convert turns objects of APISIX that use openid-connect or jwt-auth
// into ones that do the same with auth0-jwt, and says what does not carry over.
// It knows the keys of those plugins; it must not know files or the network.
package convert

import (
	"encoding/json"
	"slices"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// The plugins of APISIX that are converted, and their priorities there.
const (
	OpenIDConnect = "openid-connect"
	JWTAuth       = "jwt-auth"
)

var priorities = map[string]int{OpenIDConnect: 2599, JWTAuth: 2510}

// Object is one object of APISIX's.
type Object struct {
	Kind string // as APISIX names its lists: routes, services, consumers …
	ID   string // "" is none
	JSON json.RawMessage
	// Number is the caller's, to know the object again.
	Number int
}

// Options are what no object says.
type Options struct {
	// Audience is the audience of routes that do not name one; "*" takes any.
	Audience []string
	// Issuer is the issuer of tokens, as they name it, of objects that do not say
	// it for sure.
	Issuer string
	// KeyID is the kid that tokens name which a public_key verifies.
	KeyID string
	// RedirectURI is the callback of routes with sessions that do not name one.
	RedirectURI string
	// Consumer is the one whose tokens a route with jwt-auth takes, where
	// several have keys.
	Consumer string
	// Accept are the keys, of [Risks], that may be left out although a route may
	// let in more without them.
	Accept []string
	// Config is how the runner stands that the routes are for.
	Config config.Options
}

// Note is one thing to say about a key.
type Note struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

// Secret is a secret that stands in an object and has to move to where its
// reference leads.
type Secret struct {
	Object    Object   // that holds it
	Path      []string // of it in the object
	Reference string   // in the configuration
	Base64    bool     // the object holds it in base64
}

// Result is what becomes of an object.
type Result struct {
	Object

	Plugin string // that was converted
	// Body is the object to put in the place of the old one. It is nil where
	// Problems say why there is none.
	Body json.RawMessage
	// Configuration is the one of auth0-jwt in Body.
	Configuration json.RawMessage

	Problems []Note // why it is not converted
	Lost     []Note // what does not carry over, and what to do
	Stricter []Note // what was let in before and is refused now
	Todo     []Note // what to do before it is in force
	Secrets  []Secret
}

// Objects converts those of the objects that use openid-connect or jwt-auth.
// The others are looked at, for consumers and for what routes refer to.
func Objects(all []Object, opt Options) []Result {
	c := &converter{opt: opt, names: map[string]string{}}
	for _, o := range all {
		c.objects = append(c.objects, hold(o))
	}
	c.chain()
	var results []Result
	for i := range c.objects {
		if holder := &c.objects[i]; holder.converts() {
			results = append(results, c.convert(holder))
		}
	}
	return results
}

// converter is what all objects share.
type converter struct {
	opt     Options
	objects []holder
	chains  map[*holder][]chain
	names   map[string]string // of references, and the secret that each was given to
}

// holder is an object and its plugins.
type holder struct {
	Object

	members members
	plugins members
	missing []Note // what a route refers to and was not read: the member and the object
}

// hold reads an object. What is none has no plugins.
func hold(o Object) holder {
	h := holder{Object: o}
	h.members, _ = parseObject(o.JSON)
	h.plugins, _ = parseObject(h.members.get("plugins"))
	return h
}

// converts reports whether the object is one to convert. A consumer's jwt-auth
// holds its keys.
func (h *holder) converts() bool {
	return len(h.auth()) > 0 && h.Kind != "consumers" && h.Kind != "consumer_groups"
}

// auth are the plugins of the object that are converted.
func (h *holder) auth() (names []string) {
	for _, name := range []string{OpenIDConnect, JWTAuth} {
		if h.plugins.has(name) {
			names = append(names, name)
		}
	}
	return names
}

// draft is an object while it is converted.
type draft struct {
	*converter

	holder *holder
	result Result
	conf   source  // of the old plugin
	out    members // the configuration of auth0-jwt
	// keyAlgorithm is what a public_key is for by default; "" is none.
	keyAlgorithm string
}

func (c *converter) convert(h *holder) Result {
	names := h.auth()
	d := &draft{converter: c, holder: h, result: Result{Object: h.Object, Plugin: names[0]}}
	d.conf = source{d: d, at: []string{"plugins", names[0]}}
	switch {
	case len(names) > 1:
		d.problem("plugins", "it has both openid-connect and jwt-auth, and a token has to pass both: convert it by hand")
	case d.conf.read(h.plugins.get(names[0])):
		d.plugin()
	}
	if len(d.result.Problems) > 0 {
		return Result{Object: h.Object, Plugin: names[0], Problems: d.result.Problems}
	}
	return d.result
}

func (d *draft) plugin() {
	if meta := d.conf.object("_meta"); meta.flag("disable", false) {
		d.problem("_meta.disable", "the plugin is switched off, and nothing is checked: take it out, or switch it on, before it is converted")
		return
	}
	d.conf.known(d.result.Plugin)
	d.conf.references("client_secret", "client_rsa_private_key", "session", "dpop", "proxy_opts")
	if d.result.Plugin == JWTAuth {
		d.jwtAuth()
	} else {
		d.openIDConnect()
	}
	d.result.Configuration = encode(d.out)
	d.judged()
	d.placed()
}

// judged has the configuration read as a runner does.
func (d *draft) judged() {
	if len(d.result.Problems) > 0 {
		return // it is not complete
	}
	_, err := config.Parse(d.result.Configuration, d.opt.Config)
	if err == nil {
		return
	}
	broken, ok := err.(*config.Error)
	if !ok {
		d.problem("$", err.Error())
		return
	}
	for _, p := range broken.Problems {
		if !p.Outside { // else a secret that is where the runner is
			d.problem(p.Path, "given "+p.Given+"; allowed: "+p.Want)
		}
	}
}

func (d *draft) problem(key, text string) {
	d.result.Problems = append(d.result.Problems, Note{key, text})
}

func (d *draft) lost(key, text string) { d.result.Lost = append(d.result.Lost, Note{key, text}) }

func (d *draft) stricter(key, text string) {
	d.result.Stricter = append(d.result.Stricter, Note{key, text})
}

func (d *draft) todo(key, text string) { d.result.Todo = append(d.result.Todo, Note{key, text}) }

// Risks are the keys without which a route may let in more than before. They
// keep it from being converted, unless they are accepted.
var Risks = []string{"claim_schema", "consumers", "introspection", "unknown"}

// risk reports whether what does not carry over, and may let in more, was
// accepted.
func (d *draft) risk(name, key, text string) bool {
	if slices.Contains(d.opt.Accept, name) {
		d.lost(key, text)
		return true
	}
	d.problem(key, text+". If that may be, --accept "+name+" converts it all the same")
	return false
}
