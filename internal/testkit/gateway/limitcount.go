package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limitConf is the part of limit-count that the double has: one count in shared
// memory, by the value of one variable.
type limitConf struct {
	Count        int             `json:"count"`
	TimeWindow   int             `json:"time_window"`
	WindowType   string          `json:"window_type"`
	Key          string          `json:"key"`
	KeyType      string          `json:"key_type"`
	RejectedCode int             `json:"rejected_code"`
	RejectedMsg  string          `json:"rejected_msg"`
	Policy       string          `json:"policy"`
	ShowHeaders  bool            `json:"show_limit_quota_header"`
	Meta         json.RawMessage `json:"_meta"`
	prefix       string          // of its keys: a route and a configuration
}

func readLimitCount(raw json.RawMessage, key string) (plugin, error) {
	conf := &limitConf{
		WindowType: "fixed", Key: "remote_addr", KeyType: "var",
		RejectedCode: 503, Policy: "local", ShowHeaders: true,
	}
	if err := decodeWhole(raw, conf); err != nil {
		return plugin{}, err
	}
	// The counts outlive a route that is put again with the same block.
	route := key[:strings.LastIndexByte(key, '#')]
	var block bytes.Buffer
	if err := json.Compact(&block, raw); err != nil {
		return plugin{}, err
	}
	conf.prefix = route + ":" + block.String() + ":"
	return plugin{run: conf.run}, conf.check()
}

func (c *limitConf) check() error {
	switch {
	case c.Count <= 0 || c.TimeWindow <= 0:
		return errors.New("value should match only one schema, but matches none")
	case c.RejectedCode < 200 || c.RejectedCode > 599:
		return errors.New(`property "rejected_code" validation failed: expected 200 to 599`)
	case c.KeyType != "var" || c.Policy != "local" || c.WindowType != "fixed":
		return errors.New("the double counts by one variable, in memory, in fixed windows")
	}
	return nil
}

func (c *limitConf) run(w *worker, req *request) *answer {
	value, there := req.variable(c.Key)
	if !there {
		value, _ = req.variable("remote_addr")
	}
	window := time.Duration(c.TimeWindow) * time.Second
	used, reset := w.gateway.limits.count(c.prefix+value, window)
	if c.ShowHeaders {
		seconds := math.Floor(reset.Seconds()*100) / 100
		req.response.set("X-RateLimit-Limit", strconv.Itoa(c.Count))
		req.response.set("X-RateLimit-Remaining", strconv.Itoa(max(c.Count-used, 0)))
		req.response.set("X-RateLimit-Reset", strconv.FormatFloat(seconds, 'f', -1, 64))
	}
	switch {
	case used <= c.Count:
		return nil
	case c.RejectedMsg == "":
		return &answer{status: c.RejectedCode}
	}
	message, _ := json.Marshal(c.RejectedMsg) // a string always has a JSON
	return &answer{status: c.RejectedCode, body: fmt.Appendf(nil, "{\"error_msg\":%s}\n", message)}
}

// limitCounts are what all workers share of limit-count.
type limitCounts struct {
	mu      sync.Mutex
	windows map[string]*limitWindow
}

type limitWindow struct {
	used  int
	until time.Time
}

// count adds one to a key's window, which begins with its first request.
func (l *limitCounts) count(key string, window time.Duration) (used int, reset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	current := l.windows[key]
	if current == nil || !now.Before(current.until) {
		current = &limitWindow{until: now.Add(window)}
		if l.windows == nil {
			l.windows = map[string]*limitWindow{}
		}
		l.windows[key] = current
	}
	current.used++
	return current.used, current.until.Sub(now)
}
