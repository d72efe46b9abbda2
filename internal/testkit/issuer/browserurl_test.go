package issuer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

func TestBrowsersAreSentToTheAddressThatTheyReach(t *testing.T) {
	const browsers = "https://login.example/"
	i := start(t, issuer.Options{BrowserURL: browsers})
	status, body := call(t, i, ".well-known/openid-configuration", "", "")
	if status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	document := object(t, body)
	for member, below := range map[string]string{
		"issuer": i.URL(), "jwks_uri": i.URL(), "token_endpoint": i.URL(), "revocation_endpoint": i.URL(),
		"pushed_authorization_request_endpoint": i.URL(), "userinfo_endpoint": i.URL(),
		"authorization_endpoint": browsers, "end_session_endpoint": browsers,
	} {
		if got, _ := document[member].(string); !strings.HasPrefix(got, below) {
			t.Errorf("%s is %q, want it below %s", member, got, below)
		}
	}
}

func TestABrowserURLEndsInASlash(t *testing.T) {
	if i, err := issuer.Start(issuer.Options{BrowserURL: "https://login.example"}); err == nil {
		_ = i.Close()
		t.Error("it started")
	}
}
