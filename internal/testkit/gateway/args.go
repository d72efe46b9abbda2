package gateway

import (
	"net/url"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// args are query arguments, decoded, those of one name together.
type args []a6.Entry

// parseArgs reads a query string as ngx.req.get_uri_args() does: the first 100
// pairs, `+` is a space, a bare name has no value, an empty name is skipped.
func parseArgs(query string) args {
	var order []string
	grouped := map[string]args{}
	count := 0
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, valued := strings.Cut(pair, "=")
		name := unescapeArg(rawName)
		if name == "" {
			continue
		}
		if count++; count > shownEntries {
			break
		}
		if _, seen := grouped[name]; !seen {
			order = append(order, name)
		}
		entry := a6.Entry{Name: name, Value: unescapeArg(rawValue), HasValue: valued}
		grouped[name] = append(grouped[name], entry)
	}
	var all args
	for _, name := range order {
		all = append(all, grouped[name]...)
	}
	return all
}

// rewrite applies a Rewrite's arguments: without a value all of a name go, the
// first value replaces them, later ones are added.
func (a args) rewrite(entries []a6.Entry) args {
	changed := map[string]bool{}
	for _, entry := range entries {
		if !entry.HasValue || !changed[entry.Name] {
			a = a.without(entry.Name)
		}
		if entry.HasValue {
			a = append(a, entry)
			changed[entry.Name] = true
		}
	}
	return a
}

func (a args) without(name string) args {
	kept := args{}
	for _, entry := range a {
		if entry.Name != name {
			kept = append(kept, entry)
		}
	}
	return kept
}

func (a args) String() string {
	pairs := make([]string, len(a))
	for i, entry := range a {
		pairs[i] = escapeArg(entry.Name)
		if entry.HasValue {
			pairs[i] += "=" + escapeArg(entry.Value)
		}
	}
	return strings.Join(pairs, "&")
}

func escapeArg(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// unescapeArg decodes what is validly escaped and leaves the rest.
func unescapeArg(s string) string { return unescape(strings.ReplaceAll(s, "+", " ")) }

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
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

// escapePath writes a decoded path back as nginx does for the upstream.
func escapePath(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"%#?<>\^{}|`+"`", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
