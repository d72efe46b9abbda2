package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// serveAt has route 1 lead to a handler, with more members and plugins.
func (b *bed) serveAt(t *testing.T, members, plugins string, h http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	body := fmt.Sprintf(`{"uri":"/*",%s"plugins":{%s},"upstream":{"type":"roundrobin","nodes":{%q:1}}}`,
		members, plugins, strings.TrimPrefix(server.URL, "http://"))
	if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/1", "k", body); status/100 != 2 {
		t.Fatalf("PUT: %d %s", status, text)
	}
}

// chunks are the parts in which an answer is sent.
func chunks(t *testing.T, g *gateway.Gateway) (parts []string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	for {
		var size int
		line, rest, _ := strings.Cut(body, "\r\n")
		if _, err := fmt.Sscanf(line, "%x", &size); err != nil {
			t.Fatalf("%v: %q", err, all)
		}
		if size == 0 {
			return parts
		}
		parts, body = append(parts, rest[:size]), rest[size+2:]
	}
}

func TestNginxCollectsAnAnswerUnlessItIsToldNotTo(t *testing.T) {
	const off = `"proxy-buffering":{"disable_proxy_buffering":true}`
	for _, tt := range []struct {
		name, plugins, accel string
		parts                int
	}{
		{"as it is", "", "", 1},
		{"proxy-buffering", off, "", 2},
		{"proxy-buffering that disables nothing", `"proxy-buffering":{}`, "", 1},
		{"the upstream's no", "", "no", 2},
		{"the upstream's yes", off, "yes", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, 1)
			read := make(chan struct{})
			b.serveAt(t, "", tt.plugins, func(w http.ResponseWriter, _ *http.Request) {
				if tt.accel != "" {
					w.Header().Set("X-Accel-Buffering", tt.accel)
				}
				_, _ = io.WriteString(w, "first")
				_ = http.NewResponseController(w).Flush()
				if tt.parts > 1 {
					<-read
				}
				_, _ = io.WriteString(w, "second")
			})
			if tt.parts == 1 {
				if got := chunks(t, b.Gateway); len(got) != 1 || got[0] != "firstsecond" {
					t.Errorf("got %q", got)
				}
				return
			}
			// The upstream says more only after the client has what it said.
			resp, err := http.Get(b.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			first := make([]byte, len("first"))
			if _, err := io.ReadFull(resp.Body, first); err != nil {
				t.Fatal(err)
			}
			close(read)
			rest, err := io.ReadAll(resp.Body)
			if err != nil || string(first)+string(rest) != "firstsecond" || resp.Header.Get("X-Accel-Buffering") != "" {
				t.Errorf("got %q%q, %v, %v", first, rest, err, resp.Header)
			}
		})
	}
}

// upgraded speaks a protocol that sends back each line.
func upgraded(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprintf(w, "Connection %q", r.Header["Connection"])
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\nX-Connection: %s\r\n\r\n",
		r.Header.Get("Upgrade"), r.Header.Get("Connection"))
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, line)
	}
}

func TestAnUpgradeReachesTheUpstreamOnlyWithEnableWebSocket(t *testing.T) {
	b := newBed(t, 1)
	headers := []string{"Upgrade: lines"}
	b.serveAt(t, `"enable_websocket":false,`, "", upgraded)
	if resp, body := send(t, b.Gateway, "GET /", headers...); resp.StatusCode != 200 || body != `Connection []` {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	b.serveAt(t, `"enable_websocket":true,`, "", upgraded)
	if _, body := send(t, b.Gateway, "GET /"); body != `Connection ["close"]` {
		t.Errorf("the client's Connection is sent on where WebSockets are: %q", body)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: lines\r\nConnection: Upgrade, X-User-Id\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "lines" || resp.Header.Get("X-Connection") != "Upgrade, X-User-Id" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	for _, line := range []string{"one\n", "two\n"} {
		_, _ = io.WriteString(conn, line)
		if got, err := in.ReadString('\n'); got != line {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestAnUpstreamThatSwitchesProtocolsUnaskedIsABadGateway(t *testing.T) {
	b := newBed(t, 1)
	b.serveAt(t, `"enable_websocket":true,`, "", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines\r\nConnection: Upgrade\r\n\r\n")
	})
	if resp, _ := send(t, b.Gateway, "GET /"); resp.StatusCode != 502 {
		t.Errorf("got %d", resp.StatusCode)
	}
}
