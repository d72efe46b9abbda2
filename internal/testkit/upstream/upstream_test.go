package upstream_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

func start(t *testing.T) *upstream.Upstream {
	t.Helper()
	u, err := upstream.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// send writes the request as it stands, so that nothing tidies it up.
func send(t *testing.T, u *upstream.Upstream, request string, into any) {
	t.Helper()
	conn, err := net.Dial("tcp", u.Node())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestEchoesWhatItReceived(t *testing.T) {
	u := start(t)
	long := strings.Repeat("x", 65<<10)
	for _, tc := range []struct {
		name, request string
		want          upstream.Echo
	}{
		{
			"repeated headers apart", "GET /a HTTP/1.1\r\nHost: h\r\nX-User-Id: a\r\nx-user-id: b\r\n\r\n",
			upstream.Echo{Method: "GET", Path: "/a", Headers: map[string][]string{"X-User-Id": {"a", "b"}}},
		},
		{
			"an underscore is no dash", "GET /a HTTP/1.1\r\nHost: h\r\nX_User_Id: a\r\n\r\n",
			upstream.Echo{Method: "GET", Path: "/a", Headers: map[string][]string{"X_user_id": {"a"}}},
		},
		{
			"escapes in path and query stay", "GET /a%2Fb%20c?q=%20&q=+ HTTP/1.1\r\nHost: h\r\n\r\n",
			upstream.Echo{Method: "GET", Path: "/a%2Fb%20c", Query: "q=%20&q=+", Headers: map[string][]string{}},
		},
		{
			"a path is not cleaned", "GET //a/../b/./c HTTP/1.1\r\nHost: h\r\n\r\n",
			upstream.Echo{Method: "GET", Path: "//a/../b/./c", Headers: map[string][]string{}},
		},
		{
			"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
			upstream.Echo{Method: "OPTIONS", Path: "*", Headers: map[string][]string{}},
		},
		{
			"a body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
			upstream.Echo{Method: "POST", Path: "/a", Headers: map[string][]string{"Content-Length": {"2"}}, Body: "hi", BodyLength: 2},
		},
		{
			"the first 64 KiB of a long body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 66560\r\n\r\n" + long,
			upstream.Echo{Method: "POST", Path: "/a", Headers: map[string][]string{"Content-Length": {"66560"}}, Body: long[:64<<10], BodyLength: 66560},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Kind, tc.want.Host = "upstream", "h"
			var got upstream.Echo
			send(t, u, tc.request, &got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCountsEchoesOnly(t *testing.T) {
	u := start(t)
	var health map[string]string
	send(t, u, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", &health)
	if diff := cmp.Diff(map[string]string{"kind": "upstream", "url": u.URL()}, health); diff != "" {
		t.Error(diff)
	}
	var echo upstream.Echo
	send(t, u, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &echo)
	send(t, u, "POST /healthz HTTP/1.1\r\nHost: h\r\n\r\n", &echo)
	var counters map[string]int64
	send(t, u, "GET /control/counters HTTP/1.1\r\nHost: h\r\n\r\n", &counters)
	if diff := cmp.Diff(map[string]int64{"requests": 2}, counters); diff != "" {
		t.Error(diff)
	}
}

func TestSaysThatAnAddressIsTaken(t *testing.T) {
	if u, err := upstream.Start(start(t).Node()); err == nil {
		t.Error("started twice on one address", u.Close())
	}
}

func TestABrowserGetsAPageWhereThereIsOne(t *testing.T) {
	u, err := upstream.StartWithPages("", upstream.Pages{"/a/": func(w io.Writer, e upstream.Echo) error {
		_, err := io.WriteString(w, "<p>"+e.Path+" "+strings.Join(e.Headers["X-User-Id"], ","))
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, tc := range []struct{ method, path, accept, want string }{
		{http.MethodGet, "/a/b", "text/html,*/*;q=0.8", "<p>/a/b ann"},
		{http.MethodGet, "/a/b", "*/*", `{"kind":"upstream"`},
		{http.MethodGet, "/b/a/", "text/html", `{"kind":"upstream"`},
		{http.MethodPost, "/a/b", "text/html", `{"kind":"upstream"`},
	} {
		req, err := http.NewRequest(tc.method, u.URL()+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", tc.accept)
		req.Header.Set("X-User-Id", "ann")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), tc.want) {
			t.Errorf("%s %s for %s: %q, %v", tc.method, tc.path, tc.accept, body, err)
		}
	}
}

func TestAWebSocketSaysWhatItsHandshakeWasAndSendsTextsBack(t *testing.T) {
	u := start(t)
	conn, err := net.Dial("tcp", u.Node())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The key and its answer are those of RFC 6455 section 1.3, the frame's mask that of 5.7.
	_, _ = io.WriteString(conn, "GET /feed HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-User-Id: alice\r\n\r\n\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x80\x37\xfa\x21\x3d")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	hello, after, _ := strings.Cut(string(rest), "\x81\x05")
	var e upstream.Echo
	if err := json.Unmarshal([]byte(hello[strings.IndexByte(hello, '{'):]), &e); err != nil || e.Path != "/feed" || e.Headers["X-User-Id"][0] != "alice" {
		t.Errorf("%v: %q", err, hello)
	}
	if after != "Hello\x88\x00" {
		t.Errorf("then came %q", after)
	}
}

func TestEventsEndWhereTheyAreTold(t *testing.T) {
	u := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.URL()+"/events?events=3", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(text), `data: {"kind":"upstream"`) || !strings.HasSuffix(string(text), "\n\ndata: 2\n\ndata: 3\n\n") {
		t.Errorf("%v: %q", err, text)
	}
}

func TestLogsAreKeptByName(t *testing.T) {
	u := start(t)
	for _, tt := range []struct {
		name, line string
		want       int
	}{{"a", `{"n":1}`, 204}, {"a", `{"n":2}`, 204}, {"b", `[]`, 204}, {"a", `{`, 400}, {"a", `"` + strings.Repeat("x", 16<<10) + `"`, 400}} {
		resp, err := http.Post(u.URL()+"/control/log/"+tt.name, "application/json", strings.NewReader(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", tt.line[:min(len(tt.line), 9)], resp.StatusCode, tt.want)
		}
	}
	for name, want := range map[string]string{"a": `[{"n":1},{"n":2}]`, "b": `[[]]`, "c": `[]`} {
		resp, err := http.Get(u.URL() + "/control/log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestTheHealthServiceSaysWhoAsked(t *testing.T) {
	u := start(t)
	conn, err := grpc.NewClient(u.Node(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-user-id", "alice")
	served, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
	if err != nil || served.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("%v %v", served, err)
	}
	var e upstream.Echo
	if err := json.Unmarshal([]byte(header.Get("echo-bin")[0]), &e); err != nil || e.Headers["X-User-Id"][0] != "alice" || e.Path != "/grpc.health.v1.Health/Check" {
		t.Errorf("%v %+v", err, e)
	}
	if _, err := client.List(ctx, &grpc_health_v1.HealthListRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("List: %v", err)
	}
}
