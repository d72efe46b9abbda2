package gateway_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

func TestRequestURIIsAPISIXsOwnAndTheClientsIsRealRequestURI(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"/a//x", "/a/x"},
		{"/a/b/../x", "/a/x"},
		{"/a%20b", "/a b"},
		{"/a%2fb?x=%20&y", "/a/b?x=%20&y"},
		{"/%C3%A9", "/é"},
		{"/a%2Fb?", "/a/b"},
		{"/plain?a=1", "/plain?a=1"},
	} {
		b := newBed(t, 1)
		asked := b.asks("request_uri", "real_request_uri", "upstream_uri")
		send(t, b.Gateway, "GET "+tt.target)
		if want := []string{tt.want, tt.target, ""}; !slices.Equal(*asked, want) {
			t.Errorf("%s: variables %q, want %q", tt.target, *asked, want)
		}
	}
}

func TestRequestURIStaysWhereAPluginChangesTheRequest(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", `"proxy-rewrite":{"uri":"/new"},"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]}`)
	asked := b.asks("request_uri", "real_request_uri", "upstream_uri", "uri", "args")
	send(t, b.Gateway, "GET /a%20b?x=1")
	if want := []string{"/a b?x=1", "/a%20b?x=1", "/new?x=1", "/a b", "x=1"}; !slices.Equal(*asked, want) {
		t.Errorf("variables %q, want %q", *asked, want)
	}
}

const (
	inPre  = `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]}`
	inPost = `"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]}`
)

func TestRewrittenArgumentsAndPaths(t *testing.T) {
	gone := []a6.Entry{{Name: "token"}}
	for _, tt := range []struct {
		name, plugins, target string
		rewrite               a6.Rewrite
		want                  string // the upstream's target
	}{
		{"arguments alone", inPre, "/a%2fb?token=t&x=%31", a6.Rewrite{Args: gone}, "/a/b?x=1"},
		{"arguments alone, of a path with a space", inPre, "/a%20b?token=t", a6.Rewrite{Args: gone}, "/a%20b"},
		{"a path alone", inPre, "/a?x=%31", a6.Rewrite{Path: "/b c%20"}, "/b%20c%2520?x=%31"},
		{"path and arguments", inPre, "/a?token=t&x=%31", a6.Rewrite{Path: "/b", Args: gone}, "/b?x=1"},
		{"arguments behind proxy-rewrite do nothing", `"proxy-rewrite":{"uri":"/new"},` + inPost, "/a?token=t&x=1", a6.Rewrite{Args: gone}, "/new?token=t&x=1"},
		{
			"nor behind a proxy-rewrite that only sets a header", `"proxy-rewrite":{"headers":{"X-A":"1"}},` + inPost,
			"/a%2fb//c?token=t",
			a6.Rewrite{Args: gone},
			"/a/b/c?token=t",
		},
		{"with a path they do", `"proxy-rewrite":{"uri":"/new"},` + inPost, "/a?token=t&x=1", a6.Rewrite{Path: "/new", Args: gone}, "/new?x=1"},
		{"a path that is sent back as shown is escaped twice", `"proxy-rewrite":{"uri":"/n w"},` + inPost, "/a", a6.Rewrite{Path: "/n%20w"}, "/n%2520w"},
		{"arguments in front of proxy-rewrite do", `"proxy-rewrite":{"uri":"/new"},` + inPre, "/a?token=t&x=1", a6.Rewrite{Args: gone}, "/new?x=1"},
		{"proxy-rewrite forgets a path", `"proxy-rewrite":{"host":"h"},` + inPre, "/a", a6.Rewrite{Path: "/b"}, "/a"},
		{"proxy-rewrite's own arguments come first", `"proxy-rewrite":{"uri":"/new?y=2"}`, "/a?x=1", a6.Rewrite{}, "/new?y=2&x=1"},
		{
			"an argument's characters", inPre, "/a",
			a6.Rewrite{Args: []a6.Entry{{Name: "a b", Value: "!'()*-._~ +/&é", HasValue: true}}},
			"/a?a%20b=!'()*-._~%20%2B%2F%26%C3%A9",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			b.put(t, "1", tt.plugins)
			b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
				return a6.Answer{Rewrite: &tt.rewrite}, true
			}
			_, body := send(t, b.Gateway, "GET "+tt.target)
			if !strings.HasPrefix(body, "GET "+tt.want+" host=") {
				t.Errorf("upstream got %s", body)
			}
		})
	}
}

func TestWhatAPluginBehindProxyRewriteIsShown(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", `"proxy-rewrite":{"uri":"/n w?y=2","host":"other.example"},`+inPost)
	asked := b.asks("upstream_uri", "upstream_host")
	send(t, b.Gateway, "GET /a?x=1")
	seen := b.runner.seen[0]
	args := url.Values{}
	for _, arg := range seen.Args {
		args.Add(arg.Name, arg.Value)
	}
	if seen.Path != "/n%20w" || args.Encode() != "x=1&y=2" {
		t.Errorf("shown %q with %q", seen.Path, args.Encode())
	}
	if want := []string{"/n%20w?y=2&x=1", "other.example"}; !slices.Equal(*asked, want) {
		t.Errorf("variables %q, want %q", *asked, want)
	}
	if !slices.Contains(seen.Headers, a6.Entry{Name: "host", Value: "other.example", HasValue: true}) {
		t.Errorf("shown headers %+v", seen.Headers)
	}
}

func TestArgumentsAreShownWithoutLimit(t *testing.T) {
	b := newBed(t, 1)
	asked := b.asks("arg_last", "arg_bare")
	send(t, b.Gateway, "GET /?bare&"+strings.Repeat("a=1&", 300)+"last=2")
	if got := len(b.runner.seen[0].Args); got != 302 {
		t.Errorf("%d arguments were shown", got)
	}
	if want := []string{"2", "true"}; !slices.Equal(*asked, want) {
		t.Errorf("variables %q, want %q", *asked, want)
	}
}

func TestAHiddenHeaderStaysHiddenFromLaterPlugins(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", inPre+","+inPost)
	b.runner.answer = rewrite(a6.Entry{Name: "X-F1"}, a6.Entry{Name: "X-F2", HasValue: true}, a6.Entry{Name: "X-New", Value: "n", HasValue: true})
	var many []string
	for i := range 120 {
		many = append(many, fmt.Sprintf("X-F%d: v", i))
	}
	_, body := send(t, b.Gateway, "GET /", many...)
	shown := map[string]string{}
	for _, entry := range b.runner.seen[1].Headers {
		shown[entry.Name] = entry.Value
	}
	_, deleted := shown["x-f1"]
	emptied, there := shown["x-f2"]
	_, hidden := shown["x-f119"]
	if len(shown) != 100 || deleted || !there || emptied != "" || hidden || shown["x-new"] != "n" {
		t.Errorf("%d shown: %v", len(shown), shown)
	}
	if strings.Contains(body, "X-F2:") || !strings.Contains(body, "X-F119: v") || !strings.Contains(body, "X-New: n") {
		t.Errorf("upstream got %s", body)
	}
}

func TestALineBreakInAHeadersValueIsEscaped(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = rewrite(a6.Entry{Name: "X-A", Value: "a\r\nX-B: b", HasValue: true})
	if _, body := send(t, b.Gateway, "GET /"); !strings.Contains(body, "X-A: a%0D%0AX-B: b") {
		t.Errorf("upstream got %s", body)
	}
}

func TestProxyRewriteSaysWhatTheDoubleHasNot(t *testing.T) {
	b := newBed(t, 1)
	for _, conf := range []string{
		`{"regex_uri":["a","b"]}`, `{"method":"GET"}`, `{"headers":{"add":{"a":"b"}}}`, `{"uri":"/$arg_x"}`,
		`{"headers":{"X-A":"$uri"}}`, `{"use_real_request_uri_unsafe":true}`, `{"uri":"a"}`,
	} {
		if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/7", "k", `{"uri":"/x","plugins":{"proxy-rewrite":`+conf+`}}`); status != 400 {
			t.Errorf("%s: %d %s", conf, status, text)
		}
	}
}
