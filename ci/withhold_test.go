package ci_test

import (
	"net/url"
	"testing"
)

// TestWithheldBehindProxyRewrite takes the token out of the query where
// proxy-rewrite ran before the plugin: what it wrote is sent, whatever becomes
// of the arguments, unless the plugin sends a path as well. APISIX shows that
// path escaped and escapes what it gets once more.
func TestWithheldBehindProxyRewrite(t *testing.T) {
	token := goodToken()
	p := identityOwn.with(from(fromQuery)).with(policy{"forward_token": false})
	for _, tt := range []struct {
		name, phase string
		rewrite     map[string]any
		path        string // "" is /x
		want        string // the upstream's path; below the route's prefix where rewrite has no uri
		args        string
	}{
		{"a new path", "ext-plugin-post-req", map[string]any{"uri": "/new/place"}, "", "/new/place", "a=1&a=2&b=x+y"},
		{"a new path with a space", "ext-plugin-post-req", map[string]any{"uri": "/new place"}, "", "/new%20place", "a=1&a=2&b=x+y"},
		{"a new path with a percent sign", "ext-plugin-post-req", map[string]any{"uri": "/100%"}, "", "/100%25", "a=1&a=2&b=x+y"},
		{"a new path with arguments of its own", "ext-plugin-post-req", map[string]any{"uri": "/new?c=3"}, "", "/new", "a=1&a=2&b=x+y&c=3"},
		{"the client's path and a header", "ext-plugin-post-req", map[string]any{"headers": map[string]any{"set": map[string]any{"X-Rewritten": "yes"}}}, "/a/b", "/a/b", "a=1&a=2&b=x+y"},
		{"the client's path with a space", "ext-plugin-post-req", map[string]any{"headers": map[string]any{"set": map[string]any{"X-Rewritten": "yes"}}}, "/a%20b", "/a%20b", "a=1&a=2&b=x+y"},
		{"the client's path with a percent sign", "ext-plugin-post-req", map[string]any{"headers": map[string]any{"set": map[string]any{"X-Rewritten": "yes"}}}, "/a%2541", "/a%2541", "a=1&a=2&b=x+y"},
		{"before proxy-rewrite", "ext-plugin-pre-req", map[string]any{"uri": "/new/place"}, "", "/new/place", "a=1&a=2&b=x+y"},
	} {
		run(t, tt.name, func(t *testing.T) {
			r := newRouteOf(t, routeSpec{value: p.text(), phase: tt.phase, other: map[string]any{"proxy-rewrite": tt.rewrite}})
			want := tt.want
			if _, moved := tt.rewrite["uri"]; !moved {
				want = r.prefix + tt.want
			}
			e := r.passes(t, request{path: tt.path, query: "a=1&access_token=" + token + "&b=x%20y&a=2"})
			e.has(t, "X-User-Id", subject)
			if e.holds(token) {
				t.Error("the token reached the upstream")
			}
			if args, err := url.ParseQuery(e.Query); err != nil || args.Encode() != tt.args {
				t.Errorf("the upstream got the query %q (%v), want %q in any order", e.Query, err, tt.args)
			}
			if e.Path != want {
				t.Errorf("the upstream got the path %q, want %q", e.Path, want)
			}
		})
	}
}
