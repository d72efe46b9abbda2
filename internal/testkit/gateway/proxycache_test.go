package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// cached is a route's cache by these parts of a key.
func cached(parts string) string {
	return `"proxy-cache":{"cache_strategy":"memory","cache_zone":"memory_cache","cache_method":["GET"],"cache_key":[` + parts + `]}`
}

// asUser is a runner that takes the user from the header X-Token, and refuses
// who has none.
func asUser(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool) {
	for _, h := range r.Headers {
		if h.Name == "x-token" {
			return rewrite(a6.Entry{Name: "X-User-Id", Value: h.Value, HasValue: true})(r, ask)
		}
	}
	return a6.Answer{Stop: &a6.Stop{Status: 401, Body: []byte("no")}}, true
}

const (
	preBlock  = `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]},`
	postBlock = `"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]},`
	userFirst = `"$http_x_user_id","\u0001\u0001","$host","$request_uri"`
)

// page is an upstream's whose answer names the user.
func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Page", "yes")
	for name, values := range r.URL.Query() {
		w.Header().Set(name, values[0])
	}
	_, _ = io.WriteString(w, "page of "+r.Header.Get("X-User-Id"))
}

func TestTheCacheIsFoundByItsKey(t *testing.T) {
	type step struct{ target, user, status, body string }
	alice := "page of alice"
	for _, tt := range []struct {
		name, plugins string
		steps         []step
	}{
		{"a page is kept for its user", preBlock + cached(userFirst), []step{
			{"/a", "alice", "MISS", alice}, {"/a", "alice", "HIT", alice}, {"/b", "alice", "MISS", alice}, {"/a", "bob", "MISS", "page of bob"}, {"/a", "", "", "no"},
		}},
		{"users whose names run together, without a mark between", preBlock + cached(`"$http_x_user_id","$uri"`), []step{
			{"/x/a", "alice", "MISS", alice}, {"/x/a", "alic", "MISS", "page of alic"}, {"/x/a", "alice", "HIT", alice},
		}},
		{"the path is part of who it is, without a mark between", preBlock + cached(`"$uri","$http_x_user_id"`), []step{
			{"/a1", "alice", "MISS", alice}, {"/a", "1alice", "HIT", alice},
		}},
		{"behind the cache a token is not judged", postBlock + cached(`"$uri"`), []step{
			{"/a", "alice", "MISS", alice}, {"/a", "", "HIT", alice},
		}},
		{"what is private is not kept", preBlock + cached(userFirst), []step{
			{"/?Cache-Control=private", "alice", "MISS", alice},
			{"/?Cache-Control=private", "alice", "MISS", alice},
			{"/?Set-Cookie=a", "alice", "MISS", alice},
			{"/?Set-Cookie=a", "alice", "MISS", alice},
			{"/?Vary=Accept", "alice", "MISS", alice},
			{"/?Vary=Accept", "alice", "MISS", alice},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 2)
			b.runner.answer = asUser
			b.serveAt(t, "", tt.plugins, page)
			for i, s := range tt.steps {
				headers := []string{"X-User-Id: mallory"}
				if s.user != "" {
					headers = append(headers, "X-Token: "+s.user)
				}
				resp, body := send(t, b.Gateway, "GET "+s.target, headers...)
				if got := resp.Header.Get("Apisix-Cache-Status"); got != s.status || body != s.body {
					t.Errorf("step %d: %s %q, want %s %q", i+1, got, body, s.status, s.body)
				}
				if s.status == "HIT" && (resp.Header.Get("X-Page") != "yes" || resp.Header.Get("Age") == "" || resp.ContentLength != int64(len(body))) {
					t.Errorf("step %d: %v", i+1, resp.Header)
				}
			}
		})
	}
}

func TestRoutesShareTheCache(t *testing.T) {
	for key, want := range map[string]string{`"$uri"`: "HIT", `"$host","$uri"`: "MISS"} {
		b := newBed(t, 1)
		for id, host := range map[string]string{"1": "a.example", "2": "b.example"} {
			body := fmt.Sprintf(`{"uri":"/*","host":%q,"plugins":{%s},"upstream":{"type":"roundrobin","nodes":{%q:1}}}`, host, cached(key), b.node)
			if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/"+id, "k", body); status/100 != 2 {
				t.Fatalf("PUT: %d %s", status, text)
			}
		}
		send(t, b.Gateway, "GET http://a.example/x")
		resp, _ := send(t, b.Gateway, "GET http://b.example/x")
		if got := resp.Header.Get("Apisix-Cache-Status"); got != want {
			t.Errorf("by %s: %s, want %s", key, got, want)
		}
	}
}

func TestOtherMethodsAndStatusesAreNotKept(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = asUser
	b.serveAt(t, "", preBlock+cached(userFirst), func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/bad") {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, r.Method)
	})
	for _, line := range []string{"POST /a", "HEAD /a", "GET /bad", "GET /bad", "GET /a"} {
		resp, _ := send(t, b.Gateway, line, "X-Token: alice")
		if got := resp.Header.Get("Apisix-Cache-Status"); got != "MISS" {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestProxyCacheSaysWhatTheDoubleHasNot(t *testing.T) {
	b := newBed(t, 1)
	for _, conf := range []string{
		`{}`, `{"cache_strategy":"memory"}`, `{"cache_strategy":"memory","cache_zone":"other"}`,
		`{"cache_strategy":"memory","cache_zone":"memory_cache","cache_key":["$request_method"]}`,
		`{"cache_strategy":"memory","cache_zone":"memory_cache","cache_key":["|"]}`,
		`{"cache_strategy":"memory","cache_zone":"memory_cache","cache_key":[]}`,
		`{"cache_strategy":"memory","cache_zone":"memory_cache","cache_method":["PUT"]}`,
		`{"cache_strategy":"memory","cache_zone":"memory_cache","cache_control":true}`,
	} {
		if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/7", "k", `{"uri":"/x","plugins":{"proxy-cache":`+conf+`}}`); status != 400 {
			t.Errorf("%s: %d %s", conf, status, text)
		}
	}
}

func TestHTTPLoggerLogsEveryRequestOfTheRouteWithTheHeadersAsTheyAreAtLast(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = asUser
	lines := make(chan string, 10)
	b.serveAt(t, "", "", func(_ http.ResponseWriter, r *http.Request) {
		line, _ := io.ReadAll(r.Body)
		lines <- string(line)
	})
	var node string
	_, listed := admin(t, b.Gateway, "GET", "/apisix/admin/routes/1", "k", "")
	_, after, _ := strings.Cut(listed, `"nodes":{"`)
	node, _, _ = strings.Cut(after, `"`)
	logger := fmt.Sprintf(`"http-logger":{"uri":"http://%s/log","batch_max_size":1,"log_format":{"user":"$http_x_user_id","status":"$status","to":"$upstream_addr","what":"x"}}`, node)
	b.put(t, "1", preBlock+logger)
	for _, tt := range []struct{ token, want string }{
		{"alice", fmt.Sprintf(`{"route_id":"1","status":"200","to":%q,"user":"alice","what":"x"}`, b.node)},
		{"", `{"route_id":"1","status":"401","user":"mallory","what":"x"}`},
	} {
		headers := []string{"X-User-Id: mallory"}
		if tt.token != "" {
			headers = append(headers, "X-Token: "+tt.token)
		}
		send(t, b.Gateway, "GET /", headers...)
		if got := <-lines; got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	for _, conf := range []string{`{}`, `{"uri":"http://a/"}`, `{"uri":"http://a/","log_format":{}}`, `{"uri":"https://a/","batch_max_size":1,"log_format":{}}`} {
		if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/7", "k", `{"uri":"/x","plugins":{"http-logger":`+conf+`}}`); status != 400 {
			t.Errorf("%s: %d %s", conf, status, text)
		}
	}
}
