package gateway

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// args are query arguments, decoded, by name. As in the Lua table that APISIX
// keeps them in, the values of one name are in order and the names are not.
type args map[string][]a6.Entry

// parseArgs reads a query string as ngx.req.get_uri_args(0) does: all pairs,
// `+` is a space, a bare name has no value, an empty name is skipped.
func parseArgs(query string) args {
	all := args{}
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, valued := strings.Cut(pair, "=")
		if name := unescapeArg(rawName); name != "" {
			all[name] = append(all[name], a6.Entry{Name: name, Value: unescapeArg(rawValue), HasValue: valued})
		}
	}
	return all
}

// entries are what a runner is shown of them.
func (a args) entries() []a6.Entry {
	var all []a6.Entry
	for _, values := range a {
		all = append(all, values...)
	}
	return all
}

// rewrite applies a Rewrite's arguments: without a value all of a name go, the
// first value replaces them, later ones are added.
func (a args) rewrite(entries []a6.Entry) {
	changed := map[string]bool{}
	for _, entry := range entries {
		switch {
		case !entry.HasValue:
			delete(a, entry.Name)
		case changed[entry.Name]:
			a[entry.Name] = append(a[entry.Name], entry)
		default:
			a[entry.Name] = []a6.Entry{entry}
			changed[entry.Name] = true
		}
	}
}

// String is the query string that ngx.req.set_uri_args makes of them.
func (a args) String() string {
	var pairs []string
	for _, entry := range a.entries() {
		pair := escapeArg(entry.Name)
		if entry.HasValue {
			pair += "=" + escapeArg(entry.Value)
		}
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "&")
}

// escapeArg is lua-nginx's NGX_ESCAPE_URI_COMPONENT, which leaves what
// encodeURIComponent of JavaScript leaves.
func escapeArg(s string) string {
	return escape(s, func(c byte) bool {
		return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-_.!~*'()", c) >= 0
	})
}

// unescapeArg decodes what is validly escaped and leaves the rest.
func unescapeArg(s string) string { return unescape(strings.ReplaceAll(s, "+", " ")) }

// escapePath is ngx_escape_uri of type 0, which APISIX calls uri_safe_encode:
// what was escaped before is escaped again.
func escapePath(path string) string {
	return escape(path, func(c byte) bool {
		return c > ' ' && c < 0x7f && strings.IndexByte(`"%#?<>\^{}|`+"`", c) < 0
	})
}

// escapeControls is APISIX's escape_uri_control_chars.
func escapeControls(s string) string {
	return escape(s, func(c byte) bool { return c >= ' ' && c != 0x7f })
}

// escapeValue is what lua-nginx does to a header's value.
func escapeValue(s string) string {
	return escape(s, func(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' })
}

func escape(s string, stays func(c byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; stays(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

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

func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}
