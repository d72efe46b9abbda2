package jwks_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

func TestDiscoveryNeverLeadsFromHTTPSToHTTP(t *testing.T) {
	const plainDiscovery, plainKeys = "http://tenant.example/.well-known/openid-configuration", "http://tenant.example/keys"
	for _, tt := range []struct {
		name            string
		discovery, keys string
		allowInsecure   bool
		failed          string
	}{
		{"https names https", discovery, keysURI, false, ""},
		{"https names http", discovery, plainKeys, false, fetch.FailedURL},
		{"https names http, where the operator allows http", discovery, plainKeys, true, fetch.FailedURL},
		{"https names HTTP in capitals, where the operator allows http", discovery, "HTTP://tenant.example/keys", true, fetch.FailedURL},
		{"http names http, where the operator allows http", plainDiscovery, plainKeys, true, ""},
		{"http names https, where the operator allows http", plainDiscovery, keysURI, true, ""},
		{"http, where the operator does not allow it", plainDiscovery, keysURI, false, fetch.FailedURL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := ok(set(rsaJWK("r", rsaKey())))
				w := &web{pages: map[string]func() *http.Response{
					keysURI: good, plainKeys: good,
					tt.discovery: ok(`{"issuer":"` + issuer + `","jwks_uri":"` + tt.keys + `"}`),
				}}
				r := jwks.NewRegistry(jwks.Options{
					Fetch:  fetch.New(fetch.Options{Transport: w, AllowInsecure: tt.allowInsecure}),
					Logger: slog.New(slog.DiscardHandler),
				})
				defer r.Close()
				p := r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: tt.discovery, SSLVerify: true})
				err := find(p, "r")
				if s := p.Status(); s.LastError != tt.failed || (tt.failed == "") != (err == nil) || err != nil && !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Key: %v, %+v", err, s)
				}
			})
		})
	}
}
