package auth0jwt_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
)

// request is a request of a runner that works as the official one does, as far
// as its public interface tells.
type request struct {
	header   header
	original http.Header
	args     url.Values
	panics   bool
	method   string // "" is GET
	body     []byte
	response http.Header // of RespHeader
	ctx      context.Context

	path    []byte
	vars    map[string]string // nil: APISIX does not answer
	asked   []string
	rewrote bool // SetPath was called
}

type header struct{ http.Header }

func (h header) View() http.Header { return h.Header }

func newRequest(pairs ...string) *request {
	r := &request{header: header{http.Header{}}, path: []byte("/"), vars: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		r.header.Add(pairs[i], pairs[i+1])
	}
	r.original = r.header.Clone()
	return r
}

func (*request) ID() uint32     { return 1 }
func (*request) SrcIP() net.IP  { return net.IPv4(127, 0, 0, 1) }
func (r *request) Path() []byte { return r.path }
func (r *request) SetPath(path []byte) {
	r.path, r.rewrote = path, true
}

func (r *request) Method() string {
	if r.panics {
		panic("broken")
	}
	return cmp.Or(r.method, "GET")
}
func (r *request) Header() pkgHTTP.Header { return r.header }
func (r *request) Args() url.Values       { return r.args }
func (r *request) Body() ([]byte, error)  { return r.body, nil }
func (r *request) RespHeader() http.Header {
	if r.response == nil {
		r.response = http.Header{}
	}
	return r.response
}

func (r *request) Context() context.Context {
	if r.ctx != nil {
		return r.ctx
	}
	return context.Background()
}

func (r *request) Var(name string) ([]byte, error) {
	r.asked = append(r.asked, name)
	if r.vars == nil {
		return nil, errors.New("the connection is closed")
	}
	return []byte(r.vars[name]), nil
}

// sent is what the official runner makes of the header map: a deletion for
// every name that is gone, a value for every name that is new or whose first
// value changed.
func (r *request) sent() map[string]string {
	edits := map[string]string{}
	for name := range r.original {
		if _, there := r.header.Header[name]; !there {
			edits["delete "+name] = ""
		}
	}
	for name, values := range r.header.Header {
		if before, there := r.original[name]; !there || before[0] != values[0] {
			edits["set "+name] = values[0]
		}
	}
	return edits
}

// upstream is what reaches the upstream of the headers named, by lower-case
// name: APISIX takes the deletions first, and a value replaces every header
// that has the name in any letter case.
func (r *request) upstream(names ...string) map[string][]string {
	now := map[string][]string{}
	for name, values := range r.original {
		now[strings.ToLower(name)] = slices.Clone(values)
	}
	edits := r.sent()
	for _, edit := range slices.Sorted(maps.Keys(edits)) { // "delete" before "set"
		what, name, _ := strings.Cut(strings.ToLower(edit), " ")
		delete(now, name)
		if value := edits[edit]; what == "set" && value != "" {
			now[name] = []string{value}
		}
	}
	maps.DeleteFunc(now, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	return now
}
