package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
)

// The plugins the double knows, with APISIX's priorities.
const (
	preReq       = "ext-plugin-pre-req"
	corsName     = "cors"
	proxyRewrite = "proxy-rewrite"
	postReq      = "ext-plugin-post-req"
)

var priorities = map[string]int{preReq: 12000, corsName: 4000, proxyRewrite: 1008, postReq: -3000}

// plugin is one block of a route, ready to run.
type plugin struct {
	name     string
	priority int
	run      func(w *worker, req *request) *answer // nil: go on
}

// extPlugin is the block of ext-plugin-pre-req or -post-req. As in APISIX conf
// need not be there, and other members are accepted.
type extPlugin struct {
	Conf []struct {
		Name  *string `json:"name"`
		Value *string `json:"value"`
	} `json:"conf"`
	AllowDegradation bool `json:"allow_degradation"`
}

func (e *extPlugin) check(block map[string]json.RawMessage) error {
	if _, there := block["conf"]; there && len(e.Conf) == 0 {
		return errors.New(`property "conf" validation failed: expect array to have at least 1 items`)
	}
	for i, entry := range e.Conf {
		where := fmt.Sprintf(`property "conf" validation failed: failed to validate item %d: `, i+1)
		switch {
		case entry.Name == nil:
			return errors.New(where + `property "name" is required`)
		case entry.Value == nil:
			return errors.New(where + `property "value" is required`)
		case *entry.Name == "" || len(*entry.Name) > 128:
			return errors.New(where + `property "name" validation failed: string length, expected 1 to 128`)
		}
	}
	return nil
}

type corsConf struct {
	AllowOrigins    string `json:"allow_origins"`
	AllowMethods    string `json:"allow_methods"`
	AllowHeaders    string `json:"allow_headers"`
	ExposeHeaders   string `json:"expose_headers"`
	MaxAge          int    `json:"max_age"`
	AllowCredential bool   `json:"allow_credential"`
}

func (c *corsConf) run(_ *worker, req *request) *answer {
	req.cors = c
	if req.method == http.MethodOptions {
		return &answer{status: 200}
	}
	return nil
}

// filter adds cors's response headers, where cors ran.
func (c *corsConf) filter(req *request) {
	origin, _ := req.headers.get("Origin")
	allowed := c.AllowOrigins
	switch {
	case allowed == "**" && origin != "":
		allowed = origin
	case allowed == "**":
		allowed = "*"
	case strings.Contains(allowed, ","):
		if !slices.Contains(strings.Split(allowed, ","), origin) {
			allowed = ""
		} else {
			allowed = origin
		}
	}
	if c.AllowOrigins != "*" {
		req.response.add("Vary", "Origin")
	}
	if allowed == "" {
		return
	}
	methods, names := c.AllowMethods, c.AllowHeaders
	if methods == "**" {
		methods = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE"
	}
	if names == "**" {
		names, _ = req.headers.get("Access-Control-Request-Headers")
	}
	req.response.set("Access-Control-Allow-Origin", allowed)
	req.response.set("Access-Control-Allow-Methods", methods)
	req.response.set("Access-Control-Max-Age", fmt.Sprint(c.MaxAge))
	req.response.set("Access-Control-Expose-Headers", c.ExposeHeaders)
	req.response.set("Access-Control-Allow-Headers", names)
	if c.AllowCredential {
		req.response.set("Access-Control-Allow-Credentials", "true")
	}
}

// compilePlugins checks every block and puts them in the order they run:
// rewrite phase before access phase, higher priority first.
func (r *route) compilePlugins(id string, version int) error {
	for name, raw := range r.Plugins {
		priority, known := priorities[name]
		if !known {
			return fmt.Errorf("unknown plugin [%s]", name)
		}
		p, err := compilePlugin(name, raw, fmt.Sprintf("route#%s#%s#%d", id, name, version))
		if err != nil {
			return fmt.Errorf("failed to check the configuration of plugin %s err: %w", name, err)
		}
		if p.priority == 0 {
			p.priority = priority
		}
		r.chain = append(r.chain, p)
	}
	sort.Slice(r.chain, func(i, j int) bool {
		a, b := r.chain[i], r.chain[j]
		if late := a.name == postReq; late != (b.name == postReq) {
			return !late
		}
		return a.priority > b.priority
	})
	return nil
}

func compilePlugin(name string, raw json.RawMessage, key string) (plugin, error) {
	block := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &block); err != nil {
		return plugin{}, errors.New("wrong type: expected object")
	}
	p := plugin{name: name}
	var meta struct {
		Priority int `json:"priority"`
	}
	if err := decodeBlock(block["_meta"], &meta); err != nil {
		return plugin{}, errors.New(`property "_meta" validation failed`)
	}
	p.priority = meta.Priority
	switch name {
	case corsName:
		conf := &corsConf{AllowOrigins: "*", AllowMethods: "*", AllowHeaders: "*", MaxAge: 5}
		p.run = conf.run
		return p, decodeBlock(raw, conf)
	case proxyRewrite:
		conf := &rewriteConf{}
		p.run = conf.run
		return p, conf.read(raw)
	}
	conf := &extPlugin{}
	if err := decodeBlock(raw, conf); err != nil {
		return plugin{}, err
	}
	p.run = func(w *worker, req *request) *answer { return w.communicate(req, conf, key) }
	return p, conf.check(block)
}

func decodeBlock(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, into); errors.As(err, &wrong) {
		return fmt.Errorf("property %q validation failed: wrong type, got %s", wrong.Field, wrong.Value)
	} else if err != nil {
		return err
	}
	return nil
}
