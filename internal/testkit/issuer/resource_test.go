package issuer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

func TestAResourceIsTheAudienceWhereNoneIsNamed(t *testing.T) {
	const resource = "https://api.example.com/mcp"
	a := newApp(t, confidential)
	a.Scopes = []string{"read:orders"}
	for _, tt := range []struct {
		name     string
		asked    []string // of the authorization request
		redeemed string   // resource of the token request
		want     any      // aud; nil is a refusal
	}{
		{"of both requests", []string{"resource", resource}, resource, resource},
		{"of the authorization request", []string{"resource", resource}, "", resource},
		{"beside an audience", []string{"resource", resource, "audience", issuer.DefaultAudience}, resource, issuer.DefaultAudience},
		{"another one in the token request", []string{"resource", resource}, "https://api.example.com/other", nil},
		{"one in the token request alone", []string{"audience", issuer.DefaultAudience}, resource, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verifier := oauth2.GenerateVerifier()
			_, to, _ := a.goTo(t, a.asks(verifier, tt.asked...))
			more := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
			if tt.redeemed != "" {
				more = append(more, oauth2.SetAuthURLParam("resource", tt.redeemed))
			}
			token, err := a.Exchange(t.Context(), to.Query().Get("code"), more...)
			if tt.want == nil {
				if err == nil || !strings.Contains(err.Error(), "invalid_target") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, object(t, part(t, token.AccessToken, 1))["aud"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAResourceThatIsNoAbsoluteURIIsRefused(t *testing.T) {
	a := newApp(t, confidential)
	for _, resource := range []string{"/mcp", "https://api.example.com/mcp#a"} {
		if got := a.answer(t, "resource", resource); got.Get("error") != "invalid_target" {
			t.Errorf("%s: %v", resource, got)
		}
	}
}
