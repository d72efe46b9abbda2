package auth0jwt_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	fromQuery   = `,"forward_token":false,"token_from":[{"query":"access_token"}]`
	upstreamURI = "upstream_uri"
)

// pair is a query argument, decoded.
type pair struct{ name, value string }

// parseArgs reads a query as ngx.req.get_uri_args does.
func parseArgs(query string) (args []pair) {
	for arg := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(arg, "=")
		if name = decode(name, true); name != "" {
			args = append(args, pair{name, decode(value, true)})
		}
	}
	return args
}

// decode decodes %XX and leaves what is none, as ngx_unescape_uri does.
func decode(s string, plus bool) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		var c byte
		if _, err := fmt.Sscanf(s[i:min(i+3, len(s))], "%%%02x", &c); err == nil && i+3 <= len(s) && s[i+1] != '+' && s[i+1] != '-' {
			out = append(out, c)
			i += 2
		} else if plus && s[i] == '+' {
			out = append(out, ' ')
		} else {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// encode is ngx_escape_uri with what it leaves beside letters and digits.
func encode(s, left string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(left, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func encodePath(path string) string { return encode(path, "!$&'()*+,-./:;=@[]_~") }

// rewritten is what APISIX makes of upstream_uri: nothing without a path; with
// one, that path encoded, and the arguments that are left.
func rewritten(uri, path string, sent bool, left []pair) string {
	if !sent {
		return uri
	}
	var all []string
	for _, p := range left {
		all = append(all, encode(p.name, "-._~!'()*")+"="+encode(p.value, "-._~!'()*"))
	}
	if uri = encodePath(path); len(all) > 0 {
		uri += "?" + strings.Join(all, "&")
	}
	return uri
}

func TestAQueryTokenDoesNotReachTheUpstreamByAURIThatAPISIXWrote(t *testing.T) {
	good := token(t, key())
	tests := []struct {
		name   string
		uri    string // {} is the token
		want   string // at the upstream; "" refused
		status uint16
	}{
		{"a plain path", "/new?access_token={}", "/new", 0},
		{"other arguments", "/new?a=1&access_token={}&b=2", "/new?a=1&b=2", 0},
		{"the name encoded", "/new?a=1&access%5Ftoken={}", "/new?a=1", 0},
		{"the name encoded in lower case", "/new?access%5ftoken={}&a=%2c+x", "/new?a=%2C%20x", 0},
		{"a path with spaces and UTF-8", "/a%20b/%C3%A9?access_token={}", "/a%20b/%C3%A9", 0},
		{"a percent sign", "/100%25?access_token={}", "/100%25", 0},
		{"braces as nginx writes them", "/%7Bid%7D?access_token={}", "/%7Bid%7D", 0},
		{"a second question mark", "/new?a=?access_token&access_token={}", "/new?a=%3Faccess_token", 0},
		{"no arguments in it", "/new", "/new", 0},
		{"an encoded slash would be decoded", "/a%2Fb?access_token={}", "", 500},
		{"a lower-case code would change", "/%c3%a9?access_token={}", "", 500},
		{"a raw brace would be encoded", "/{id}?access_token={}", "", 500},
		{"a raw byte would be encoded", "/\xc3\xa9?access_token={}", "", 500},
		{"a stray percent sign would be encoded", "/100%?access_token={}", "", 500},
		{"half a code", "/100%2?access_token={}", "", 500},
		{"a letter that is encoded for nothing", "/%61?access_token={}", "", 500},
		{"no path", "?access_token={}", "", 500},
		{"the token twice", "/new?access_token={}&access%5Ftoken={}", "", 400},
	}
	inBothRunners(t, func(t *testing.T, g *gateway) {
		conf := g.route(t, guard(fromQuery))
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				uri := strings.ReplaceAll(tt.uri, "{}", good)
				g.vars, g.asked = map[string]string{upstreamURI: uri}, nil
				path, query, has := strings.Cut(uri, "?")
				if !has {
					query = "access_token=" + good // the client's own, that goes nowhere
				}
				r := a6.Request{ConfToken: conf, Path: path}
				for _, p := range parseArgs(query) {
					r.Args = append(r.Args, field(p.name, p.value))
				}
				a := g.call(t, r)
				if tt.status != 0 {
					if a.Stop == nil || a.Stop.Status != tt.status {
						t.Fatalf("not refused: %+v", a)
					}
					return
				}
				if a.Rewrite == nil {
					t.Fatalf("no rewrite: %+v", a)
				}
				gone := map[string]bool{}
				for _, e := range a.Rewrite.Args {
					gone[e.Name] = !e.HasValue
				}
				if !gone["access_token"] || len(a.Rewrite.Args) != 1 {
					t.Errorf("arguments edited: %v", a.Rewrite.Args)
				}
				left := slices.DeleteFunc(parseArgs(query), func(p pair) bool { return gone[p.name] })
				if got := rewritten(uri, a.Rewrite.Path, a.Rewrite.Path != "", left); got != tt.want {
					t.Errorf("the upstream gets %q, want %q", got, tt.want)
				}
				if diff := cmp.Diff([]string{upstreamURI}, g.asked); diff != "" {
					t.Errorf("questions (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// A plugin of the runner that set a path has its path sent.
func TestAPathThatAnEarlierPluginSetStays(t *testing.T) {
	good := token(t, key())
	inBothRunners(t, func(t *testing.T, g *gateway) {
		g.vars = map[string]string{upstreamURI: "/written?access_token=" + good}
		for before, want := range map[string]string{"path /set": "/set", "path /a%2fb": "/a%2fb", "path ": "refused"} {
			a := g.call(t, a6.Request{
				ConfToken: g.route(t, scripted(before), guard(fromQuery)), Path: "/written",
				Args: []a6.Entry{field("access_token", good)},
			})
			got := "refused"
			if a.Rewrite != nil {
				got = a.Rewrite.Path
			}
			if got != want {
				t.Errorf("%q: path %q, want %q", before, got, want)
			}
		}
	})
}

func TestNothingIsAskedUnlessAQueryTokenIsWithheld(t *testing.T) {
	good := token(t, key())
	p := newPlugin()
	for _, tt := range []struct {
		name, conf string
		req        *request
		asked      []string
	}{
		{"a header", `,"forward_token":false`, newRequest("authorization", "Bearer "+good), nil},
		{"a query token that is forwarded", `,"token_from":[{"query":"access_token"}]`, newRequest(), nil},
		{"a query token that is not", fromQuery, newRequest(), []string{upstreamURI}},
	} {
		tt.req.args = map[string][]string{"access_token": {good}}
		w := httptest.NewRecorder()
		p.RequestFilter(parse(t, p, conf(tt.conf)), w, tt.req)
		if diff := cmp.Diff(tt.asked, tt.req.asked); diff != "" || w.Body.Len() > 0 {
			t.Errorf("%s: questions (-want +got):\n%s%s", tt.name, diff, w.Body)
		}
	}
}

func TestARequestIsRefusedWhereAPISIXDoesNotSayItsUpstreamURI(t *testing.T) {
	p := newPlugin()
	r := newRequest("x-user-id", "admin")
	r.args, r.vars = map[string][]string{"access_token": {token(t, key())}}, nil
	w := httptest.NewRecorder()
	p.RequestFilter(parse(t, p, conf(fromQuery)), w, r)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "server_error") || len(r.sent()) > 0 {
		t.Errorf("%d %s, edits %v", w.Code, w.Body, r.sent())
	}
	if n := p.Gate().Decisions(); n["forwarded"] != 0 || n["internal_error"] != 1 {
		t.Errorf("counted: %v", n)
	}
}

func FuzzAQueryTokenDoesNotReachTheUpstream(f *testing.F) {
	for _, seed := range [][2]string{
		{"/new", "a=1"},
		{"/a%20b", "a=1&a=2&b"},
		{"/a%2Fb", ""},
		{"/%", "%"},
		{"", "a"},
		{"/a\x00b", "=x"},
		{"/%E2%82%AC", "a=?&&;access_token=x"},
		{"/{x}", "+access_token=1"},
		{"/%00", "access_token"},
		{"/a#b", "a=#"},
	} {
		for n := range byte(4) {
			f.Add(seed[0], seed[1], n)
		}
	}
	good := token(f, key())
	p := newPlugin()
	c := parse(f, p, conf(fromQuery))
	f.Fuzz(func(t *testing.T, path, query string, n byte) {
		if strings.Contains(path, "?") {
			return
		}
		name := []string{"access_token", "access%5Ftoken", "%61ccess_token", "access_toke%6e"}[n%4]
		uri := path + "?" + name + "=" + good + "&" + query
		if n%8 > 3 {
			uri = path + "?" + query + "&" + name + "=" + good
		}
		_, all, _ := strings.Cut(uri, "?")
		r := newRequest()
		r.path, r.vars = []byte(path), map[string]string{upstreamURI: uri}
		r.args = map[string][]string{}
		for _, arg := range parseArgs(all) {
			r.args[arg.name] = append(r.args[arg.name], arg.value)
		}
		tokens := len(r.args["access_token"])
		w := httptest.NewRecorder()
		p.RequestFilter(c, w, r)
		if w.Body.Len() > 0 {
			if tokens == 1 && path != "" && encodePath(decode(path, false)) == path {
				t.Fatalf("%q can be said, and was refused: %s", uri, w.Body)
			}
			return
		}
		var left []pair
		for _, arg := range parseArgs(all) {
			if _, there := r.args[arg.name]; there {
				left = append(left, arg)
			}
		}
		got := rewritten(uri, string(r.path), r.rewrote, left)
		gotPath, gotQuery, _ := strings.Cut(got, "?")
		if gotPath != path {
			t.Errorf("the path %q became %q", path, gotPath)
		}
		for _, arg := range strings.FieldsFunc(gotQuery, func(c rune) bool { return strings.ContainsRune("&;?#", c) }) {
			if name, _, _ := strings.Cut(arg, "="); decode(name, true) == "access_token" {
				t.Errorf("%q became %q", uri, got)
			}
		}
		want := slices.DeleteFunc(parseArgs(all), func(p pair) bool { return p.name == "access_token" })
		if !slices.Equal(parseArgs(gotQuery), want) {
			t.Errorf("the arguments %q became %q", want, gotQuery)
		}
		if strings.Contains(gotQuery, good) && !strings.Contains(query, good) {
			t.Errorf("the token is in %q", got)
		}
	})
}
