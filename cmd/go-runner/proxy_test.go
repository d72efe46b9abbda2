package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// An issuer that has no address at all is asked by the proxy, also where APISIX
// starts the runner and gives it no environment.
func TestIssuersAreAskedThroughTheProxyOfTheSettings(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.String() {
		case "http://issuer.invalid/.well-known/openid-configuration":
			_, _ = w.Write([]byte(`{"issuer":"http://issuer.invalid/","jwks_uri":"http://issuer.invalid/keys"}`))
		case "http://issuer.invalid/keys":
			_, _ = w.Write(forge.JWKS(forge.JWK(forge.Ed25519(), "kid", "k")))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	token := forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "k"), forge.Claims("http://issuer.invalid/", "api", time.Now()))
	o := startObserved(t, "--allow-insecure", "--proxy", proxy.URL)
	route := o.route("r", "auth0-jwt", `{"issuer":"http://issuer.invalid/","audience":"api","algorithms":["EdDSA"]}`)
	if status := o.request(route, "/", bearer(token)); status != 0 {
		t.Errorf("the issuer was not asked: %d", status)
	}
	o.endsWell()
}

func TestWhatIsNoProxy(t *testing.T) {
	for text, good := range map[string]bool{
		"http://proxy.example:3128": true, "https://user:secret@proxy.example/": true, "socks5://127.0.0.1:1080": true, "http://[::1]:3128": true,
		"": false, "proxy.example:3128": false, "ftp://proxy.example": false, "http://": false, "http://proxy.example/path": false,
		"http://proxy.example?x": false, "http://user:secret@pro xy": false,
	} {
		var p proxyURL
		if err := p.Set(text); (err == nil) != good || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAProxysPasswordIsInNoErrorOfASetting: what is wrong with a flag, a file and a
// variable is written where APISIX keeps its log.
func TestAProxysPasswordIsInNoErrorOfASetting(t *testing.T) {
	const wrong = "http://user:hush@pro xy"
	file := filepath.Join(t.TempDir(), "runner.yaml")
	if err := os.WriteFile(file, []byte(`proxy: "`+wrong+`"`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"flag": {"run", "--proxy", wrong}, "with =": {"run", "--proxy=" + wrong}, "file": {"run", "--config", file}, "variable": {"run"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "variable" {
				t.Setenv("AUTH0_JWT_PROXY", wrong)
			}
			out, log, code := ran(args...)
			if code == 0 || !strings.Contains(log, "want a URL such as http://proxy.example.com:3128") || strings.Contains(out+log, "hush") {
				t.Errorf("exit %d: %s%s", code, out, log)
			}
		})
	}
}
