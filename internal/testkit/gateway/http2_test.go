package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// overHTTP2 is a client who knows that the gateway speaks HTTP/2.
func overHTTP2(t *testing.T) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestHTTP2IsJudgedAsHTTP1Is(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = asUser
	c := overHTTP2(t)
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		status int
		want   []string
	}{
		{"a user", http.Header{"X-Token": {"alice"}, "X-User-Id": {"a", "b"}, "X_user_id": {"c"}}, "", 200, []string{"GET /a%2fb?c=d", "X-User-Id: alice"}},
		{"a body", http.Header{"X-Token": {"alice"}}, "text", 200, []string{"POST /a%2fb?c=d", "text"}},
		{"nobody", nil, "", 401, []string{"no"}},
		{"nobody with a body", nil, strings.Repeat("x", 100<<10), 401, []string{"no"}},
		{"two tokens", http.Header{"Authorization": {"a", "b"}}, "", 400, []string{"400 Bad Request"}},
		{"a header that nginx drops", http.Header{"X.Token": {"alice"}}, "", 401, []string{"no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method := http.MethodGet
			if tt.body != "" {
				method = http.MethodPost
			}
			req, err := http.NewRequestWithContext(t.Context(), method, b.URL()+"/a%2fb?c=d", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != nil {
				req.Header = tt.header
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || resp.ProtoMajor != 2 || resp.Header.Get("Server") != "APISIX/3.18.0" {
				t.Errorf("%v %s %v", err, resp.Status, resp.Header)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(body), want) {
					t.Errorf("no %q in %s", want, body)
				}
			}
			if tt.status == 200 && strings.Count(strings.ToLower(string(body)), "x-user-id") != len(tt.want)-1 && tt.body == "" {
				t.Errorf("got %s", body)
			}
		})
	}
}

// health has a route lead to the echo upstream's health service, and calls it as
// someone with these headers.
func (b *bed) health(t *testing.T, plugins string, pairs ...string) (client grpc_health_v1.HealthClient, ctx context.Context) {
	t.Helper()
	echo, err := upstream.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	body := fmt.Sprintf(`{"uri":"/*","plugins":{%s},"upstream":{"type":"roundrobin","scheme":"grpc","nodes":{%q:1}}}`, plugins, echo.Node())
	if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/1", "k", body); status/100 != 2 {
		t.Fatalf("PUT: %d %s", status, text)
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(b.URL(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return grpc_health_v1.NewHealthClient(conn), metadata.AppendToOutgoingContext(t.Context(), pairs...)
}

func TestGRPCPassesWithItsTrailersAndARefusalIsAnHTTPStatus(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = asUser
	client, ctx := b.health(t, `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]}`, "x-token", "alice", "x-user-id", "mallory", "x-forwarded-for", "192.0.2.1")
	var seen metadata.MD
	served, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "orders"}, grpc.Header(&seen))
	if err != nil || served.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("%v %v", served, err)
	}
	echo := strings.Join(seen.Get("echo-bin"), "")
	for _, want := range []string{`"X-User-Id":["alice"]`, `"Te":["trailers"]`, `"Content-Type":["application/grpc"]`, `"X-Forwarded-For":["192.0.2.1"]`} {
		if !strings.Contains(echo, want) {
			t.Errorf("no %s in %s", want, echo)
		}
	}
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if served, err := watch.Recv(); err != nil || served.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("a stream: %v %v", served, err)
	}
	if _, err := client.List(ctx, &grpc_health_v1.HealthListRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("the upstream's own status: %v", err)
	}
	if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	for refusal, want := range map[uint16]codes.Code{401: codes.Unauthenticated, 403: codes.PermissionDenied, 503: codes.Unavailable} {
		b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
			return a6.Answer{Stop: &a6.Stop{Status: refusal, Body: []byte(`{"error":"no"}`)}}, true
		}
		if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != want {
			t.Errorf("%d: %v, want %s", refusal, err, want)
		}
	}
}

func TestAClientOfHTTP1GetsNoGRPC(t *testing.T) {
	b := newBed(t, 1)
	b.health(t, "")
	if resp, _ := send(t, b.Gateway, "POST /grpc.health.v1.Health/Check", "Content-Type: application/grpc", "Content-Length: 0"); resp.StatusCode != 502 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestAnAnswerThatIsCutIsNotWhole(t *testing.T) {
	for _, plugins := range []string{"", `"proxy-buffering":{"disable_proxy_buffering":true}`} {
		b := newBed(t, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut")
			_ = conn.Close()
		}))
		t.Cleanup(server.Close)
		body := fmt.Sprintf(`{"uri":"/*","plugins":{%s},"upstream":{"type":"roundrobin","nodes":{%q:1}}}`, plugins, strings.TrimPrefix(server.URL, "http://"))
		admin(t, b.Gateway, "PUT", "/apisix/admin/routes/1", "k", body)
		for name, c := range map[string]*http.Client{"HTTP/2": overHTTP2(t), "HTTP/1.1": {Transport: &http.Transport{DisableKeepAlives: true}}} {
			resp, err := c.Get(b.URL())
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Errorf("%s, %s: it looks whole", name, plugins)
			}
		}
	}
}

func TestTheGatewayClosesWithAnHTTP2ConnectionOpen(t *testing.T) {
	b := newBed(t, 1)
	b.runner.answer = func(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool) { return goOn(r, ask) }
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The preface and an empty SETTINGS frame of RFC 9113 section 3.4.
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	in := bufio.NewReader(conn)
	if _, err := in.Peek(9); err != nil {
		t.Fatalf("no SETTINGS of the gateway's: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(in); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}
