package gateway

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// shownEntries is where ngx.req.get_headers() and get_uri_args() stop, without
// a word.
const shownEntries = 100

type headerLine struct{ name, value string }

// headers are header lines in the order they came.
type headers []headerLine

// get returns the first value of a name, compared without case.
func (h headers) get(name string) (string, bool) {
	for _, line := range h {
		if strings.EqualFold(line.name, name) {
			return line.value, true
		}
	}
	return "", false
}

// set is ngx.req.set_header: every line of that name gives way to one, in the
// first one's place; an empty value removes. `_` and `-` are different names.
func (h *headers) set(name, value string) {
	kept := make(headers, 0, len(*h)+1)
	placed := value == ""
	for _, line := range *h {
		switch {
		case !strings.EqualFold(line.name, name):
			kept = append(kept, line)
		case !placed:
			kept = append(kept, headerLine{line.name, value})
			placed = true
		}
	}
	if !placed {
		kept = append(kept, headerLine{name, value})
	}
	*h = kept
}

func (h *headers) add(name, value string) { *h = append(*h, headerLine{name, value}) }

// shown is what a plugin sees: the first entries only, lower-case names, the
// values of one name together.
func (h headers) shown(host string) []a6.Entry {
	var order []string
	values := map[string][]string{}
	for _, line := range h[:min(len(h), shownEntries)] {
		name := strings.ToLower(line.name)
		if _, seen := values[name]; !seen {
			order = append(order, name)
		}
		value := line.value
		if name == "host" {
			value = host
		}
		values[name] = append(values[name], value)
	}
	entries := []a6.Entry{}
	for _, name := range order {
		for _, value := range values[name] {
			entries = append(entries, a6.Entry{Name: name, Value: value, HasValue: true})
		}
	}
	return entries
}

// answerHeaders applies what a runner sends for the client: the first entry of
// a name replaces, later ones are added. Names in except are left out.
func (h *headers) answerHeaders(entries []a6.Entry, except map[string]bool) {
	set := map[string]bool{}
	for _, entry := range entries {
		name := strings.ToLower(entry.Name)
		switch {
		case except[name]:
		case !set[name]:
			h.set(name, entry.Value)
			set[name] = true
		default:
			h.add(name, entry.Value)
		}
	}
}

// notOnRewrite are the response headers APISIX drops from a Rewrite.
var notOnRewrite = map[string]bool{
	"connection": true, "content-length": true, "transfer-encoding": true,
	"location": true, "server": true, "www-authenticate": true,
	"content-encoding": true, "content-type": true,
	"content-location": true, "content-language": true,
}
