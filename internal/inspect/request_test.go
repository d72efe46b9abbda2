package inspect_test

import (
	"net/url"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// TestARequestToExplainKnowsTheVariablesThatDecisionsAskFor: with the target
// in the client's own spelling.
func TestARequestToExplainKnowsTheVariablesThatDecisionsAskFor(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want map[string]string
	}{
		{"https://API.example.com:8443/a%2fb//../%C3%A9?page=2", map[string]string{
			"scheme": "https", "http_host": "API.example.com:8443", "host": "api.example.com", "real_request_uri": "/a%2fb//../%C3%A9?page=2",
		}},
		{"http://[::1]:8080", map[string]string{"scheme": "http", "http_host": "[::1]:8080", "host": "[::1]", "real_request_uri": "/"}},
		{"http://[::1]/", map[string]string{"http_host": "[::1]", "host": "[::1]"}},
	} {
		req := &inspect.Request{URL: must(url.Parse(tt.url))}
		for name, want := range tt.want {
			if got, err := req.Var(name); err != nil || string(got) != want {
				t.Errorf("%s of %s: %q, %v", name, tt.url, got, err)
			}
		}
	}
	if _, err := (&inspect.Request{URL: &url.URL{}}).Var("arg_token"); err == nil {
		t.Error("a variable that explain does not know has a value")
	}
}
