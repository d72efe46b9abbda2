package ci_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// policy is the plugin's configuration as a route author writes it.
type policy map[string]any

// with is a copy with other keys on top; a nil value takes a key out.
func (p policy) with(other policy) policy {
	merged := policy{}
	for _, m := range []policy{p, other} {
		for k, v := range m {
			if merged[k] = v; v == nil {
				delete(merged, k)
			}
		}
	}
	return merged
}

func (p policy) text() string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // the suite's own literals
	}
	return string(data)
}

// routeSpec is a route of the Admin API, as far as the suite needs it.
type routeSpec struct {
	value string         // of the auth0-jwt entry
	phase string         // "" is ext-plugin-pre-req
	meta  map[string]any // _meta of the phase's block
	other map[string]any // other plugins of the route
}

// route is a route in force at a prefix or at a host of its own.
type route struct {
	id     string
	prefix string // such as /e2e/7d1f-12, no slash at the end
	host   string // "" is any, and then there is a prefix
	on     *stack
}

var (
	suiteID   = newSuiteID()
	lastRoute atomic.Int64
)

// newSuiteID keeps the routes of two runs on one gateway apart.
func newSuiteID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// newRoute puts a route with this policy at a fresh prefix and waits until it
// is in force.
func newRoute(t testing.TB, p policy) route {
	t.Helper()
	return newRouteOf(t, routeSpec{value: p.text()})
}

func newRouteOf(t testing.TB, spec routeSpec) route {
	t.Helper()
	id := newRouteID()
	r := route{id: id, prefix: "/e2e/" + id, on: under}
	r.begin(t, spec)
	return r
}

func newRouteID() string { return "e2e-" + suiteID + "-" + strconv.FormatInt(lastRoute.Add(1), 10) }

// begin puts the route and waits until it is in force.
func (r route) begin(t testing.TB, spec routeSpec) {
	t.Helper()
	r.put(t, spec)
	t.Cleanup(func() { r.admin(t, http.MethodDelete, nil) })
	// Every worker learns of a route by itself, so one answer proves nothing.
	r.await(t, func(a answer) error {
		switch a.status {
		case http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable:
			return fmt.Errorf("still %d", a.status)
		}
		return nil
	}, request{})
}

// await sends a request until several answers in a row are as wanted.
func (r route) await(t testing.TB, want func(answer) error, req request) {
	t.Helper()
	const inARow = 6
	err := eventually(50*time.Second, func() error {
		for range inARow {
			a, err := r.try(req)
			if err == nil {
				err = want(a)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the route did not get there: %v", err)
	}
}

func (r route) put(t testing.TB, spec routeSpec) {
	t.Helper()
	phase := spec.phase
	if phase == "" {
		phase = "ext-plugin-pre-req"
	}
	block := map[string]any{"conf": []any{map[string]any{"name": "auth0-jwt", "value": spec.value}}}
	if spec.meta != nil {
		block["_meta"] = spec.meta
	}
	plugins := map[string]any{phase: block}
	for name, conf := range spec.other {
		plugins[name] = conf
	}
	body := map[string]any{
		"uri":      r.prefix + "/*",
		"plugins":  plugins,
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{r.on.upstream.node: 1}},
	}
	if r.host != "" {
		body["host"] = r.host
	}
	r.admin(t, http.MethodPut, body)
}

func (r route) admin(t testing.TB, method string, body any) {
	t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, r.on.admin+"/apisix/admin/routes/"+r.id, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", r.on.adminKey)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode/100 != 2 {
		t.Fatalf("the Admin API's %s of a route: %s: %s", method, resp.Status, answer)
	}
}
