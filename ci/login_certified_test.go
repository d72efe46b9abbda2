package ci_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/certified"
)

// TestLoginAtACertifiedProvider goes the whole way at a provider that nobody
// here wrote. Without Node.js it is skipped, and with CI set it fails.
func TestLoginAtACertifiedProvider(t *testing.T) {
	needSecret(t, sessionSecret, clientSecret)
	if os.Getenv("GATEWAY") != "" && os.Getenv("ISSUER") != "" {
		t.Skip("not run: the provider listens on 127.0.0.1 of this machine, which a gateway with an issuer of its own may not reach")
	}
	for _, tt := range []struct {
		name   string
		login  policy
		policy policy
		method string // of authentication at the token endpoint
	}{
		{"an access token for an API", offline, nil, "client_secret_basic"},
		{"the ID token is judged", merged(offline, policy{"subject_token": "id_token"}), policy{"audience": nil}, "client_secret_basic"},
		{"the access token is forwarded", policy{"subject_token": "id_token", "forward_access_token": true}, policy{"audience": nil}, "client_secret_basic"},
		{"headers from the ID token", nil, policy{"claim_headers": map[string]any{"X-User-Id": "sub", "X-User-Email": map[string]any{"claim": "email", "from": "id_token"}}}, "client_secret_basic"},
		{"a public client", policy{"client_secret": nil}, nil, "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := newRouteID()
			app := application{
				route: route{id: id, host: id + ".example", on: under}, origin: "https://" + id + ".example",
				client: "web", cookie: "__Host-auth0_session", sameSite: http.SameSiteLaxMode,
			}
			client := certified.Client{
				ID: app.client, RedirectURIs: []string{app.origin + "/callback"}, PostLogoutRedirectURIs: []string{app.origin + "/bye"},
				TokenEndpointAuthMethod: tt.method,
			}
			if tt.method != "none" {
				client.Secret = under.secrets.values[clientSecret]
			}
			p := certified.Start(t, client)
			app.provider = provider{url: p.URL, pages: p.URL, control: p.URL, login: p.URL + "/auth?"}
			app.conf = app.policy().with(tt.policy)
			app.conf["login"] = app.login().with(tt.login)
			app.begin(t, routeSpec{value: app.conf.text()})
			certifiedLogin(t, app)
		})
	}
}

func certifiedLogin(t *testing.T, app application) {
	var b *browser
	run(t, "a deep link", func(t *testing.T) {
		wholeLogin{target: deep, echo: map[string]string{"X-User-Id": "alice"}}.goes(t, app)
	})
	run(t, "somebody denies", func(t *testing.T) {
		denied := app
		denied.change(t, policy{"authorization_params": map[string]string{"login_hint": "deny"}})
		denied.await(t, wantStatus(302), request{headers: navigation})
		if err := eventually(hangGuard, func() error {
			b := newBrowser(t, denied)
			return wantStatus(http.StatusForbidden)(b.arrive(b.open("/x")).answer)
		}); err != nil {
			t.Error(err)
		}
		app.put(t, routeSpec{value: app.conf.text()})
		if err := eventually(hangGuard, func() error {
			b = newBrowser(t, app)
			return wantStatus(http.StatusOK)(b.arrive(b.open("/x")).answer)
		}); err != nil {
			t.Fatal(err)
		}
	})
	run(t, "the code again", func(t *testing.T) {
		begun := begin(t, app)
		used := begun.copy()
		begun.arrive(begun.navigate(begun.callback)).passed(t)
		used.navigate(begun.callback).refused(t, 400)
	})
	run(t, "logout", func(t *testing.T) {
		stolen := b.copy()
		p := b.click("/logout").refused(t, 302)
		if to := p.header.Get("Location"); !strings.HasPrefix(to, app.provider.url+"/session/end?") {
			t.Errorf("sent to %q", to)
		}
		if asks := b.follow(p); asks.status != http.StatusOK {
			t.Errorf("the provider says %v", asks.answer)
		}
		b.sessionless()
		stolen.fetch("/x").isRefusal(t, noToken)
	})
}
