package fetch_test

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

var page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a page")) })

// get makes one request, and gives the kind of its failure.
func get(t *testing.T, c *fetch.Client, r fetch.Request) (*fetch.Response, string) {
	t.Helper()
	resp, err := c.Get(t.Context(), r)
	if err == nil {
		return resp, ""
	}
	failed, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		t.Fatalf("the error is a %T", err)
	}
	return nil, failed.Kind
}

func serve(t *testing.T, start func(http.Handler) *httptest.Server, handler http.Handler) *httptest.Server {
	t.Helper()
	server := start(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	return server
}

func TestWhereRequestsMayGo(t *testing.T) {
	plain, secure := serve(t, httptest.NewServer, page), serve(t, httptest.NewTLSServer, page)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "https://" + free.Addr().String() // until it is closed
	_ = free.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	named := fetch.Options{AllowNetworks: networks("127.0.0.0/8"), RootCAs: trusted}
	insecure := fetch.Options{AllowInsecure: true, RootCAs: trusted}
	for _, tt := range []struct {
		name       string
		opt        fetch.Options
		url        string
		unverified bool
		failed     string
	}{
		{"a loopback address is refused", fetch.Options{RootCAs: trusted}, secure.URL, false, fetch.FailedAddress},
		{"and one written as mapped IPv6", fetch.Options{RootCAs: trusted}, "https://[::ffff:127.0.0.1]:" + port, false, fetch.FailedAddress},
		{"and a name that resolves to one", fetch.Options{RootCAs: trusted}, "https://localhost:" + port, false, fetch.FailedAddress},
		{"one in a named network is not", named, secure.URL, false, ""},
		{"nor one in a named network, mapped", named, "https://[::ffff:127.0.0.1]:" + port, false, ""},
		{"another network does not count", fetch.Options{AllowNetworks: networks("10.0.0.0/8"), RootCAs: trusted}, secure.URL, false, fetch.FailedAddress},
		{"a named network is no reason not to verify", fetch.Options{AllowNetworks: networks("127.0.0.0/8")}, secure.URL, false, fetch.FailedTLS},
		{"not even for who asks for that", fetch.Options{AllowNetworks: networks("127.0.0.0/8")}, secure.URL, true, fetch.FailedTLS},
		{"nor to speak plain http", named, plain.URL, false, fetch.FailedURL},
		{"allow-insecure admits the address", insecure, secure.URL, false, ""},
		{"and plain http", insecure, plain.URL, false, ""},
		{"and verifies all the same", fetch.Options{AllowInsecure: true}, secure.URL, false, fetch.FailedTLS},
		{"unless it is told not to", fetch.Options{AllowInsecure: true}, secure.URL, true, ""},
		{"nobody listens", insecure, nobody, false, fetch.FailedConnection},
		{"TLS to who speaks none", insecure, "https" + plain.URL[len("http"):], false, fetch.FailedTLS},
		{"a URL with a user", insecure, "https://user@" + secure.Listener.Addr().String(), false, fetch.FailedURL},
		{"a URL of a file", insecure, "file:///etc/passwd", false, fetch.FailedURL},
		{"a URL without a host", insecure, "https:///keys", false, fetch.FailedURL},
		{"no URL", insecure, "https://[::1", false, fetch.FailedURL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fetch.New(tt.opt)
			defer c.Close()
			resp, failed := get(t, c, fetch.Request{URL: tt.url, Unverified: tt.unverified})
			if failed != tt.failed || failed == "" && string(resp.Body) != "a page" {
				t.Errorf("failed with %q, want %q", failed, tt.failed)
			}
		})
	}
}

func TestABombIsCutOff(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = zip.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = zip.Close()
	server := serve(t, httptest.NewServer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	c := fetch.New(fetch.Options{AllowInsecure: true})
	defer c.Close()
	if _, failed := get(t, c, fetch.Request{URL: server.URL}); failed != fetch.FailedTooLarge {
		t.Errorf("64 MiB that travel as %d bytes: failed with %q", bomb.Len(), failed)
	}
}

func TestABodyCutShortIsNoBody(t *testing.T) {
	server := serve(t, httptest.NewServer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "a page")
	}))
	c := fetch.New(fetch.Options{AllowInsecure: true})
	defer c.Close()
	if _, failed := get(t, c, fetch.Request{URL: server.URL}); failed != fetch.FailedConnection {
		t.Errorf("failed with %q", failed)
	}
}

// The proxy of the environment is read once in a process, so this test has one
// of its own.
func TestTheProxyOfTheEnvironmentIsAsked(t *testing.T) {
	if proxied := os.Getenv("TEST_PROXIED"); proxied != "" {
		c := fetch.New(fetch.Options{AllowInsecure: true})
		defer c.Close()
		if _, failed := get(t, c, fetch.Request{URL: proxied}); failed != "" {
			t.Fatal(failed)
		}
		return
	}
	asked := make(chan string, 16)
	proxy := serve(t, httptest.NewServer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		page(w, r)
	}))
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
