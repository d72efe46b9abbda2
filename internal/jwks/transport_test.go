package jwks_test

import (
	"bytes"
	"compress/gzip"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

func TestTheOwnTransport(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(set(rsaJWK("r", rsaKey()))))
	})
	plain, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	defer plain.Close()
	defer secure.Close()
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	for _, tt := range []struct {
		name     string
		url      string
		insecure bool
		verify   bool
		failed   string
	}{
		{"does not go to loopback addresses", secure.URL, false, true, jwks.FailedAddress},
		{"goes there where the operator said so", plain.URL, true, true, ""},
		{"verifies certificates", secure.URL, true, true, jwks.FailedTLS},
		{"may be told not to", secure.URL, true, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := jwks.NewRegistry(jwks.Options{AllowInsecure: tt.insecure, Logger: slog.New(slog.DiscardHandler)})
			defer r.Close()
			p := r.Provider(jwks.Source{Issuer: issuer, JWKSURI: tt.url, SSLVerify: tt.verify})
			err := find(p, "r")
			if s := p.Status(); s.LastError != tt.failed || (err == nil) != (tt.failed == "") {
				t.Errorf("Key: %v, %+v", err, s)
			}
		})
	}
}

func TestAnswersThatGrowOrTrickleAreCutOff(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write([]byte(`{"keys":[`))
	for range 64 {
		_, _ = zip.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = zip.Close()
	for _, tt := range []struct {
		name, failed string
		page         http.HandlerFunc
	}{
		{"64 MiB that travel as 64 KiB", jwks.FailedTooLarge, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}},
		{"a body that never ends", jwks.FailedTimeout, func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
				}
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.page)
			defer server.Close()
			r := jwks.NewRegistry(jwks.Options{AllowInsecure: true, Logger: slog.New(slog.DiscardHandler)})
			defer r.Close()
			p := r.Provider(jwks.Source{Issuer: issuer, JWKSURI: server.URL, SSLVerify: true})
			for p.Status().Failures == 0 { // ends by the fetch's own limit, or by the test's
				_ = find(p, "r")
				time.Sleep(10 * time.Millisecond)
			}
			if failed := p.Status().LastError; failed != tt.failed {
				t.Errorf("failed with %q", failed)
			}
		})
	}
}

// The proxy of the environment is read once in a process, so this test has one
// of its own.
func TestTheProxyOfTheEnvironmentIsAsked(t *testing.T) {
	if proxied := os.Getenv("TEST_PROXIED"); proxied != "" {
		r := jwks.NewRegistry(jwks.Options{AllowInsecure: true, Logger: slog.New(slog.DiscardHandler)})
		defer r.Close()
		if err := find(r.Provider(jwks.Source{Issuer: issuer, JWKSURI: proxied, SSLVerify: true}), "r"); err != nil {
			t.Fatal(err)
		}
		return
	}
	asked := make(chan string, 16)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		_, _ = w.Write([]byte(set(rsaJWK("r", rsaKey()))))
	}))
	defer proxy.Close()
	for _, tt := range []struct{ url, want string }{
		{"http://issuer.example/keys", "http://issuer.example/keys"},
		{"http://direct.example/keys", ""}, // in NO_PROXY, and resolves to nothing
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTheProxyOfTheEnvironmentIsAsked$")
		cmd.Env = append(os.Environ(), "TEST_PROXIED="+tt.url, "HTTP_PROXY="+proxy.URL, "NO_PROXY=direct.example")
		out, err := cmd.CombinedOutput()
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: %v\n%s", tt.url, err, out)
		}
		got := ""
		select {
		case got = <-asked:
		default:
		}
		if got != tt.want {
			t.Errorf("%s: the proxy was asked for %q", tt.url, got)
		}
	}
}
