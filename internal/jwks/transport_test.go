package jwks_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

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
