package page

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// shownRequest is a request as APISIX showed it to the runner: the decoded path,
// lower-case names, and the variables that APISIX would answer with.
type shownRequest struct {
	inspect.Request
	shown a6.Request
}

// newShown is what was shown of a request that was sent.
func newShown(sent request, gateway string, shown a6.Request) (*shownRequest, error) {
	u, err := url.Parse(gateway)
	if err != nil {
		return nil, err
	}
	target, err := url.ParseRequestURI(sent.Path)
	if err != nil {
		return nil, err
	}
	target.Scheme, target.Host = u.Scheme, u.Host
	r := &shownRequest{Request: inspect.Request{Verb: shown.Method, URL: target}, shown: shown}
	for _, h := range shown.Headers {
		r.Headers = append(r.Headers, [2]string{h.Name, h.Value})
	}
	slices.SortStableFunc(r.Headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return r, nil
}

// Path and the methods below are what the runner reads in place of the URL's.
func (r *shownRequest) Path() string      { return r.shown.Path }
func (r *shownRequest) PathBytes() []byte { return []byte(r.shown.Path) }

// IP is the client's address.
func (r *shownRequest) IP() string {
	ip, ok := netip.AddrFromSlice(r.shown.SrcIP)
	if !ok {
		return ""
	}
	return ip.String()
}

// Args are the values of one query argument.
func (r *shownRequest) Args(name string) []string { return r.Query()[name] }

// Query is all arguments.
func (r *shownRequest) Query() map[string][]string {
	all := map[string][]string{}
	for _, arg := range r.shown.Args {
		all[arg.Name] = append(all[arg.Name], arg.Value)
	}
	return all
}
