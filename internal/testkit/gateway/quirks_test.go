package gateway_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

func rewrite(headers ...a6.Entry) func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
	return func(r a6.Request, _ func(a6.Question) []byte) (a6.Answer, bool) {
		return a6.Answer{ID: r.ID, Rewrite: &a6.Rewrite{Headers: headers}}, true
	}
}

func TestAPluginIsShown100EntriesAndTheRestReachesTheUpstream(t *testing.T) {
	b := newBed(t, 1)
	var many []string
	for i := range 120 {
		many = append(many, fmt.Sprintf("X-F%d: v", i))
	}
	resp, body := send(t, b.Gateway, "GET /", append(many, "X-User-Id: evil")...)
	if resp.StatusCode != 200 || !strings.Contains(body, "X-User-Id: evil") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if shown := b.runner.seen[0].Headers; len(shown) != 100 {
		t.Errorf("%d entries were shown", len(shown))
	}
}

func TestWhatIsShown(t *testing.T) {
	b := newBed(t, 1)
	var result sync.Map
	b.runner.answer = func(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool) {
		for _, name := range []string{"http_host", "http_x_a", "ssl_client_raw_cert", "upstream_host"} {
			result.Store(name, string(ask(a6.Question{Var: name})))
		}
		return a6.Answer{}, true
	}
	_, body := send(t, b.Gateway, "GET /a%20b//c/../d?x=1&y&x=%32", "X_A: 1", "X-A: 2", "X.A: 3", "Connection: X-A")
	seen := b.runner.seen[0]
	want := []a6.Entry{{Name: "x", Value: "1", HasValue: true}, {Name: "x", Value: "2", HasValue: true}, {Name: "y"}}
	args := slices.SortedStableFunc(slices.Values(seen.Args), func(a, b a6.Entry) int { return strings.Compare(a.Name, b.Name) })
	if seen.Path != "/a b/d" || !slices.Equal(args, want) || len(seen.SrcIP) != 4 {
		t.Errorf("shown %+v", seen)
	}
	if slices.ContainsFunc(seen.Headers, func(e a6.Entry) bool { return e.Name == "x.a" }) {
		t.Error("an invalid header name was shown")
	}
	for name, want := range map[string]string{
		"http_host": "api.example.com", "upstream_host": "api.example.com",
		"http_x_a": "1, 2", "ssl_client_raw_cert": "",
	} {
		if got, _ := result.Load(name); got != want {
			t.Errorf("$%s is %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(body, "GET /a%20b//c/../d?x=1&y&x=%32 host=api.example.com") || strings.Contains(body, "Connection") {
		t.Errorf("upstream got %s", body)
	}
}

func TestNginxRefuses(t *testing.T) {
	b := newBed(t, 1)
	for _, tt := range []struct {
		name, line string
		headers    []string
		want       int
	}{
		{"a second Authorization", "GET /", []string{"Authorization: a", "authorization: b"}, 400},
		{"a second Host", "GET /", []string{"Host: b"}, 400},
		{"a space before the colon", "GET /", []string{"X-User-Id : b"}, 400},
		{"a line over 8 KiB", "GET /", []string{"X-A: " + strings.Repeat("a", 8200)}, 400},
		{"a method without a code", "PURGE /", nil, 500},
		{"a path above the root", "GET /../x", nil, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := send(t, b.Gateway, tt.line, tt.headers...)
			if resp.StatusCode != tt.want || !strings.HasPrefix(body, "<html>") {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	line := "X-A: " + strings.Repeat("a", 7800)
	if resp, _ := send(t, b.Gateway, "GET /", line, line, line, line); resp.StatusCode != 200 {
		t.Errorf("four lines of 7.8 KiB: %d", resp.StatusCode)
	}
}

func TestRewriteHeaders(t *testing.T) {
	client := []string{"X-User-Id: alice", "X_User_Id: bob", "x-user-id: admin"}
	for _, tt := range []struct {
		name       string
		edit       a6.Entry
		there, not string
	}{
		{"a value replaces every repeat", a6.Entry{Name: "x-user-id", Value: "carol", HasValue: true}, "X-User-Id: carol", "admin"},
		{"an empty value removes", a6.Entry{Name: "X-User-Id", HasValue: true}, "X_User_Id: bob", "admin"},
		{"no value removes", a6.Entry{Name: "X-User-Id"}, "X_User_Id: bob", "alice"},
		{"underscore is another name", a6.Entry{Name: "X_User_Id"}, "alice", "bob"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			b.runner.answer = rewrite(tt.edit)
			_, body := send(t, b.Gateway, "GET /", client...)
			if !strings.Contains(strings.ToLower(body), strings.ToLower(tt.there)) || strings.Contains(body, tt.not) {
				t.Errorf("upstream got %s", body)
			}
		})
	}
}

func TestStopSendsRepeatedHeadersAndNginxPageForNoBody(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
		two := []a6.Entry{{Name: "WWW-Authenticate", Value: "A", HasValue: true}, {Name: "www-authenticate", Value: "B", HasValue: true}}
		return a6.Answer{Stop: &a6.Stop{Status: 401, Headers: two}}, true
	}
	resp, body := send(t, b.Gateway, "GET /")
	if got := resp.Header.Values("WWW-Authenticate"); !slices.Equal(got, []string{"A", "B"}) || !strings.HasPrefix(body, "<html>") {
		t.Errorf("%v %s", got, body)
	}
}

func TestThreeTriesThen503(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) { return a6.Answer{}, false }
	resp, _ := send(t, b.Gateway, "GET /")
	if prepared, calls := b.runner.counts(); resp.StatusCode != 503 || prepared != 3 || calls != 3 {
		t.Errorf("%d after %d PrepareConf, %d calls", resp.StatusCode, prepared, calls)
	}
}

func TestTokensAreSharedByWorkersAndRenewedWithTheRoute(t *testing.T) {
	b := newBed(t, 3)
	for range 6 {
		send(t, b.Gateway, "GET /")
	}
	if prepared, _ := b.runner.counts(); prepared != 1 {
		t.Errorf("%d PrepareConf for one configuration", prepared)
	}
	b.put(t, "1", `"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]}`)
	send(t, b.Gateway, "GET /")
	if prepared, _ := b.runner.counts(); prepared != 2 {
		t.Errorf("%d PrepareConf after the route changed", prepared)
	}
}

func TestASideCarsSuccessorGetsOldTokens(t *testing.T) {
	b := newBed(t, 1)
	send(t, b.Gateway, "GET /")
	b.runner.stop()
	if resp, body := send(t, b.Gateway, "GET /"); resp.StatusCode != 503 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("with the runner away: %d", resp.StatusCode)
	}
	next := startRunner(t, b.socket, 100)
	send(t, b.Gateway, "GET /")
	if prepared, _ := next.counts(); prepared != 0 || next.seen[0].ConfToken != 1 {
		t.Errorf("%d PrepareConf, token %d", prepared, next.seen[0].ConfToken)
	}
}

func TestAllowDegradationPassesWithTheRunnerAway(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", `"ext-plugin-pre-req":{"allow_degradation":true}`)
	b.runner.stop()
	if resp, _ := send(t, b.Gateway, "GET /"); resp.StatusCode != 200 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestCORSAnswersAPreflightOnlyWithMetaPriority(t *testing.T) {
	for _, tt := range []struct {
		name, meta string
		want       int
		origin     string
	}{
		{"pre-req comes first", "", 401, ""},
		{"cors comes first at 3999", `"_meta":{"priority":3999},`, 200, "*"},
		{"cors comes first at 0", `"_meta":{"priority":0},`, 200, "*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
				return a6.Answer{Stop: &a6.Stop{Status: 401}}, true
			}
			b.put(t, "1", `"cors":{},"ext-plugin-pre-req":{`+tt.meta+`"conf":[{"name":"p","value":"{}"}]}`)
			resp, _ := send(t, b.Gateway, "OPTIONS /", "Origin: https://a.example")
			if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != tt.want || got != tt.origin {
				t.Errorf("%d, allow origin %q", resp.StatusCode, got)
			}
			resp, _ = send(t, b.Gateway, "GET /", "Origin: https://a.example")
			if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 401 || got != tt.origin {
				t.Errorf("a refusal: %d, allow origin %q", resp.StatusCode, got)
			}
		})
	}
}

func TestACommandIsStartedAgain(t *testing.T) {
	g, err := gateway.Start(gateway.Options{
		Cmd: []string{os.Args[0], "fake-runner"}, SocketDir: t.TempDir(), RespawnDelay: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	admin(t, g, "PUT", "/apisix/admin/routes/1", "", `{"uri":"/","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"p","value":""}]}}}`)
	env := until200(t, g)
	if len(strings.Fields(env)) != 3 || !strings.Contains(env, "APISIX_CONF_EXPIRE_TIME=3600") {
		t.Errorf("environment %q", env)
	}
	pid := g.RunnerPID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for g.RunnerPID() == pid || g.RunnerPID() == 0 {
		send(t, g, "GET /")
	}
	until200(t, g)
	if _, text := admin(t, g, "GET", "/double/runner", "", ""); text != fmt.Sprintf("{\"pid\":%d}\n", g.RunnerPID()) {
		t.Errorf("/double/runner: %s", text)
	}
}

func until200(t *testing.T, g *gateway.Gateway) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if resp, body := send(t, g, "GET /"); resp.StatusCode == http.StatusOK {
			return body
		}
	}
	t.Fatal("the runner did not answer")
	return ""
}

func TestAdminAPI(t *testing.T) {
	b := newBed(t, 1)
	const at = "/apisix/admin/routes/9"
	for _, tt := range []struct {
		name, method, key, body string
		want                    int
	}{
		{"a wrong key", "GET", "x", "", 401},
		{"an unknown plugin", "PUT", "k", `{"uri":"/x","plugins":{"nope":{}}}`, 400},
		{"an empty conf", "PUT", "k", `{"uri":"/x","plugins":{"ext-plugin-pre-req":{"conf":[]}}}`, 400},
		{"a value that is no string", "PUT", "k", `{"uri":"/x","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"a","value":{}}]}}}`, 400},
		{"an entry without a value", "PUT", "k", `{"uri":"/x","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"a"}]}}}`, 400},
		{"a block of another shape", "PUT", "k", `{"uri":"/x","plugins":{"ext-plugin-pre-req":{"auth0-jwt":{}}}}`, 201},
		{"a block that is off, which the double would run", "PUT", "k", `{"uri":"/x","plugins":{"ext-plugin-pre-req":{"_meta":{"disable":true}}}}`, 400},
		{"a block that runs for some, likewise", "PUT", "k", `{"uri":"/x","plugins":{"limit-count":{"count":1,"time_window":1,"_meta":{"filter":[["arg_a","==","b"]]}}}}`, 400},
		{"a replacement", "PUT", "k", `{"uri":"/x"}`, 200},
		{"it is there", "GET", "k", "", 200},
		{"it goes", "DELETE", "k", "", 200},
		{"it is gone", "GET", "k", "", 404},
	} {
		if status, text := admin(t, b.Gateway, tt.method, at, tt.key, tt.body); status != tt.want {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
	}
	admin(t, b.Gateway, "DELETE", "/apisix/admin/routes/1", "k", "")
	if resp, body := send(t, b.Gateway, "GET /"); resp.StatusCode != 404 || body != "{\"error_msg\":\"404 Route Not Found\"}\n" {
		t.Errorf("no route: %d %s", resp.StatusCode, body)
	}
}
