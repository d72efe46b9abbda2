package page_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a fake one: its gateway answers 204 to everything and keeps what came,
// byte for byte, and its runner says what the test wants.
type bench struct {
	gateway net.Listener

	mu      sync.Mutex
	came    []string // heads of requests to the gateway
	routes  []string
	acts    []page.Act
	metrics string
	runner  page.Runner
}

func startBench(t *testing.T) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{gateway: l, runner: page.Runner{Up: true, PID: 1, Start: 1}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { b.answer(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return b
}

func (b *bench) answer(conn net.Conn) {
	defer conn.Close()
	var head strings.Builder
	for buf := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
		if _, err := io.ReadFull(conn, buf); err != nil {
			return
		}
		head.Write(buf)
	}
	b.mu.Lock()
	b.came = append(b.came, head.String())
	b.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
}

func (b *bench) Site() page.Site {
	return page.Site{
		Gateway: "http://" + b.gateway.Addr().String(), Admin: "http://127.0.0.1:9180", Upstream: "http://127.0.0.1:9001", Node: "127.0.0.1:9001",
		Issuer: "http://127.0.0.1:9000/", OtherIssuer: "http://127.0.0.1:9003/", APISIX: "APISIX", RunnerVersion: "v1",
		Client: "app", ClientSecret: "APP_SECRET", SessionSecret: "SESSION_SECRET", Began: time.Unix(1_700_000_000, 0),
	}
}

func (b *bench) Mint(page.Tenant, issuer.MintRequest) (string, error) {
	return "eyJhbGciOiJub25lIn0.eyJzdWIiOiI8Yj4ifQ.", nil
}

func (b *bench) PutRoute(_ context.Context, _ string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes = append(b.routes, string(body))
	return nil
}

func (b *bench) Act(_ context.Context, a page.Act, _ string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acts = append(b.acts, a)
	return "done", nil
}

func (b *bench) Metrics(context.Context) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []byte(b.metrics), nil
}

func (b *bench) Runner() page.Runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.runner
}

func (*bench) Revocations() []revocation.Revocation { return nil }
func (*bench) Sick() []string                       { return nil }
func (*bench) Load() page.Load                      { return page.Load{} }

// touched is what reached anything behind the page.
func (b *bench) touched() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list = append(list, b.came...)
	list = append(list, b.routes...)
	for _, a := range b.acts {
		list = append(list, string(a))
	}
	return list
}

func serve(t *testing.T, b *bench) *page.Server {
	t.Helper()
	s, err := page.Start(page.Options{Addr: "127.0.0.1:0", Bench: b, Wire: &page.Wire{}, LiveEvery: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client follows no redirect, and keeps no connection.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

// ask sends a request with headers, of which Host is one.
func ask(t *testing.T, method, url, body string, headers ...[2]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		if h[0] == "Host" {
			req.Host = h[1]
			continue
		}
		req.Header.Add(h[0], h[1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
