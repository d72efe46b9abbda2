package runner_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// lines writes edits as text: "-name" deletes, "name=value" sets.
func lines(edits []a6.Entry) string {
	var all []string
	for _, e := range edits {
		if e.HasValue {
			all = append(all, e.Name+"="+e.Value)
		} else {
			all = append(all, "-"+e.Name)
		}
	}
	return strings.Join(all, " ")
}

func TestHeaderEditsAreAnExactDiff(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		sent := []a6.Entry{
			entry("x-one", "1"), entry("x-two", "a"), entry("x-two", "b"),
			entry("cookie", "a=1"), entry("X_One", "u"), entry("x-empty", ""),
		}
		for _, tt := range []struct {
			name string
			do   func(pkgHTTP.Header)
			want string
		}{
			{"nothing", func(pkgHTTP.Header) {}, ""},
			{"reading", func(h pkgHTTP.Header) { h.Get("x-one"); h.View() }, ""},
			{"set a new one", func(h pkgHTTP.Header) { h.Set("X-New", "n") }, "X-New=n"},
			{"set the same value", func(h pkgHTTP.Header) { h.Set("X-One", "1") }, ""},
			{"set another value", func(h pkgHTTP.Header) { h.Set("X-One", "2") }, "X-One=2"},
			{"set the first of two values", func(h pkgHTTP.Header) { h.Set("x-two", "a") }, "x-two=a"},
			{"the same through the map", func(h pkgHTTP.Header) { h.View().Set("x-two", "a") }, "X-Two=a"},
			{"delete", func(h pkgHTTP.Header) { h.Del("X-TWO") }, "-X-TWO"},
			{"delete through the map", func(h pkgHTTP.Header) { delete(h.View(), "X-Two") }, "-X-Two"},
			{"delete what is not there", func(h pkgHTTP.Header) { h.Del("x-none") }, ""},
			{"an underscore is another name", func(h pkgHTTP.Header) { h.Del("x_one") }, "-x_one"},
			{"deletions come first", func(h pkgHTTP.Header) { h.Set("X-A", "1"); h.Del("x-one"); h.Set("X-B", "2") }, "-x-one X-A=1 X-B=2"},
			{"the last word counts", func(h pkgHTTP.Header) { h.Set("x-one", "2"); h.Del("X-One"); h.Set("X-oNe", "3") }, "X-oNe=3"},
			{"set, then the map", func(h pkgHTTP.Header) { h.Set("X-New", "n"); h.Del("x-one"); h.View().Set("X-Two", "c") }, "-X-One X-New=n X-Two=c"},
			{"the map, then set", func(h pkgHTTP.Header) { h.View(); h.Set("x-new", "n"); h.Del("x-one") }, "-X-One X-New=n"},
			{"a lower-case key in the map", func(h pkgHTTP.Header) { delete(h.View(), "X-One"); h.View()["x-one"] = []string{"1"} }, "-X-One x-one=1"},
			{"set what the map has in lower case", func(h pkgHTTP.Header) { h.View()["x-one"] = []string{"2"}; h.Set("X-One", "1") }, ""},
			{"delete what the map has in lower case", func(h pkgHTTP.Header) { h.View()["x-new"] = []string{"2"}; h.Del("X-New") }, ""},
			{"the Kelvin sign is no k", func(h pkgHTTP.Header) { h.Del("coo\u212aie"); h.Set("cookie", "b=2") }, "cookie=b=2"},
			{"a second value", func(h pkgHTTP.Header) { h.View().Add("X-One", "2") }, "X-One=1, 2"},
			{"a second cookie", func(h pkgHTTP.Header) { h.View().Add("Cookie", "b=2") }, "Cookie=a=1; b=2"},
			{"no values are a deletion", func(h pkgHTTP.Header) { h.View()["X-One"] = nil }, "-X-One"},
			{"an empty value", func(h pkgHTTP.Header) { h.Set("x-one", "") }, "x-one="},
			{"Get after Set and Del", func(h pkgHTTP.Header) {
				h.Set("a", "1")
				h.Del("x-one")
				h.Set("got", h.Get("A")+h.Get("x-one")+h.Get("X-TWO")+h.Get("none"))
			}, "-x-one a=1 got=1a"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) { tt.do(x.r.Header()) }}))
				a := dial(t, path).route("p", "", get(sent...))
				got := ""
				if a.Rewrite != nil {
					got = lines(a.Rewrite.Headers)
				}
				if got != tt.want {
					t.Errorf("edits %q, want %q", got, tt.want)
				}
			})
		}
	})
}

func TestEverythingElseThatAPluginChanges(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		r := get()
		r.Path = "/old"
		r.Args = []a6.Entry{entry("a", "1"), entry("b", "1"), entry("b", "2"), {Name: "bare"}, entry("gone", "x")}
		path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) {
			if string(x.r.Path()) != "/old" || x.r.Method() != "GET" || x.r.SrcIP().String() != "127.0.0.1" || x.r.ID() != 7 {
				panic("another request")
			}
			want := url.Values{"a": {"1"}, "b": {"1", "2"}, "bare": {""}, "gone": {"x"}}
			if diff := cmp.Diff(want, x.r.Args()); diff != "" {
				panic(diff)
			}
			x.r.SetPath([]byte("/new"))
			if string(x.r.Path()) != "/new" {
				panic("the path is not set")
			}
			x.r.Args().Del("gone")
			x.r.Args().Add("b", "3")
			x.r.Args().Set("n", "4")
			x.r.RespHeader().Add("X-R", "1")
			x.r.RespHeader().Add("X-R", "2")
		}}))
		a := dial(t, path).route("p", "", r)
		if a.Rewrite == nil {
			t.Fatalf("answer %+v", a)
		}
		got := a.Rewrite.Path + " | " + lines(a.Rewrite.Args) + " | " + lines(a.Rewrite.RespHeaders) + " | " + lines(a.Rewrite.Headers)
		if want := "/new | -gone b=1 b=2 b=3 n=4 | X-R=1 X-R=2 | "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestStopSendsEveryHeaderAndTheFirstStatus(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) {
			x.w.Header().Add("X-R", "1")
			x.w.Header().Add("X-R", "2")
			x.w.WriteHeader(http.StatusForbidden)
			x.w.WriteHeader(http.StatusOK)
			_, _ = x.w.Write([]byte("a"))
			_, _ = x.w.Write([]byte("b"))
			x.r.Header().Set("X-Lost", "1")
		}}))
		a := dial(t, path).route("p", "", get())
		if a.Stop == nil || a.Stop.Status != 403 || lines(a.Stop.Headers) != "X-R=1 X-R=2" || string(a.Stop.Body) != "ab" {
			t.Errorf("answer %+v", a.Stop)
		}
	})
}

func TestStringsOutliveTheRequest(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		var kept []string
		path, _ := d.start(t, only(&filter{name: "p", run: func(x exchange) {
			kept = append(kept, x.r.Header().Get("x-one"))
		}}))
		c := dial(t, path)
		for _, v := range []string{"first", "other", "third"} {
			c.route("p", "", get(entry("x-one", v)))
		}
		if diff := cmp.Diff([]string{"first", "other", "third"}, kept); diff != "" {
			t.Error(diff)
		}
	})
}
