package auth0jwt_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// everyIssuer is a network in which every host is an issuer with one key.
type everyIssuer struct{}

func (everyIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := string(keySet())
	if strings.HasSuffix(r.URL.Path, "openid-configuration") {
		body = fmt.Sprintf(`{"issuer":"https://%s/","jwks_uri":"https://%s/keys"}`, r.URL.Host, r.URL.Host)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestManyProvidersAndRoutes holds 1,000 issuers and 10,000 routes to one
// goroutine a provider, and prints what they cost.
func TestManyProvidersAndRoutes(t *testing.T) {
	const providers, routes = 1000, 10_000
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler), Transport: everyIssuer{}})
	defer p.Close()
	began := time.Now()
	confs := make([]any, routes)
	for n := range confs {
		confs[n] = parse(t, p, fmt.Appendf(nil, `{"domain":"t%d.example.com","audience":"https://api.example.com","required_scopes":["read:%d"],"claim_headers":{"X-User-Id":"sub"}}`, n%providers, n))
	}
	read := time.Since(began)
	// Reading the configurations started the fetches.
	ready := 0
	for deadline := time.Now().Add(time.Minute); ready < providers && time.Now().Before(deadline); runtime.Gosched() {
		ready = 0
		for _, s := range p.Gate().Providers() {
			if s.Ready {
				ready++
			}
		}
	}
	running := runtime.NumGoroutine() - goroutines
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if ready != providers || running > providers+10 {
		t.Errorf("%d providers ready, %d goroutines", ready, running)
	}
	t.Logf("%d routes read in %v, %d providers ready after %v, %d goroutines, %.1f MiB of heap",
		routes, read.Round(time.Millisecond), ready, took.Round(time.Millisecond), running, float64(after.HeapAlloc-before.HeapAlloc)/(1<<20))
	runtime.KeepAlive(confs)
}
