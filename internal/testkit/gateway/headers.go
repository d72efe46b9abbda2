package gateway

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// shownEntries is where ngx.req.get_headers() stops, without a word.
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

// shownHeaders are what plugins see, by lower-case name. As in APISIX they are
// read once, and later edits change this table beside the headers themselves:
// deleting a shown header does not bring a hidden one forward.
type shownHeaders map[string][]string

// showHeaders are the entries a runner is shown: of the first 100 lines those
// of one name together, the names in no order.
func (req *request) showHeaders() []a6.Entry {
	if req.shown == nil {
		req.shown = shownHeaders{}
		for _, line := range req.headers[:min(len(req.headers), shownEntries)] {
			name := strings.ToLower(line.name)
			req.shown[name] = append(req.shown[name], line.value)
		}
	}
	entries := []a6.Entry{}
	for name, values := range req.shown {
		for _, value := range values {
			if name == "host" {
				value = req.upstreamHost
			}
			entries = append(entries, a6.Entry{Name: name, Value: value, HasValue: true})
		}
	}
	return entries
}

// setHeader is APISIX's core.request.set_header: an empty value removes the
// header, and is shown to later plugins all the same. Of the variables it
// forgets the one of that very name, so that a header with a "-" keeps the value
// under which a variable showed it before.
func (req *request) setHeader(entry a6.Entry) {
	req.headers.set(entry.Name, escapeValue(entry.Value))
	name := strings.ToLower(entry.Name)
	delete(req.vars, "http_"+name)
	switch {
	case req.shown == nil:
	case entry.HasValue:
		req.shown[name] = []string{entry.Value}
	default:
		delete(req.shown, name)
	}
}

// answerHeaders applies what a runner sends for the client: the first entry of
// a name replaces, later ones are added. Names in except are left out.
// lua-nginx has one place for a header in single, where the last one stays.
func (h *headers) answerHeaders(entries []a6.Entry, except map[string]bool) {
	set := map[string]bool{}
	for _, entry := range entries {
		name := strings.ToLower(entry.Name)
		switch {
		case except[name]:
		case !set[name] || single[name]:
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

// single are the response headers that ngx.resp.add_header overrides.
var single = map[string]bool{
	"server": true, "date": true, "content-encoding": true, "location": true,
	"refresh": true, "last-modified": true, "content-range": true,
	"accept-ranges": true, "expires": true, "etag": true,
	"content-length": true, "content-type": true,
}
