package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cacheConf is the part of proxy-cache that the double has: the strategy memory,
// in the zone that APISIX has by default.
type cacheConf struct {
	Strategy  string          `json:"cache_strategy"`
	Zone      string          `json:"cache_zone"`
	Key       []string        `json:"cache_key"`
	Methods   []string        `json:"cache_method"`
	Statuses  []int           `json:"cache_http_status"`
	TTL       int             `json:"cache_ttl"`
	SetCookie bool            `json:"cache_set_cookie"`
	Isolation bool            `json:"consumer_isolation"` // of consumers, which the double has not
	Meta      json.RawMessage `json:"_meta"`
}

func readProxyCache(raw json.RawMessage, _ string) (plugin, error) {
	conf := &cacheConf{
		Strategy: "disk", Zone: "disk_cache_one", Key: []string{"$host", "$request_uri"},
		Methods: []string{"GET", "HEAD"}, Statuses: []int{200, 301, 404}, TTL: 300,
	}
	if err := decodeWhole(raw, conf); err != nil {
		return plugin{}, err
	}
	return plugin{run: conf.run}, conf.check()
}

var cacheKeyPart = regexp.MustCompile(`^([^$].+|\$[0-9a-zA-Z_]+)$`)

func (c *cacheConf) check() error {
	for _, part := range c.Key {
		if part == "$request_method" {
			return errors.New("cache_key variable $request_method unsupported")
		}
		if !cacheKeyPart.MatchString(part) {
			return errors.New(`property "cache_key" validation failed: failed to match pattern`)
		}
	}
	for _, method := range c.Methods {
		if !slices.Contains([]string{"GET", "POST", "HEAD"}, method) {
			return errors.New(`property "cache_method" validation failed: matches none of the enum values`)
		}
	}
	switch {
	case len(c.Key) == 0 || len(c.Methods) == 0 || len(c.Statuses) == 0 || c.TTL < 1:
		return errors.New("expect array to have at least 1 items, and cache_ttl at least 1")
	case c.Strategy != "memory":
		return errors.New("the double caches in memory alone")
	case c.Zone == "disk_cache_one":
		return errors.New("invalid or empty cache_zone for cache_strategy: memory")
	case c.Zone != "memory_cache":
		return fmt.Errorf("cache_zone %s not found", c.Zone)
	}
	return nil
}

// run answers from the cache, or remembers what to keep. As in APISIX a page is
// found by its key alone, whatever route it came through.
func (c *cacheConf) run(w *worker, req *request) *answer {
	if !slices.Contains(c.Methods, req.method) {
		req.response.set("Apisix-Cache-Status", "MISS")
		return nil
	}
	var key strings.Builder
	for _, part := range c.Key {
		if name, isVariable := strings.CutPrefix(part, "$"); isVariable {
			part, _ = req.variable(name)
		}
		key.WriteString(part)
	}
	found, expired := w.gateway.cache.get(key.String())
	switch {
	case found == nil:
		req.response.set("Apisix-Cache-Status", "MISS")
	case expired:
		req.response.set("Apisix-Cache-Status", "EXPIRED")
	default:
		for _, line := range found.headers {
			req.response.set(line.name, "")
		}
		req.response = append(req.response, found.headers...)
		req.response.set("Age", strconv.Itoa(int(time.Since(found.at).Seconds())))
		req.response.set("Apisix-Cache-Status", "HIT")
		return &answer{status: found.status, body: found.body}
	}
	req.keep = func(given *answer) { c.keep(&w.gateway.cache, key.String(), req, given) }
	return nil
}

const cacheAtMost = 64 << 20 // bytes of a body

// keep has an answer kept once it was sent whole. An answer that varies is none of
// the double's: APISIX keeps one for each variant.
func (c *cacheConf) keep(cache *memoryCache, key string, req *request, given *answer) {
	control := strings.ToLower(strings.Join(req.upstreamHeader.Values("Cache-Control"), ","))
	_, cookie := req.response.get("Set-Cookie")
	switch {
	case !slices.Contains(c.Statuses, given.status),
		strings.Contains(control, "private"), strings.Contains(control, "no-store"), strings.Contains(control, "no-cache"),
		cookie && !c.SetCookie, req.upstreamHeader.Get("Vary") != "":
		return
	}
	page := &cachedPage{status: given.status, body: given.body, at: time.Now(), until: time.Now().Add(time.Duration(c.TTL) * time.Second)}
	for _, line := range req.response {
		if name := strings.ToLower(line.name); !hop[name] && name != "apisix-cache-status" {
			page.headers = append(page.headers, line)
		}
	}
	if given.stream == nil {
		cache.put(key, page)
		return
	}
	given.stream = &recorder{ReadCloser: given.stream, whole: func(body []byte) {
		page.body = body
		cache.put(key, page)
	}}
}

// recorder tells what was read, once all was.
type recorder struct {
	io.ReadCloser
	whole func(body []byte)
	body  []byte
	over  bool // too much, or told
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.over = r.over || len(r.body)+n >= cacheAtMost; r.over {
		r.body = nil
		return n, err
	}
	r.body = append(r.body, p[:n]...)
	if errors.Is(err, io.EOF) {
		r.over = true
		r.whole(r.body)
	}
	return n, err
}

// memoryCache is what all workers share of proxy-cache.
type memoryCache struct {
	mu    sync.Mutex
	pages map[string]*cachedPage
}

type cachedPage struct {
	status    int
	headers   headers
	body      []byte
	at, until time.Time
}

func (m *memoryCache) get(key string) (page *cachedPage, expired bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	page = m.pages[key]
	return page, page != nil && time.Now().After(page.until)
}

func (m *memoryCache) put(key string, page *cachedPage) {
	if page.body == nil {
		page.body = []byte{} // and not nginx's own page
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pages == nil {
		m.pages = map[string]*cachedPage{}
	}
	m.pages[key] = page
}
