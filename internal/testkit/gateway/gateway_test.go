package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// runner is a fake one: answer decides, and what it was shown is kept.
type runner struct {
	listener net.Listener
	answer   func(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool)

	mu       sync.Mutex
	first    uint32 // the first token it gives out
	prepared int
	seen     []a6.Request
	conns    []net.Conn
}

func goOn(r a6.Request, _ func(a6.Question) []byte) (a6.Answer, bool) {
	return a6.Answer{ID: r.ID}, true
}

func startRunner(t *testing.T, path string, first uint32) *runner {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{listener: listener, first: first, answer: goOn}
	go r.serve()
	t.Cleanup(r.stop)
	return r
}

func (r *runner) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, conn)
		r.mu.Unlock()
		go r.talk(conn)
	}
}

func (r *runner) stop() {
	_ = r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
}

func (r *runner) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		kind, payload, err := a6.ReadFrame(in, nil)
		if err != nil {
			return
		}
		if kind == a6.PrepareConf {
			r.mu.Lock()
			token := r.first + uint32(r.prepared)
			r.prepared++
			r.mu.Unlock()
			_ = a6.WriteFrame(conn, kind, a6.EncodePrepareConfResp(token))
			continue
		}
		req, _ := a6.DecodeRequest(payload)
		r.mu.Lock()
		r.seen = append(r.seen, req)
		r.mu.Unlock()
		verdict, known := r.answer(req, func(q a6.Question) []byte {
			_ = a6.WriteFrame(conn, a6.ExtraInfo, a6.EncodeExtraInfoReq(q))
			_, payload, _ := a6.ReadFrame(in, nil)
			result, _ := a6.DecodeExtraInfoResp(payload)
			return result
		})
		if !known {
			_ = a6.WriteFrame(conn, a6.Error, a6.EncodeError(a6.ConfTokenNotFound))
			continue
		}
		_ = a6.WriteFrame(conn, kind, a6.EncodeAnswer(verdict))
	}
}

func (r *runner) counts() (prepared, calls int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prepared, len(r.seen)
}

// bed is a gateway, a runner and an upstream that tells what it was sent.
type bed struct {
	*gateway.Gateway
	runner *runner
	socket string
	node   string
}

func newBed(t *testing.T, workers int) *bed {
	t.Helper()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Upstream", "yes")
		w.Header().Set("X-Peer", r.RemoteAddr)
		fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
		_ = r.Header.Write(w)
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(echo.Close)
	b := &bed{socket: filepath.Join(t.TempDir(), "r.sock"), node: strings.TrimPrefix(echo.URL, "http://")}
	b.runner = startRunner(t, b.socket, 1)
	var err error
	b.Gateway, err = gateway.Start(gateway.Options{SocketPath: b.socket, Workers: workers, AdminKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	b.put(t, "1", `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]}`)
	return b
}

func (b *bed) put(t *testing.T, id, plugins string) {
	t.Helper()
	body := fmt.Sprintf(`{"uri":"/*","plugins":{%s},"upstream":{"type":"roundrobin","nodes":{%q:1}}}`, plugins, b.node)
	if status, text := admin(t, b.Gateway, "PUT", "/apisix/admin/routes/"+id, "k", body); status/100 != 2 {
		t.Fatalf("PUT: %d %s", status, text)
	}
}

func admin(t *testing.T, g *gateway.Gateway, method, path, key, body string) (int, string) {
	t.Helper()
	req, _ := http.NewRequest(method, g.AdminURL()+path, strings.NewReader(body))
	req.Header.Set("X-API-KEY", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// send writes a raw request and reads the whole answer.
func send(t *testing.T, g *gateway.Gateway, line string, headers ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var raw bytes.Buffer
	raw.WriteString(line + " HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n")
	for _, header := range headers {
		raw.WriteString(header + "\r\n")
	}
	raw.WriteString("\r\n")
	_, _ = conn.Write(raw.Bytes())
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "fake-runner" {
		path := strings.TrimPrefix(os.Getenv("APISIX_LISTEN_ADDRESS"), "unix:")
		_ = os.Remove(path)
		listener, err := net.Listen("unix", path)
		if err != nil {
			os.Exit(3)
		}
		env := strings.Join(os.Environ(), " ")
		r := &runner{listener: listener, first: 1}
		r.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
			return a6.Answer{Stop: &a6.Stop{Body: []byte(env)}}, true
		}
		r.serve()
		os.Exit(0)
	}
	if len(os.Args) == 4 && os.Args[1] == "fake-runner" {
		fakeRunner(os.Args[2], os.Args[3])
	}
	goleak.VerifyTestMain(m)
}
