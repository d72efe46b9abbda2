package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// route is what the double understands of an APISIX route.
type route struct {
	ID            json.RawMessage            `json:"id"`
	Name          string                     `json:"name"`
	Desc          string                     `json:"desc"`
	Labels        map[string]string          `json:"labels"`
	Status        *int                       `json:"status"`
	Timeout       json.RawMessage            `json:"timeout"`
	WebSocket     bool                       `json:"enable_websocket"`
	URI           string                     `json:"uri"`
	URIs          []string                   `json:"uris"`
	Host          string                     `json:"host"`
	Hosts         []string                   `json:"hosts"`
	Methods       []string                   `json:"methods"`
	Priority      int                        `json:"priority"`
	Vars          [][]string                 `json:"vars"` // each a variable, "==" and its value
	Upstream      *upstream                  `json:"upstream"`
	Plugins       map[string]json.RawMessage `json:"plugins"`
	CreateTime    json.RawMessage            `json:"create_time"`
	UpdateTime    json.RawMessage            `json:"update_time"`
	chain         []plugin
	value         map[string]any
	created, last int
}

type upstream struct {
	Type     string          `json:"type"`
	Scheme   string          `json:"scheme"`
	PassHost string          `json:"pass_host"`
	Nodes    json.RawMessage `json:"nodes"`
	Timeout  json.RawMessage `json:"timeout"`
	Retries  int             `json:"retries"`
	nodes    []string
}

func (u *upstream) check() error {
	weights := map[string]int{}
	var list []struct {
		Host   string `json:"host"`
		Port   int    `json:"port"`
		Weight *int   `json:"weight"`
	}
	if json.Unmarshal(u.Nodes, &weights) != nil {
		if err := json.Unmarshal(u.Nodes, &list); err != nil {
			return errors.New(`property "upstream" validation failed: property "nodes" validation failed`)
		}
	}
	for address, weight := range weights {
		if weight > 0 {
			u.nodes = append(u.nodes, withPort(address, u.Scheme))
		}
	}
	for _, node := range list {
		if node.Weight == nil || *node.Weight > 0 {
			address := node.Host
			if node.Port > 0 {
				address = net.JoinHostPort(node.Host, strconv.Itoa(node.Port))
			}
			u.nodes = append(u.nodes, withPort(address, u.Scheme))
		}
	}
	sort.Strings(u.nodes)
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "grpc" {
		return fmt.Errorf("the double does not speak upstream scheme %q", u.Scheme)
	}
	return nil
}

func withPort(address, scheme string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	if scheme == "https" {
		return address + ":443"
	}
	return address + ":80"
}

// routeTable holds the routes by id, and counts modifications.
type routeTable struct {
	log      *log.Logger
	mu       sync.RWMutex
	routes   map[string]*route
	modified int
}

// put reads and checks a route, and replaces the one of that id.
func (t *routeTable) put(id string, body []byte) (r *route, fresh bool, err error) {
	r = &route{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return nil, false, fmt.Errorf("invalid configuration: %w", err)
	}
	if err := json.Unmarshal(body, &r.value); err != nil {
		return nil, false, fmt.Errorf("invalid configuration: %w", err)
	}
	if r.URI != "" {
		r.URIs = append(r.URIs, r.URI)
	}
	if r.Host != "" {
		r.Hosts = append(r.Hosts, r.Host)
	}
	if len(r.URIs) == 0 {
		return nil, false, errors.New("invalid configuration: value should match only one schema, but matches none")
	}
	for _, v := range r.Vars {
		if len(v) != 3 || v[1] != "==" {
			return nil, false, errors.New("the double matches no vars but by ==")
		}
	}
	if r.Upstream != nil {
		if err := r.Upstream.check(); err != nil {
			return nil, false, fmt.Errorf("invalid configuration: %w", err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	version := t.modified + 1
	if err := r.compilePlugins(id, version); err != nil {
		return nil, false, err
	}
	for name, raw := range r.Plugins {
		if bytes.Contains(raw, []byte(`"_meta"`)) {
			t.log.Printf("warning: route %s: %s carries _meta, its priority is honoured", id, name)
		}
	}
	old, replaced := t.routes[id]
	r.created, r.last, t.modified = version, version, version
	if replaced {
		r.created = old.created
	}
	r.value["id"] = id
	if t.routes == nil {
		t.routes = map[string]*route{}
	}
	t.routes[id] = r
	return r, !replaced, nil
}

func (t *routeTable) get(id string) *route {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.routes[id]
}

func (t *routeTable) remove(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, there := t.routes[id]
	delete(t.routes, id)
	return there
}

// ids are in the order the routes were last modified.
func (t *routeTable) ids() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var ids []string
	for id := range t.routes {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return t.routes[ids[i]].last < t.routes[ids[j]].last })
	return ids
}

// match finds the route: one of the host before one of any, an exact path
// before a prefix, a longer prefix before a shorter, then higher priority.
func (t *routeTable) match(req *request) *route {
	host, _ := req.variable("host")
	t.mu.RLock()
	defer t.mu.RUnlock()
	var best *route
	var bestRank [3]int
	for _, r := range t.routes {
		if r.Status != nil && *r.Status == 0 || len(r.Methods) > 0 && !slices.Contains(r.Methods, req.method) {
			continue
		}
		rank := [3]int{hostRank(r.Hosts, host), pathRank(r.URIs, req.path), r.Priority}
		if rank[0] < 0 || rank[1] < 0 || !r.varsHold(req) {
			continue
		}
		if best == nil || slices.Compare(rank[:], bestRank[:]) > 0 {
			best, bestRank = r, rank
		}
	}
	return best
}

// varsHold reports whether the variables have the route's values. From then on
// ctx.var remembers them.
func (r *route) varsHold(req *request) bool {
	for _, v := range r.Vars {
		if value, _ := req.variable(v[0]); value != v[2] {
			return false
		}
	}
	return true
}

func hostRank(hosts []string, host string) int {
	rank := -1
	if len(hosts) == 0 {
		rank = 0
	}
	for _, pattern := range hosts {
		suffix, wild := strings.CutPrefix(strings.ToLower(pattern), "*")
		switch {
		case !wild && suffix == host:
			return 1 << 20
		case wild && strings.HasSuffix(host, suffix):
			rank = max(rank, len(suffix))
		}
	}
	return rank
}

func pathRank(uris []string, path string) int {
	rank := -1
	for _, pattern := range uris {
		prefix, wild := strings.CutSuffix(pattern, "*")
		switch {
		case !wild && pattern == path:
			return 1 << 20
		case wild && strings.HasPrefix(path, prefix):
			rank = max(rank, len(prefix))
		}
	}
	return rank
}
