package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
)

// Placement is the route that a configuration is put into.
type Placement struct {
	Name     string   // of the route; "" is none
	URIs     []string // at least one
	Upstream string   // HOST:PORT; "" is none
	// UpstreamScheme is http or https.
	UpstreamScheme string
	Phase          string // ext-plugin-pre-req or ext-plugin-post-req
}

// Route is the Admin API's body for a route with a configuration.
func Route(configuration []byte, p Placement) ([]byte, error) {
	var value bytes.Buffer
	if err := json.Compact(&value, configuration); err != nil {
		return nil, fmt.Errorf("the configuration is no JSON: %w", err)
	}
	type entry struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type upstream struct {
		Type   string         `json:"type"`
		Scheme string         `json:"scheme,omitempty"`
		Nodes  map[string]int `json:"nodes"`
	}
	body := struct {
		Name     string                        `json:"name,omitempty"`
		URI      string                        `json:"uri,omitempty"`
		URIs     []string                      `json:"uris,omitempty"`
		Plugins  map[string]map[string][]entry `json:"plugins"`
		Upstream *upstream                     `json:"upstream,omitempty"`
	}{
		Name:    p.Name,
		URIs:    p.URIs,
		Plugins: map[string]map[string][]entry{p.Phase: {"conf": {{pluginName, value.String()}}}},
	}
	if len(p.URIs) == 1 {
		body.URI, body.URIs = p.URIs[0], nil
	}
	if p.Upstream != "" {
		if err := isHostPort(p.Upstream); err != nil {
			return nil, err
		}
		if p.UpstreamScheme != "http" && p.UpstreamScheme != "https" {
			return nil, fmt.Errorf("the upstream's scheme %q: want http or https", p.UpstreamScheme)
		}
		body.Upstream = &upstream{Type: "roundrobin", Nodes: map[string]int{p.Upstream: 1}}
		if p.UpstreamScheme != "http" {
			body.Upstream.Scheme = p.UpstreamScheme
		}
	}
	var out bytes.Buffer
	err := writeJSON(&out, body)
	return out.Bytes(), err
}

func isHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" || n < 1 || n > 65535 {
		return fmt.Errorf("%q: want HOST:PORT, such as orders:8080", s)
	}
	return nil
}
