package page_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
)

const goodAct = `{"act":"rotate-keys"}`

// What another site that is open in the same browser can send.
func TestAnotherSiteChangesNothing(t *testing.T) {
	b := startBench(t)
	s := serve(t, b)
	port := s.URL()[strings.LastIndexByte(s.URL(), ':') : len(s.URL())-1]
	token := [2]string{"X-Playground-Token", s.Token()}
	for name, tt := range map[string]struct {
		method, path, body string
		headers            [][2]string
		want               int
	}{
		"a name that leads to loopback":         {"POST", "api/act", goodAct, [][2]string{token, {"Host", "evil.example" + port}}, 421},
		"the same for reading the token":        {"GET", "", "", [][2]string{{"Host", "evil.example" + port}}, 421},
		"the same for the live view":            {"GET", "api/live", "", [][2]string{{"Host", "evil.example"}}, 421},
		"a name that begins like the page's":    {"GET", "", "", [][2]string{{"Host", "127.0.0.1" + port + ".evil.example"}}, 421},
		"another port":                          {"GET", "", "", [][2]string{{"Host", "127.0.0.1:1"}}, 421},
		"another loopback address":              {"GET", "", "", [][2]string{{"Host", "127.0.0.2" + port}}, 421},
		"a name with a dot behind it":           {"GET", "", "", [][2]string{{"Host", "localhost." + port}}, 421},
		"no token":                              {"POST", "api/act", goodAct, nil, 403},
		"an empty token":                        {"POST", "api/act", goodAct, [][2]string{{"X-Playground-Token", ""}}, 403},
		"the token of an earlier start":         {"POST", "api/act", goodAct, [][2]string{{"X-Playground-Token", strings.Repeat("A", len(s.Token()))}}, 403},
		"a right token and a wrong one":         {"POST", "api/act", goodAct, [][2]string{token, {"X-Playground-Token", "x"}}, 403},
		"another origin":                        {"POST", "api/act", goodAct, [][2]string{token, {"Origin", "http://evil.example"}}, 403},
		"the gateway's origin":                  {"POST", "api/act", goodAct, [][2]string{token, {"Origin", b.Site().Gateway}}, 403},
		"the other of the page's own names":     {"POST", "api/act", goodAct, [][2]string{token, {"Origin", "http://localhost" + port}}, 403},
		"no origin, as of a file":               {"POST", "api/act", goodAct, [][2]string{token, {"Origin", "null"}}, 403},
		"another origin that only reads":        {"GET", "api/start", "", [][2]string{{"Origin", "http://evil.example"}}, 403},
		"an image that takes the live view":     {"GET", "api/live", "", [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}}, 403},
		"the same of another port":              {"GET", "api/live", "", [][2]string{{"Sec-Fetch-Site", "same-site"}}, 403},
		"a script that reads what there is":     {"GET", "api/start", "", [][2]string{{"Sec-Fetch-Site", "cross-site"}}, 403},
		"a pre-flight":                          {"OPTIONS", "api/act", "", [][2]string{{"Origin", "http://evil.example"}, {"Access-Control-Request-Method", "POST"}}, 403},
		"a GET in the place of a call":          {"GET", "api/act?act=rotate-keys", "", [][2]string{token}, 404},
		"a PUT":                                 {"PUT", "api/act", goodAct, [][2]string{token}, 405},
		"a method of its own with the token":    {"EVIL", "api/act", goodAct, [][2]string{token}, 405},
		"a method of its own without it":        {"EVIL", "api/act", goodAct, nil, 403},
		"more than 256 KiB":                     {"POST", "api/check", `{"config":"` + strings.Repeat("x", 256<<10) + `"}`, [][2]string{token}, 413},
		"a form":                                {"POST", "api/act", "act=rotate-keys", [][2]string{token, {"Content-Type", "application/x-www-form-urlencoded"}}, 400},
		"two documents":                         {"POST", "api/act", goodAct + goodAct, [][2]string{token}, 400},
		"members that nobody asked for":         {"POST", "api/act", `{"act":"rotate-keys","admin":true}`, [][2]string{token}, 400},
		"an act that there is none of":          {"POST", "api/act", `{"act":"rm"}`, [][2]string{token}, 400},
		"nobody to revoke":                      {"POST", "api/act", `{"act":"revoke-user","subject":" "}`, [][2]string{token}, 400},
		"a very long subject":                   {"POST", "api/act", `{"act":"revoke-user","subject":"` + strings.Repeat("x", 257) + `"}`, [][2]string{token}, 400},
		"a file outside of the page":            {"GET", "..%2f..%2fpage.go", "", nil, 404},
		"the ignored file of the build's place": {"GET", ".gitignore", "", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := ask(t, tt.method, s.URL()+tt.path, tt.body, tt.headers...)
			if resp.StatusCode != tt.want {
				t.Errorf("got %d %s, want %d", resp.StatusCode, body, tt.want)
			}
			if strings.Contains(body, s.Token()) {
				t.Error("the answer has the token")
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin may read the answer")
			}
		})
	}
	if touched := b.touched(); len(touched) > 0 {
		t.Errorf("something was done: %q", touched)
	}
}

func TestThePageItselfMayAsk(t *testing.T) {
	b := startBench(t)
	s := serve(t, b)
	local := strings.Replace(strings.TrimSuffix(s.URL(), "/"), "127.0.0.1", "localhost", 1)
	for _, origin := range []string{"", strings.TrimSuffix(s.URL(), "/"), local} {
		headers := [][2]string{{"X-Playground-Token", s.Token()}}
		if origin != "" {
			headers = append(headers, [2]string{"Origin", origin}, [2]string{"Host", strings.TrimPrefix(origin, "http://")})
		}
		if resp, body := ask(t, "POST", s.URL()+"api/act", goodAct, headers...); resp.StatusCode != 200 || !strings.Contains(body, "done") {
			t.Errorf("%q: %d %s", origin, resp.StatusCode, body)
		}
	}
}

func TestThePageIsServedOnLoopbackAlone(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.168.1.2:0", "[::]:0", "example.com:80", "127.0.0.1", "localhost:0", ""} {
		if s, err := page.Start(page.Options{Addr: addr, Bench: startBench(t)}); err == nil {
			_ = s.Close()
			t.Errorf("%q is served", addr)
		}
	}
}

func TestEveryAnswerSaysHowABrowserHasToTreatIt(t *testing.T) {
	s := serve(t, startBench(t))
	for _, path := range []string{"", "nothing", "api/start", "api/nothing"} {
		resp, body := ask(t, "GET", s.URL()+path, "")
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("/%s: %s: %q", path, name, got)
			}
		}
		csp := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("/%s: %q is not in %q", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("/%s: %q", path, csp)
		}
		if path == "" {
			continue
		}
		if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("/%s is %s:\n%.200s", path, kind, body)
		}
	}
}

func TestTheDocumentHasTheTokenAndANonceOfItsOwn(t *testing.T) {
	s := serve(t, startBench(t))
	nonces := map[string]bool{}
	for range 3 {
		resp, body := ask(t, "GET", s.URL(), "")
		if resp.StatusCode != 200 || !strings.Contains(body, `content="`+s.Token()+`"`) {
			t.Fatalf("%d:\n%s", resp.StatusCode, body)
		}
		_, rest, _ := strings.Cut(resp.Header.Get("Content-Security-Policy"), "'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		if nonce == "" || nonces[nonce] || !strings.Contains(body, `"`+nonce+`"`) {
			t.Errorf("the nonce %q", nonce)
		}
		nonces[nonce] = true
	}
	local := strings.Replace(strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/"), "127.0.0.1", "localhost", 1)
	if resp, _ := ask(t, "GET", s.URL(), "", [2]string{"Host", local}); resp.StatusCode != 307 || resp.Header.Get("Location") != s.URL() {
		t.Errorf("under localhost: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// tryOf is a call of try.
func tryOf(method, path string, headers [][2]string, caller string) string {
	request, err := json.Marshal(map[string]any{"method": method, "path": path, "headers": headers})
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"config":"{\"issuer\":\"http://127.0.0.1:9000/\",\"audience\":\"a\"}","request":%s,"caller":%s}`, request, caller)
}

func TestATryIsNoProxyAndSmugglesNothing(t *testing.T) {
	b := startBench(t)
	s := serve(t, b)
	const nobody = `{"kind":"none"}`
	header := func(name, value string) [][2]string { return [][2]string{{name, value}} }
	for name, call := range map[string]string{
		"another host in the path":           tryOf("GET", "http://evil.example/try/", nil, nobody),
		"another host by two slashes":        tryOf("GET", "//evil.example/try/", nil, nobody),
		"a path above the route":             tryOf("GET", "/try/../api/me", nil, nobody),
		"the same, encoded":                  tryOf("GET", "/try/..%2fapi/me", nil, nobody),
		"the same, encoded whole":            tryOf("GET", "/try/%2e%2e/api/me", nil, nobody),
		"another route":                      tryOf("GET", "/api/me", nil, nobody),
		"a path that begins like the route":  tryOf("GET", "/tryx/", nil, nobody),
		"a line break in the path":           tryOf("GET", "/try/ HTTP/1.1\r\nHost: evil", nil, nobody),
		"a line feed in the path":            tryOf("GET", "/try/\n", nil, nobody),
		"a space in the path":                tryOf("GET", "/try/ x", nil, nobody),
		"a fragment":                         tryOf("GET", "/try/#/../..", nil, nobody),
		"a NUL":                              tryOf("GET", "/try/%00", nil, nobody),
		"half an escape":                     tryOf("GET", "/try/%2", nil, nobody),
		"a very long path":                   tryOf("GET", "/try/"+strings.Repeat("a", 4<<10), nil, nobody),
		"a line break in the method":         tryOf("GET /x HTTP/1.1\r\n\r\nGET", "/try/", nil, nobody),
		"CONNECT":                            tryOf("CONNECT", "/try/", nil, nobody),
		"TRACE":                              tryOf("TRACE", "/try/", nil, nobody),
		"a lower-case method":                tryOf("get", "/try/", nil, nobody),
		"a line break in a value":            tryOf("GET", "/try/", header("X", "1\r\nX-Evil: 2"), nobody),
		"a carriage return in a value":       tryOf("GET", "/try/", header("X", "1\rX-Evil: 2"), nobody),
		"a NUL in a value":                   tryOf("GET", "/try/", header("X", "\x00"), nobody),
		"a line break in a name":             tryOf("GET", "/try/", header("X\r\nX-Evil", "2"), nobody),
		"a colon in a name":                  tryOf("GET", "/try/", header("X: 1, Y", "2"), nobody),
		"a name without letters":             tryOf("GET", "/try/", header("", "2"), nobody),
		"Host":                               tryOf("GET", "/try/", header("Host", "evil.example"), nobody),
		"host in small letters":              tryOf("GET", "/try/", header("host", "evil.example"), nobody),
		"Content-Length":                     tryOf("POST", "/try/", header("Content-Length", "100"), nobody),
		"Transfer-Encoding":                  tryOf("POST", "/try/", header("Transfer-Encoding", "chunked"), nobody),
		"Transfer_Encoding":                  tryOf("POST", "/try/", header("Transfer_Encoding", "chunked"), nobody),
		"Connection":                         tryOf("GET", "/try/", header("Connection", "X-User-Id"), nobody),
		"Upgrade":                            tryOf("GET", "/try/", header("Upgrade", "websocket"), nobody),
		"Expect":                             tryOf("GET", "/try/", header("Expect", "100-continue"), nobody),
		"too many headers":                   tryOf("GET", "/try/", make([][2]string, 65), nobody),
		"a header of 8 KiB":                  tryOf("GET", "/try/", header("X", strings.Repeat("x", 8<<10)), nobody),
		"a pasted token with a line break":   tryOf("GET", "/try/", nil, `{"kind":"pasted","token":"a\r\nX-Evil: 1"}`),
		"a pasted token of 64 KiB":           tryOf("GET", "/try/", nil, `{"kind":"pasted","token":"`+strings.Repeat("x", 64<<10)+`"}`),
		"a caller that there is none of":     tryOf("GET", "/try/", nil, `{"kind":"root"}`),
		"a variant that there is none of":    tryOf("GET", "/try/", nil, `{"kind":"minted","variant":"root"}`),
		"a session of a route without login": tryOf("GET", "/try/", nil, `{"kind":"session"}`),
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := ask(t, "POST", s.URL()+"api/try", call, [2]string{"X-Playground-Token", s.Token()})
			if resp.StatusCode != http.StatusBadRequest || !strings.HasPrefix(body, `{"error":"`) {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
		})
	}
	if touched := b.touched(); len(touched) > 0 {
		t.Errorf("something was sent: %q", touched)
	}
}

func TestATrySendsWhatItSaysAndNothingElse(t *testing.T) {
	b := startBench(t)
	s := serve(t, b)
	call := tryOf("GET", "/try/a%20b?x=1&x=2", [][2]string{{"X_User_Id", "eve"}, {"x-a", "1"}, {"x-a", "2"}}, `{"kind":"pasted","token":"Bearer a.b.c"}`)
	// A browser sends the page its own cookies; none of them is sent to the gateway.
	resp, body := ask(t, "POST", s.URL()+"api/try", call, [2]string{"X-Playground-Token", s.Token()}, [2]string{"Cookie", "try_session=secret; other=secret"})
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	host := strings.TrimPrefix(b.Site().Gateway, "http://")
	want := "GET /try/a%20b?x=1&x=2 HTTP/1.1\r\nHost: " + host + "\r\nX_User_Id: eve\r\nx-a: 1\r\nx-a: 2\r\nAuthorization: Bearer a.b.c\r\n\r\n"
	if len(b.came) != 1 || b.came[0] != want {
		t.Errorf("the gateway got %q", b.came)
	}
	if len(b.routes) != 1 || !strings.Contains(b.routes[0], `"uri": "/try/*"`) && !strings.Contains(b.routes[0], `"uri":"/try/*"`) {
		t.Errorf("the routes are %q", b.routes)
	}
}

func TestMarkupInWhatIsSentIsNoMarkupInAnAnswer(t *testing.T) {
	s := serve(t, startBench(t))
	const markup = `<script>alert(1)</script>`
	config, _ := json.Marshal(map[string]string{"config": `{"` + markup + `":"` + markup + `"}`})
	mint, _ := json.Marshal(map[string]any{"config": markup, "variant": "valid", "claims": map[string]string{markup: markup}})
	for path, body := range map[string]string{
		"check": string(config), "mint": string(mint), "act": `{"act":"` + markup + `"}`,
		"try": tryOf("GET", "/try/", [][2]string{{"X", markup}}, `{"kind":"pasted","token":"`+markup+`"}`),
	} {
		resp, text := ask(t, "POST", s.URL()+"api/"+path, body, [2]string{"X-Playground-Token", s.Token()})
		if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q", path, resp.Header)
		}
		if strings.ContainsAny(text, "<>") {
			t.Errorf("%s: %s", path, text)
		}
	}
}
