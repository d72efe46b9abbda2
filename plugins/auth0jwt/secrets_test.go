package auth0jwt_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

func TestTheOperatorsDirectoryOfSecretsHoldsForEveryRoute(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"/secrets", "/elsewhere"} {
		if err := errors.Join(os.Mkdir(base+dir, 0o700), os.WriteFile(base+dir+"/api", make([]byte, 32), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler), Transport: offline{}, SecretsDir: base + "/secrets"})
	for path, fine := range map[string]bool{"/secrets/api": true, "/elsewhere/api": false} {
		c := parse(t, p, fmt.Appendf(nil, `{"issuer":"https://i.example/","audience":"api","algorithms":["HS256"],"client_secret":"$file://%s%s"}`, base, path))
		if r, ok := c.(*gate.Route); !ok || (r.Err() == nil) != fine {
			t.Errorf("%s: %v", path, r.Err())
		}
	}
}
