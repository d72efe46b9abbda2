package ci_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// webSocket is a connection after a handshake that succeeded.
type webSocket struct {
	conn net.Conn
	r    *bufio.Reader
}

// upgrade asks for a WebSocket. The connection is nil where the answer is not 101.
func (r route) upgrade(t *testing.T, req request) (*webSocket, answer) {
	t.Helper()
	u, err := url.Parse(r.on.gateway)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"GET " + r.target(req) + " HTTP/1.1", "Host: " + u.Host, "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	connection := "Connection: Upgrade"
	for _, h := range req.allHeaders() {
		if h[0] == "Connection" {
			connection = ""
		}
		lines = append(lines, h[0]+": "+h[1])
	}
	if connection != "" {
		lines = append(lines, connection)
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// The accept key of RFC 6455 section 1.3, whose key this is.
		if accept := resp.Header.Get("Sec-WebSocket-Accept"); accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("accepted %q", accept)
		}
		return &webSocket{conn, in}, answer{status: resp.StatusCode, header: resp.Header}
	}
	a, err := read(resp)
	if err != nil {
		t.Fatal(err)
	}
	return nil, a
}

// say sends a short text.
func (w *webSocket) say(text string) error {
	frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	_, err := w.conn.Write(frame)
	return err
}

// hear reads a text of at most 64 KiB.
func (w *webSocket) hear() (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.r, head[:2]); err != nil {
		return "", err
	}
	length := int(head[1])
	switch {
	case head[0] != 0x81 || length > 126:
		return "", errors.New("no short text frame of a server")
	case length == 126:
		if _, err := io.ReadFull(w.r, head[2:]); err != nil {
			return "", err
		}
		length = int(head[2])<<8 | int(head[3])
	}
	text := make([]byte, length)
	_, err := io.ReadFull(w.r, text)
	return string(text), err
}

// handshake is what the upstream was sent.
func (w *webSocket) handshake(t *testing.T) *echo {
	t.Helper()
	text, err := w.hear()
	if err != nil {
		t.Fatal(err)
	}
	var e echo
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestRecipeWebSocket(t *testing.T) {
	exp := time.Now().Add(time.Hour).Unix()
	token := tokenOf("alice", map[string]any{"exp": exp})
	r := cook(t, newRecipe(t, under, "WebSocket", map[string]string{"ALICE": token}))
	const feed = "/orders/feed"
	cookie := [2]string{"Cookie", "theme=dark; access_token=" + token}
	ours := [2]string{"Origin", "https://app.example.com"}
	for name, req := range map[string]request{
		"a service": {token: token},
		"a page":    {headers: [][2]string{cookie, ours, {"Connection", "keep-alive, Upgrade"}}},
		"someone who claims to be another": {token: token, headers: [][2]string{
			{"X-User-Id", "auth0|victim"}, {"X_User_Id", "auth0|victim"}, {"X-Token-Expires", "99999999999"},
		}},
	} {
		run(t, name+" speaks with the upstream, which knows who it is", func(t *testing.T) {
			req.path = feed
			w, a := r.upgrade(t, req)
			if w == nil {
				t.Fatalf("no WebSocket: %v", a)
			}
			e := w.handshake(t)
			e.has(t, "X-User-Id", "auth0|alice")
			e.has(t, "X-Token-Expires", fmt.Sprint(exp))
			if e.holds(token) {
				t.Error("the upstream got the token")
			}
			for _, text := range []string{"one", "two", strings.Repeat("x", 125)} {
				if err := w.say(text); err != nil {
					t.Fatal(err)
				}
				if back, err := w.hear(); err != nil || back != text {
					t.Fatalf("said %q, heard %q, %v", text, back, err)
				}
			}
		})
	}
	denied := refusal{status: 403, code: "access_denied"}
	for name, tt := range map[string]struct {
		req  request
		want refusal
	}{
		"no token":                   {request{headers: [][2]string{ours}}, noToken},
		"a bad token":                {request{token: "opaque"}, badToken},
		"a token in a subprotocol":   {request{headers: [][2]string{{"Sec-WebSocket-Protocol", "bearer, " + token}}}, noToken},
		"a page of another site":     {request{headers: [][2]string{cookie, {"Origin", "https://evil.example"}}}, denied},
		"a page of another scheme":   {request{headers: [][2]string{cookie, {"Origin", "http://app.example.com"}}}, denied},
		"a page that begins alike":   {request{headers: [][2]string{cookie, {"Origin", "https://app.example.com.evil.example"}}}, denied},
		"a sandboxed page":           {request{headers: [][2]string{cookie, {"Origin", "null"}}}, denied},
		"two origins":                {request{headers: [][2]string{cookie, ours, {"Origin", "https://evil.example"}}}, denied},
		"a Connection with a header": {request{token: token, headers: [][2]string{{"Connection", "Upgrade, X-User-Id"}}}, denied},
		"two Connections":            {request{token: token, headers: [][2]string{{"Connection", "Upgrade"}, {"Connection", "x-user-id"}}}, denied},
	} {
		run(t, name+" gets no WebSocket", func(t *testing.T) {
			before := under.upstream.requests(t)
			tt.req.path = feed
			w, a := r.upgrade(t, tt.req)
			if w != nil {
				t.Fatal("got one")
			}
			a.isRefusal(t, tt.want)
			if under.upstream.requests(t) != before {
				t.Error("it reached the upstream")
			}
		})
	}
	run(t, "a route without enable_websocket passes no upgrade on", func(t *testing.T) {
		plain := newRoute(t, identityOwn)
		w, a := plain.upgrade(t, request{token: goodToken()})
		if w != nil {
			t.Fatal("got a WebSocket")
		}
		a.passed(t).has(t, "Upgrade")
	})
}

func TestRecipeServerSentEvents(t *testing.T) {
	r := cook(t, newRecipe(t, under, "Server-sent events", map[string]string{"ALICE": tokenOf("alice", nil)}))
	stream := [2]string{"Accept", "text/event-stream"}
	for name, headers := range claimsToBe {
		run(t, "an event arrives while the stream is open, and the upstream knows who reads it, with "+name, func(t *testing.T) {
			out, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.on.gateway+r.target(request{path: "/orders/events"}), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range append([][2]string{stream, {"Authorization", "Bearer " + tokenOf("alice", nil)}}, headers...) {
				out.Header[h[0]] = append(out.Header[h[0]], h[1])
			}
			resp, err := client.Do(out)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			// The upstream says no more until the client leaves: a gateway that
			// collects the answer would never send this line.
			line, err := bufio.NewReader(resp.Body).ReadString('\n')
			if err != nil {
				t.Fatalf("no event: %v", err)
			}
			var e echo
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &e); err != nil {
				t.Fatalf("%v: %q", err, line)
			}
			e.has(t, "X-User-Id", "auth0|alice")
			if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
				t.Errorf("Content-Type %q", kind)
			}
		})
	}
	run(t, "without a token no stream is opened", func(t *testing.T) {
		before := under.upstream.requests(t)
		r.send(t, request{path: "/orders/events", headers: [][2]string{stream}}).isRefusal(t, noToken)
		r.send(t, request{path: "/orders/events", token: "opaque", headers: [][2]string{stream}}).isRefusal(t, badToken)
		if under.upstream.requests(t) != before {
			t.Error("one was")
		}
	})
}
