package auth0jwt_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// asking is a request with a method and a path.
type asking struct {
	*request
	method string
}

func (a asking) Method() string { return a.method }

func ask(method, path string, headers ...string) asking {
	r := newRequest(headers...)
	r.path = []byte(path)
	return asking{r, method}
}

const (
	withResource = `,"protected_resource":{"resource":"https://api.example.com/mcp","resource_name":"Orders"},"required_scopes":["read:orders"]`
	metadataPath = "/.well-known/oauth-protected-resource/mcp"
)

func answerTo(p *auth0jwt.Plugin, c any, r asking) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Code = 0
	p.RequestFilter(c, w, r)
	return w
}

func TestTheMetadataOfAProtectedResourceNeedsNoToken(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, conf(withResource))
	for _, tt := range []struct {
		name string
		r    asking
		want int
	}{
		{"GET", ask("GET", metadataPath), 200},
		{"HEAD", ask("HEAD", metadataPath), 200},
		{"whatever Host says", ask("GET", metadataPath, "host", "evil.example", "x-forwarded-host", "evil.example"), 200},
		{"with a token that is not good", ask("GET", metadataPath, "authorization", "Bearer x"), 200},
		{"a pre-flight", ask("OPTIONS", metadataPath, "origin", "https://client.example", "access-control-request-method", "GET"), 200},
		{"OPTIONS that is no pre-flight", ask("OPTIONS", metadataPath, "origin", "https://client.example"), 401},
		{"POST", ask("POST", metadataPath), 401},
		{"a slash more", ask("GET", metadataPath+"/"), 401},
		{"another resource", ask("GET", metadataPath+"2"), 401},
		{"the host's own", ask("GET", "/.well-known/oauth-protected-resource"), 401},
		{"capitals", ask("GET", strings.ToUpper(metadataPath)), 401},
		{"the resource itself", ask("GET", "/mcp"), 401},
		{"more headers than APISIX shows", ask("GET", metadataPath, many(policy.MaxHeadersShown)...), 431},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := answerTo(p, c, tt.r)
			if w.Code != tt.want {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if tt.want != 200 {
				return
			}
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"resource": "https://api.example.com/mcp", "authorization_servers": []any{"https://issuer.example/"},
				"scopes_supported": []any{"read:orders"}, "bearer_methods_supported": []any{"header"}, "resource_name": "Orders",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for name, value := range map[string]string{
				"Content-Type": "application/json", "Cache-Control": "public, max-age=60", "Access-Control-Allow-Origin": "*",
			} {
				if w.Header().Get(name) != value {
					t.Errorf("%s: %q", name, w.Header().Get(name))
				}
			}
		})
	}
}

func many(n int) (pairs []string) {
	for range n {
		pairs = append(pairs, "x-many", "1")
	}
	return pairs
}

func TestChallengesNameTheMetadataThatThePluginServes(t *testing.T) {
	p := newPlugin()
	w := answerTo(p, parse(t, p, conf(withResource)), ask("GET", "/mcp"))
	want := `Bearer realm="auth0-jwt", resource_metadata="https://api.example.com` + metadataPath + `"`
	if got := w.Header().Get("WWW-Authenticate"); got != want {
		t.Errorf("the challenge is %s", got)
	}
}

func TestNobodyIsToldOfAResourceThatCannotBeUsed(t *testing.T) {
	p := newPlugin()
	for name, c := range map[string]any{
		"a configuration with an error":        parse(t, p, conf(withResource+`,"leeway":"no time"`)),
		"no configuration":                     nil,
		"a configuration without the key":      parse(t, p, conf(``)),
		"a configuration of another plugin's":  "something",
		"a metadata URL that others answer to": parse(t, p, conf(`,"resource_metadata":"https://api.example.com`+metadataPath+`"`)),
	} {
		if w := answerTo(p, c, ask(http.MethodGet, metadataPath)); w.Code == 200 || w.Code == 0 {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

func TestARequestThatCannotBeReadIsDeniedBesideMetadata(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, conf(withResource))
	r := newRequest()
	r.panics = true
	w := httptest.NewRecorder()
	p.RequestFilter(c, w, r)
	if w.Code < 400 {
		t.Errorf("status %d", w.Code)
	}
}
