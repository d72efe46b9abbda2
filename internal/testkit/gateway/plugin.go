package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
)

// The plugins the double knows.
const (
	preReq       = "ext-plugin-pre-req"
	corsName     = "cors"
	proxyRewrite = "proxy-rewrite"
	proxyCache   = "proxy-cache"
	limitCount   = "limit-count"
	httpLogger   = "http-logger"
	buffering    = "proxy-buffering"
	postReq      = "ext-plugin-post-req"
)

// kind is what all blocks of one plugin share. APISIX runs every plugin's
// rewrite phase before any plugin's access phase.
type kind struct {
	priority int
	access   bool // it runs in the access phase
	read     func(raw json.RawMessage, key string) (plugin, error)
}

var kinds = map[string]kind{
	buffering:    {priority: 21991, read: readProxyBuffering},
	preReq:       {priority: 12000, read: readExtPlugin},
	corsName:     {priority: 4000, read: readCORS},
	proxyRewrite: {priority: 1008, read: readProxyRewrite},
	proxyCache:   {priority: 1085, access: true, read: readProxyCache},
	httpLogger:   {priority: 410, access: true, read: readHTTPLogger},
	limitCount:   {priority: 1002, access: true, read: readLimitCount},
	postReq:      {priority: -3000, access: true, read: readExtPlugin},
}

// plugin is one block of a route, ready to run.
type plugin struct {
	access   bool
	priority int
	run      func(w *worker, req *request) *answer // answers nil to continue; nil itself in one that only logs
	log      func(w *worker, req *request)         // of a request that was answered, whoever answered; or nil
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

func (e *extPlugin) check(raw json.RawMessage) error {
	var block map[string]json.RawMessage
	_ = json.Unmarshal(raw, &block) // it was read before
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

// compilePlugins checks every block and puts them in the order they run:
// rewrite phase before access phase, higher priority first.
func (r *route) compilePlugins(id string, version int) error {
	for name, raw := range r.Plugins {
		of, known := kinds[name]
		if !known {
			return fmt.Errorf("unknown plugin [%s]", name)
		}
		p, err := of.compile(raw, fmt.Sprintf("route#%s#%s#%d", id, name, version))
		if err != nil {
			return fmt.Errorf("failed to check the configuration of plugin %s err: %w", name, err)
		}
		r.chain = append(r.chain, p)
	}
	sort.Slice(r.chain, func(i, j int) bool {
		a, b := r.chain[i], r.chain[j]
		if a.access != b.access {
			return b.access
		}
		return a.priority > b.priority
	})
	return nil
}

func (k kind) compile(raw json.RawMessage, key string) (plugin, error) {
	block := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &block); err != nil {
		return plugin{}, errors.New("wrong type: expected object")
	}
	// What APISIX would skip or change by other members is not run as if nothing
	// was said.
	meta := struct {
		Priority int `json:"priority"`
	}{k.priority}
	if given := block["_meta"]; given != nil {
		if err := decodeWhole(given, &meta); err != nil {
			return plugin{}, fmt.Errorf(`property "_meta" validation failed, of which the double knows priority alone: %w`, err)
		}
	}
	p, err := k.read(raw, key)
	p.access, p.priority = k.access, meta.Priority
	return p, err
}

func readExtPlugin(raw json.RawMessage, key string) (plugin, error) {
	conf := &extPlugin{}
	if err := decodeBlock(raw, conf); err != nil {
		return plugin{}, err
	}
	run := func(w *worker, req *request) *answer { return w.communicate(req, conf, key) }
	return plugin{run: run}, conf.check(raw)
}

func readProxyRewrite(raw json.RawMessage, _ string) (plugin, error) {
	conf := &rewriteConf{}
	return plugin{run: conf.run}, conf.read(raw)
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
