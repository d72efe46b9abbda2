package gateway

import (
	"net/http"
	"strconv"
	"strings"
)

// scheme is the only one the double listens with.
const scheme = "http"

// changing are the variables that APISIX reads anew each time.
var changing = map[string]bool{
	"args": true, "is_args": true, "upstream_uri": true, "upstream_host": true,
}

// variable is a variable as APISIX's ctx.var shows it: what it showed once it
// shows again, until something that APISIX notices changes it. It is false where
// there is none of that name.
func (req *request) variable(name string) (string, bool) {
	if value, there := req.vars[name]; there {
		return value, true
	}
	value, there := req.evaluate(name)
	if there && !changing[name] {
		if req.vars == nil {
			req.vars = map[string]string{}
		}
		req.vars[name] = value
	}
	return value, there
}

func (req *request) evaluate(name string) (string, bool) {
	lower := strings.ToLower(name)
	if header, ok := strings.CutPrefix(lower, "http_"); ok {
		return req.headerVariable(header)
	}
	if arg, ok := strings.CutPrefix(name, "arg_"); ok {
		values := parseArgs(req.query)[arg]
		if len(values) == 0 {
			return "", false
		}
		if !values[0].HasValue {
			return "true", true // what Lua writes for a bare name
		}
		return values[0].Value, true
	}
	if cookie, ok := strings.CutPrefix(name, "cookie_"); ok {
		return req.cookieVariable(cookie)
	}
	switch name {
	case "request_uri": // APISIX's own; nginx's is under real_request_uri
		return req.requestURI, true
	case "real_request_uri":
		return req.target, true
	case "uri", "document_uri":
		return req.path, true
	case "args", "query_string":
		return req.query, req.query != ""
	case "is_args":
		if req.query == "" {
			return "", true
		}
		return "?", true
	case "scheme":
		return scheme, true
	case "https":
		return "", true
	case "host":
		return req.host, true
	case "request_method", "method":
		return req.method, true
	case "request":
		return req.method + " " + req.target + " " + req.proto, true
	case "server_protocol":
		return req.proto, true
	case "remote_addr", "realip_remote_addr":
		return req.remote.Addr().Unmap().String(), true
	case "binary_remote_addr":
		return string(req.remote.Addr().Unmap().AsSlice()), true
	case "remote_port":
		return strconv.Itoa(int(req.remote.Port())), true
	case "server_addr":
		return req.local.Addr().Unmap().String(), true
	case "server_port":
		return strconv.Itoa(int(req.local.Port())), true
	case "content_type":
		return req.headers.get("Content-Type")
	case "content_length":
		return req.headers.get("Content-Length")
	case "status":
		return strconv.Itoa(req.status), req.status != 0
	case "upstream_addr":
		return req.upstreamAddr, req.upstreamAddr != ""
	case "upstream_uri":
		return req.upstreamURI, true
	case "upstream_host":
		return req.upstreamHost, true
	}
	return "", false
}

// headerVariable is $http_name: `-` and `_` are alike in it, and several
// values are joined.
func (req *request) headerVariable(name string) (string, bool) {
	name = strings.ReplaceAll(name, "-", "_")
	var values []string
	for _, line := range req.headers {
		if strings.ReplaceAll(strings.ToLower(line.name), "-", "_") == name {
			values = append(values, line.value)
		}
	}
	separator := ", "
	if name == "cookie" {
		separator = "; "
	}
	return strings.Join(values, separator), len(values) > 0
}

func (req *request) cookieVariable(name string) (string, bool) {
	all, _ := req.headerVariable("cookie")
	cookies, _ := http.ParseCookie(all)
	for _, cookie := range cookies {
		if cookie.Name == name {
			return cookie.Value, true
		}
	}
	return "", false
}
