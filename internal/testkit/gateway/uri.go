package gateway

import "strings"

// absolute splits a request target in absolute form as nginx does. The host
// wins over the Host header in $host.
func absolute(target string) (host, rest string, ok bool) {
	scheme, after, ok := strings.Cut(target, "://")
	if !ok || scheme == "" || strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		return after, "/", after != ""
	}
	return after[:end], after[end:], end > 0
}

// validHost is ngx_http_validate_host: the lower-case name without its port is
// $host, and what it refuses is nginx's 400. `?` and `#` are not refused.
func validHost(host string) (name string, ok bool) {
	end, lastDot, ended := len(host), -2, false
	literal := strings.HasPrefix(host, "[")
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if lastDot == i-1 {
				return "", false
			}
			lastDot = i
		case c == ':' && !ended && !literal:
			end, ended = i, true
		case c == ']' && literal && !ended:
			end, ended = i+1, true
		case c == '/' || c <= ' ' || c == 0x7f:
			return "", false
		}
	}
	if lastDot == end-1 {
		end--
	}
	return strings.ToLower(host[:max(end, 0)]), end > 0
}

// normalise decodes a raw path and resolves slashes and dots as nginx does. It
// is false for what nginx answers 400.
func normalise(raw string) (string, bool) {
	for i := range len(raw) {
		if raw[i] == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])) {
			return "", false
		}
	}
	decoded := unescape(raw)
	if !strings.HasPrefix(decoded, "/") || strings.IndexByte(decoded, 0) >= 0 {
		return "", false
	}
	var parts []string
	trailing := false
	for part := range strings.SplitSeq(decoded[1:], "/") {
		trailing = part == "" || part == "." || part == ".."
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", false
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	path := "/" + strings.Join(parts, "/")
	if trailing && path != "/" {
		path += "/"
	}
	return path, true
}
