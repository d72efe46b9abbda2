package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// rewriteConf is the part of proxy-rewrite that the double has. What it has
// not is an error, so that no route seems to work that does another thing.
type rewriteConf struct {
	URI     string          `json:"uri"`
	Host    string          `json:"host"`
	Headers json.RawMessage `json:"headers"`
	Meta    json.RawMessage `json:"_meta"`
	Unsafe  bool            `json:"use_real_request_uri_unsafe"`
	edits   []a6.Entry
}

func (c *rewriteConf) read(raw json.RawMessage) error {
	if err := decodeWhole(raw, c); err != nil {
		return err
	}
	if c.Unsafe {
		return errors.New("the double sends no path that APISIX did not judge")
	}
	if c.URI == "" && c.Host == "" && len(c.Headers) == 0 && !bytes.Contains(raw, []byte("use_real_request_uri_unsafe")) {
		return errors.New("expect object to have at least 1 properties")
	}
	if c.URI != "" && !strings.HasPrefix(c.URI, "/") {
		return errors.New(`property "uri" validation failed: failed to match pattern "^\\/.*"`)
	}
	if len(c.Headers) > 0 {
		var grouped struct {
			Set    map[string]string `json:"set"`
			Remove []string          `json:"remove"`
		}
		plain := map[string]string{}
		if json.Unmarshal(c.Headers, &plain) != nil {
			if err := decodeWhole(c.Headers, &grouped); err != nil {
				return fmt.Errorf(`property "headers" validation failed: %w`, err)
			}
			plain = grouped.Set
		}
		for name, value := range plain {
			c.edits = append(c.edits, a6.Entry{Name: name, Value: value, HasValue: true})
		}
		for _, name := range grouped.Remove {
			c.edits = append(c.edits, a6.Entry{Name: name})
		}
	}
	for _, edit := range c.edits {
		if strings.Contains(edit.Value, "$") {
			return errors.New("the double resolves no variables in proxy-rewrite")
		}
	}
	if strings.Contains(c.URI, "$") {
		return errors.New("the double resolves no variables in proxy-rewrite")
	}
	return nil
}

func decodeWhole(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the double does not read this: %w", err)
	}
	return nil
}

// run writes upstream_uri whatever the block holds: without a uri it is the
// decoded path, escaped anew, with the arguments as they are by now.
func (c *rewriteConf) run(_ *worker, req *request) *answer {
	if c.Host != "" {
		req.upstreamHost = c.Host
	}
	uri, query, asked := req.path, "", false
	if c.URI != "" {
		uri, query, asked = strings.Cut(c.URI, "?")
	}
	target := escapePath(uri)
	if asked {
		target += "?" + escapeControls(query)
	}
	switch {
	case req.query == "":
	case asked:
		target += "&" + req.query
	default:
		target += "?" + req.query
	}
	req.upstreamURI = target
	for _, edit := range c.edits {
		req.setHeader(edit)
	}
	return nil
}
