package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// rawUpstream takes the bed's upstream away for one that keeps the bytes it
// was sent, and answers with the given ones.
func rawUpstream(t *testing.T, b *bed, answer string) func() string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heads := make(chan string, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			var head strings.Builder
			for line := ""; line != "\r\n" && err == nil; head.WriteString(line) {
				line, err = r.ReadString('\n')
			}
			heads <- head.String()
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	b.node = listener.Addr().String()
	b.put(t, "1", `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]}`)
	return func() string { return <-heads }
}

const emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func TestATabBeforeAValueReachesThePluginTheUpstreamsWireAndIsTrimmedThere(t *testing.T) {
	b := newBed(t, 1)
	_, body := send(t, b.Gateway, "GET /", "Authorization:  \tBearer x\t ")
	if !strings.Contains(body, "Authorization: Bearer x\r\n") {
		t.Errorf("a Go upstream read %s", body)
	}
	shown := b.runner.seen[0].Headers
	if !slices.Contains(shown, a6.Entry{Name: "authorization", Value: "\tBearer x\t", HasValue: true}) {
		t.Errorf("the plugin was shown %+v", shown)
	}
	head := rawUpstream(t, b, emptyAnswer)
	send(t, b.Gateway, "GET /", "Authorization:  \tBearer x\t ")
	if wire := head(); !strings.Contains(wire, "\r\nAuthorization: \tBearer x\t\r\n") {
		t.Errorf("on the wire stood %q", wire)
	}
}

func TestHeadersReachTheWireAsTheyWereSent(t *testing.T) {
	b := newBed(t, 1)
	head := rawUpstream(t, b, emptyAnswer)
	send(t, b.Gateway, "GET /a?b", "x-User-ID: 1", "X_USER_ID: 2", "X-USER-id: 3", "Connection: x-user-id",
		"Proxy-Connection: keep-alive", "TE: trailers", "X-Real-IP: 6.6.6.6", "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6")
	var names []string
	for line := range strings.SplitSeq(head(), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		if strings.Contains(value, "6.6.6.6") && name != "X-Forwarded-For" {
			t.Errorf("the client's own %s", line)
		}
		names = append(names, name)
	}
	want := []string{
		"GET /a?b HTTP/1.1", "Host", "X-Real-IP", "X-Forwarded-For", "x-User-ID", "X_USER_ID", "X-USER-id",
		"Proxy-Connection", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "", "",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestTheHostHeader(t *testing.T) {
	for _, tt := range []struct {
		name, sent, host string
		refused          bool
	}{
		{name: "with a question mark", sent: "api.example:443?", host: "api.example"},
		{name: "with a hash", sent: "api.example:443#x", host: "api.example"},
		{name: "with a question mark and no port", sent: "api.example?", host: "api.example?"},
		{name: "with a backslash", sent: `api.example\x`, host: `api.example\x`},
		{name: "with an at", sent: "user@API.Example:1", host: "user@api.example"},
		{name: "with a dot at its end", sent: "api.example.:443", host: "api.example"},
		{name: "IPv6", sent: "[::1]:443", host: "[::1]"},
		{name: "with a slash", sent: "api.example:443/x", refused: true},
		{name: "with a slash behind a question mark", sent: "api.example?/x", refused: true},
		{name: "with a tab", sent: "api.example\tx", refused: true},
		{name: "with two dots", sent: "api..example", refused: true},
		{name: "empty", sent: "", refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			asked := b.asks("http_host", "host", "http_x_forwarded_host")
			status, body := sendBytes(t, b, "GET / HTTP/1.1\r\nHost: "+tt.sent+"\r\nConnection: close\r\n\r\n")
			if tt.refused {
				if status != 400 {
					t.Errorf("got %d", status)
				}
				return
			}
			if want := []string{tt.sent, tt.host, tt.sent}; status == 502 || !slices.Equal(*asked, want) {
				t.Errorf("%d, variables %q, want %q; the upstream got %s", status, *asked, want, body)
			}
		})
	}
}

func TestAnAbsoluteTargetsHostWins(t *testing.T) {
	b := newBed(t, 1)
	asked := b.asks("http_host", "host", "real_request_uri", "request_uri", "uri")
	if status, body := sendBytes(t, b, "GET http://Other.example:8080//a?x HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n"); status != 200 || !strings.HasPrefix(body, "GET //a?x host=h.example\n") {
		t.Errorf("%d %s", status, body)
	}
	if want := []string{"h.example", "other.example", "//a?x", "/a?x", "/a"}; !slices.Equal(*asked, want) {
		t.Errorf("variables %q, want %q", *asked, want)
	}
}

func TestTargetsThatReachARouteOfEveryPath(t *testing.T) {
	for target, shown := range map[string]string{
		"//evil/": "/evil/", "/%2f%2fevil": "/evil", `/\evil`: `/\evil`, "/%09/evil": "/\t/evil",
	} {
		b := newBed(t, 1)
		resp, body := send(t, b.Gateway, "GET "+target)
		if resp.StatusCode != 200 || !strings.HasPrefix(body, "GET "+target+" host=") {
			t.Errorf("%s: %d %s", target, resp.StatusCode, body)
		}
		if got := b.runner.seen[0].Path; got != shown {
			t.Errorf("%s: shown %q", target, got)
		}
	}
	for _, target := range []string{"/a\tb", "/a\x7f", "*", "a"} {
		if resp, _ := send(t, newBed(t, 1).Gateway, "GET "+target); resp.StatusCode != 400 {
			t.Errorf("%q: %d", target, resp.StatusCode)
		}
	}
}

func TestTheLengthOfACookieLine(t *testing.T) {
	b := newBed(t, 1)
	for length, want := range map[int]int{8038: 200, 9043: 400} {
		if resp, _ := send(t, b.Gateway, "GET /", "Cookie: "+strings.Repeat("c", length-len("Cookie: "))); resp.StatusCode != want {
			t.Errorf("%d bytes: %d, want %d", length, resp.StatusCode, want)
		}
	}
}

func TestMethodsThatThePluginProtocolKnows(t *testing.T) {
	b := newBed(t, 1)
	for _, method := range strings.Fields("GET HEAD POST PUT DELETE MKCOL COPY MOVE OPTIONS PROPFIND PROPPATCH LOCK UNLOCK PATCH") {
		if resp, _ := send(t, b.Gateway, method+" /"); resp.StatusCode != 200 {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	for _, method := range []string{"PURGE", "REPORT", "QUERY"} {
		if resp, body := send(t, b.Gateway, method+" /"); resp.StatusCode != 500 || !strings.HasPrefix(body, "<html>") {
			t.Errorf("%s: %d %s", method, resp.StatusCode, body)
		}
	}
}

func TestAStopWithoutABodyIsNginxsPageFrom300On(t *testing.T) {
	for status, page := range map[uint16]bool{200: false, 204: false, 302: true, 303: true, 307: true, 401: true, 403: true, 503: true} {
		b := newBed(t, 1)
		b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
			return a6.Answer{Stop: &a6.Stop{Status: status, Headers: []a6.Entry{{Name: "Location", Value: "/there", HasValue: true}}}}, true
		}
		resp, body := send(t, b.Gateway, "GET /")
		if resp.StatusCode != int(status) || strings.Contains(body, "Powered by") != page || resp.Header.Get("Location") != "/there" {
			t.Errorf("%d: %s %v %s", status, resp.Status, resp.Header, body)
		}
	}
}

func TestResponseHeadersThatRepeat(t *testing.T) {
	sent := []a6.Entry{
		{Name: "Set-Cookie", Value: "a", HasValue: true},
		{Name: "set-cookie", Value: "b", HasValue: true},
		{Name: "Set-Cookie", Value: "c", HasValue: true},
		{Name: "Cache-Control", Value: "no-store", HasValue: true},
		{Name: "Location", Value: "/1", HasValue: true},
		{Name: "Location", Value: "/2", HasValue: true},
	}
	const upstreams = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: u\r\nCache-Control: private\r\nLocation: /u\r\n\r\n"
	for _, tt := range []struct {
		name                      string
		answer                    a6.Answer
		cookies, caches, location []string
	}{
		{"of a Stop all go out", a6.Answer{Stop: &a6.Stop{Status: 302, Headers: sent}}, []string{"a", "b", "c"}, []string{"no-store"}, []string{"/2"}},
		{"of a Rewrite go out beside the upstream's", a6.Answer{Rewrite: &a6.Rewrite{RespHeaders: sent}}, []string{"a", "b", "c", "u"}, []string{"no-store", "private"}, []string{"/u"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			rawUpstream(t, b, upstreams)
			b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) { return tt.answer, true }
			resp, _ := send(t, b.Gateway, "GET /")
			got := [][]string{resp.Header.Values("Set-Cookie"), resp.Header.Values("Cache-Control"), resp.Header.Values("Location")}
			if diff := cmp.Diff([][]string{tt.cookies, tt.caches, tt.location}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("the first of a name replaces what a plugin before set", func(t *testing.T) {
		b := newBed(t, 1)
		b.put(t, "1", `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]},"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]}`)
		b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
			n := len(b.runner.seen)
			return a6.Answer{Rewrite: &a6.Rewrite{RespHeaders: []a6.Entry{
				{Name: "Set-Cookie", Value: fmt.Sprint(n, "a"), HasValue: true}, {Name: "Set-Cookie", Value: fmt.Sprint(n, "b"), HasValue: true},
			}}}, true
		}
		resp, _ := send(t, b.Gateway, "GET /")
		if got := resp.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"2a", "2b"}) {
			t.Errorf("the client got %q", got)
		}
	})
}

func TestAnUpstreamsConnectionIsUsedAgain(t *testing.T) {
	b := newBed(t, 1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peers := map[string]bool{}
	for r := bufio.NewReader(conn); len(peers) < 3; { // one client connection, so that one answer ends before the next begins
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "Content-Length: 0") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		peer := resp.Header.Get("X-Peer")
		if peers[peer] {
			return
		}
		peers[peer] = true
	}
	t.Error("every request had an upstream connection of its own")
}

// sendBytes writes a whole request as it stands.
func sendBytes(t *testing.T, b *bed, raw string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, raw)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// asks lets the runner ask for variables; what it was told last stands in the
// result.
func (b *bed) asks(names ...string) *[]string {
	told := &[]string{}
	b.runner.answer = func(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool) {
		*told = nil
		for _, name := range names {
			*told = append(*told, string(ask(a6.Question{Var: name})))
		}
		return a6.Answer{ID: r.ID}, true
	}
	return told
}
