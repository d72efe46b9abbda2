package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var corsOrigins = regexp.MustCompile(`^(\*|\*\*|null|\w+://[^,]+(,\w+://[^,]+)*)$`)

// corsConf is the part of cors that the double has.
type corsConf struct {
	AllowOrigins    string          `json:"allow_origins"`
	AllowMethods    string          `json:"allow_methods"`
	AllowHeaders    string          `json:"allow_headers"`
	ExposeHeaders   string          `json:"expose_headers"`
	MaxAge          int             `json:"max_age"`
	AllowCredential bool            `json:"allow_credential"`
	Meta            json.RawMessage `json:"_meta"`
}

func readCORS(raw json.RawMessage, _ string) (plugin, error) {
	conf := &corsConf{AllowOrigins: "*", AllowMethods: "*", AllowHeaders: "*", MaxAge: 5}
	if err := decodeWhole(raw, conf); err != nil {
		return plugin{}, err
	}
	return plugin{run: conf.run}, conf.check()
}

func (c *corsConf) check() error {
	if !corsOrigins.MatchString(c.AllowOrigins) {
		return errors.New(`property "allow_origins" validation failed: failed to match pattern`)
	}
	every := slices.Contains([]string{c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders}, "*")
	if c.AllowCredential && every {
		return errors.New("you can not set '*' for other option when 'allow_credential' is true")
	}
	return nil
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
