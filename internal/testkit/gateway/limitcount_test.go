package gateway_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const byUser = `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]},
	"limit-count":{"count":2,"time_window":600,"key":"http_x_user_id","rejected_code":429`

func TestLimitCountCountsByTheHeaderThatThePluginSet(t *testing.T) {
	b := newBed(t, 2)
	b.runner.answer = rewrite(a6.Entry{Name: "X-User-Id", Value: "alice", HasValue: true})
	b.put(t, "1", byUser+`,"rejected_msg":"enough"}`)
	for i, want := range []struct {
		status    int
		remaining string
	}{{200, "1"}, {200, "0"}, {429, "0"}} {
		resp, body := send(t, b.Gateway, "GET /", "X-User-Id: bob"+string(rune('0'+i)))
		h := resp.Header
		if resp.StatusCode != want.status || h.Get("X-RateLimit-Remaining") != want.remaining || h.Get("X-RateLimit-Limit") != "2" || h.Get("X-RateLimit-Reset") == "" {
			t.Errorf("request %d: %d %v", i+1, resp.StatusCode, h)
		}
		if resp.StatusCode == 429 && body != `{"error_msg":"enough"}`+"\n" {
			t.Errorf("got %q", body)
		}
	}
}

func TestLimitCountWithoutAHeaderCountsByAddress(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", byUser+`}`)
	for _, want := range []int{200, 200, 429} {
		if resp, _ := send(t, b.Gateway, "GET /"); resp.StatusCode != want {
			t.Errorf("%d, want %d", resp.StatusCode, want)
		}
	}
	if resp, _ := send(t, b.Gateway, "GET /", "X-User-Id: bob"); resp.StatusCode != 200 {
		t.Errorf("bob: %d", resp.StatusCode)
	}
}

func TestARouteThatIsPutAgainKeepsItsCountAndAnotherLimitStartsAnew(t *testing.T) {
	b := newBed(t, 1)
	for _, step := range []struct {
		plugins string
		want    int
	}{{byUser + `}`, 200}, {byUser + `}`, 200}, {byUser + `}`, 429}, {byUser + `,"rejected_msg":"x"}`, 200}} {
		b.put(t, "1", step.plugins)
		if resp, _ := send(t, b.Gateway, "GET /"); resp.StatusCode != step.want {
			t.Errorf("%s: %d, want %d", step.plugins, resp.StatusCode, step.want)
		}
	}
}

// ctx.var forgets http_x-user-id where X-User-Id is set, and no http_x_user_id.
func TestAVariableThatARouteReadKeepsItsValueWhenTheHeaderIsSet(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = rewrite(a6.Entry{Name: "X-User-Id", Value: "alice", HasValue: true})
	b.put(t, "1", byUser+`}`)
	for _, want := range []int{200, 200, 429} {
		if resp, _ := send(t, b.Gateway, "GET /", "X-User-Id: a"); resp.StatusCode != want {
			t.Errorf("%d, want %d", resp.StatusCode, want)
		}
	}
	other := `{"uri":"/*","vars":[["http_x_user_id","==","nobody"]],"upstream":{"type":"roundrobin","nodes":{"127.0.0.1:1":1}}}`
	if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/2", "k", other); status/100 != 2 {
		t.Fatalf("PUT: %d %s", status, text)
	}
	for _, user := range []string{"b", "c", "d", "e"} {
		if resp, _ := send(t, b.Gateway, "GET /", "X-User-Id: "+user); resp.StatusCode != 200 {
			t.Errorf("%s: %d: counted by the value that was set", user, resp.StatusCode)
		}
	}
	if status, _ := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/2", "k", `{"uri":"/x","vars":[["uri","~~","x"]]}`); status != 400 {
		t.Errorf("vars by a pattern: %d", status)
	}
}

func TestLimitCountSaysWhatTheDoubleHasNot(t *testing.T) {
	b := newBed(t, 1)
	for _, conf := range []string{
		`{}`, `{"count":0,"time_window":1}`, `{"count":1}`, `{"count":1,"time_window":1,"policy":"redis"}`,
		`{"count":1,"time_window":1,"key_type":"var_combination"}`, `{"count":1,"time_window":1,"window_type":"sliding"}`,
		`{"count":1,"time_window":1,"rejected_code":100}`, `{"count":1,"time_window":1,"group":"a"}`, `{"rules":[]}`,
	} {
		if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/7", "k", `{"uri":"/x","plugins":{"limit-count":`+conf+`}}`); status != 400 {
			t.Errorf("%s: %d %s", conf, status, text)
		}
	}
}

func TestCORSRefusesWhatAPISIXRefuses(t *testing.T) {
	b := newBed(t, 1)
	for _, conf := range []string{
		`{"allow_origins":"app.example"}`, `{"allow_credential":true}`, `{"allow_origins_by_regex":["x"]}`,
		`{"allow_origins":"https://a.example","allow_methods":"GET","allow_headers":"*","allow_credential":true}`,
	} {
		if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/7", "k", `{"uri":"/x","plugins":{"cors":`+conf+`}}`); status != 400 {
			t.Errorf("%s: %d %s", conf, status, text)
		}
	}
}
