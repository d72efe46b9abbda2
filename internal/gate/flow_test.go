package gate_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

func loginDocument(t *testing.T, more, login string) []byte {
	t.Helper()
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	keys := forge.JWKS(forge.JWK(forge.RSA(), "kid", "k"))
	return fmt.Appendf(nil, `{"issuer":%q,"audience":%q,"jwks":%s%s,"login":{"client_id":"web","redirect_uri":"https://app.example/callback","session":{"secret":"$env://SESSION_SECRET"}%s}}`,
		issuer, audience, keys, more, login)
}

// TestRoutesOfOneLoginShareIt, and none of another does; a login whose routes are
// all gone is forgotten.
func TestRoutesOfOneLoginShareIt(t *testing.T) {
	g, log := newGate(t, gate.NewCache(1<<20))
	first := g.Compile(loginDocument(t, "", ""))
	if first.Err() != nil {
		t.Fatal(first.Err(), log)
	}
	for name, tt := range map[string]struct {
		more, login string
		shared      bool
	}{
		"the same":               {"", "", true},
		"other checks":           {`,"required_scopes":["a"]`, "", true},
		"one reads the ID token": {`,"claim_headers":{"X-Id":{"claim":"sub","from":"id_token"}}`, "", true},
		"another path":           {"", `,"login_path":"/in"`, false},
		"another leeway":         {`,"leeway":"1s"`, "", false},
		"another algorithm":      {`,"algorithms":["RS512"]`, "", false},
	} {
		r := g.Compile(loginDocument(t, tt.more, tt.login))
		if r.Err() != nil || gate.SameLogin(first, r) != tt.shared {
			t.Errorf("%s: %v, shared %v", name, r.Err(), !tt.shared)
		}
	}
	if !gate.KeepsIDToken(first) {
		t.Error("a route reads the ID token, and the login that it shares does not keep it")
	}
	runtime.KeepAlive(first)
	first = nil
	for range 100 {
		runtime.GC()
		if gate.Flows(g) == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d logins without a route are kept", gate.Flows(g))
}

// TestALoginWithoutRedisIsRefusedWhereItNeedsOne.
func TestALoginWithoutRedisIsRefusedWhereItNeedsOne(t *testing.T) {
	g, _ := newGate(t, nil)
	r := g.Compile([]byte(strings.Replace(string(loginDocument(t, "", "")), `"session":{`, `"session":{"store":"redis",`, 1)))
	if d := g.Decide(r, &request{}); reason(d.Decision) != "config_invalid" {
		t.Error(d.Reason())
	}
}
