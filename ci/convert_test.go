package ci_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const discoveryDocument = ".well-known/openid-configuration"

// converted is a route with openid-connect as go-runner convert prints it, with
// the suite's secrets where its references lead.
func converted(t *testing.T, r route, old policy, flags ...string) json.RawMessage {
	t.Helper()
	body := map[string]any{
		"uri": r.prefix + "/*", "plugins": map[string]any{"openid-connect": old},
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{r.on.upstream.node: 1}},
	}
	if r.host != "" {
		body["host"] = r.host
	}
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "route.json"), filepath.Join(dir, "go-runner")
	if err := os.WriteFile(file, must(json.Marshal(body)), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, "../cmd/go-runner")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, append([]string{"convert", file}, flags...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	client, _ := old["client_id"].(string)
	client = strings.ReplaceAll(client, "-", "_")
	return json.RawMessage(strings.NewReplacer(
		"$env://CLIENT_SECRET_"+client, under.secrets.reference(clientSecret),
		"$env://SESSION_SECRET_"+client, under.secrets.reference(sessionSecret),
	).Replace(string(out)))
}

// beginAs puts a body and waits until it is in force.
func (r route) beginAs(t *testing.T, body json.RawMessage) {
	t.Helper()
	r.admin(t, http.MethodPut, body)
	t.Cleanup(func() { r.admin(t, http.MethodDelete, nil) })
	r.await(t, func(a answer) error {
		switch a.status {
		case http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable:
			return fmt.Errorf("still %d", a.status)
		}
		return nil
	}, request{})
}

// TestAConvertedRouteJudgesAsBefore is about a route with openid-connect and a
// public key.
func TestAConvertedRouteJudgesAsBefore(t *testing.T) {
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&ownRSA.PublicKey))})
	r := freshRoute()
	r.beginAs(t, converted(t, r, policy{
		"client_id": "orders", "bearer_only": true, "public_key": string(public), "discovery": ownIssuer + discoveryDocument,
		"claim_validator": map[string]any{"issuer": map[string]any{"valid_issuers": []string{ownIssuer}}},
		"required_scopes": []string{"read:orders"}, "unauth_action": "pass",
	}, "--audience", audience, "--kid", rsaKid))
	scoped := map[string]any{"scope": "openid read:orders"}
	forged := [][2]string{{"X-Userinfo", "forged"}, {"X_ID_Token", "forged"}, {"x-refresh-token", "forged"}}
	run(t, "a good token passes", func(t *testing.T) {
		token := claims(scoped)
		e := r.send(t, request{token: token, headers: forged}).passed(t)
		e.has(t, "X-Access-Token", token)
		for name, want := range map[string]int{"X-Userinfo": 1, "X-ID-Token": 0, "X-Refresh-Token": 0} {
			if values := e.values(name); len(values) != want || strings.Contains(strings.Join(values, ""), "forged") {
				t.Errorf("%s: %q", name, values)
			}
		}
	})
	for _, tt := range []struct {
		name, token string
		status      int
	}{
		{"no token", "", http.StatusUnauthorized},
		{"an opaque one", "opaque", http.StatusUnauthorized},
		{"another audience", claims(map[string]any{"scope": "read:orders", "aud": "https://another.example"}), http.StatusUnauthorized},
		{"another key", jws{claims: scoped, sign: rs256(rogueRSA)}.String(), http.StatusUnauthorized},
		{"without the scope", claims(map[string]any{"scope": "openid"}), http.StatusForbidden},
		{"the scope in scp", claims(map[string]any{"scope": nil, "scp": []string{"read:orders"}}), http.StatusForbidden},
		{"the scope in a list", claims(map[string]any{"scope": []string{"read:orders"}}), http.StatusForbidden},
	} {
		run(t, tt.name, func(t *testing.T) {
			if a := r.send(t, request{token: tt.token}); a.status != tt.status {
				t.Errorf("status %d, want %d", a.status, tt.status)
			}
		})
	}
}

// TestAConvertedRouteOfSessions logs in, and takes no ID token but a session's.
func TestAConvertedRouteOfSessions(t *testing.T) {
	logins(t)
	app := application{provider: under.issuer.provider(), cookie: "__Host-auth0_session", sameSite: http.SameSiteLaxMode}
	id := newRouteID()
	app.route, app.client, app.origin = route{id: id, host: id + ".example", on: under}, id, "https://"+id+".example"
	app.register(t, nil)
	app.beginAs(t, converted(t, app.route, policy{
		"client_id": app.client, "client_secret": "hush", "discovery": app.provider.url + discoveryDocument,
		"redirect_uri": app.origin + "/callback", "scope": "openid profile email", "session": map[string]any{"secret": "hush-hush-hush-hush"},
	}, "--allow-insecure", "--issuer", app.provider.url))
	e := newBrowser(t, app).login("/x")
	if got := e.values("X-ID-Token"); len(got) != 1 || got[0] == "" {
		t.Errorf("X-ID-Token: %q", got)
	}
	run(t, "an ID token without its session does not pass", func(t *testing.T) {
		token := under.issuer.mint(t, minting{Claims: map[string]any{"aud": app.client}})
		if a := app.send(t, request{token: token}); a.status != http.StatusForbidden {
			t.Errorf("status %d, want 403", a.status)
		}
	})
	run(t, "a token of another client is none", func(t *testing.T) {
		token := under.issuer.mint(t, minting{Claims: map[string]any{"aud": audience}})
		if a := app.send(t, request{token: token}); a.status != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", a.status)
		}
	})
}
