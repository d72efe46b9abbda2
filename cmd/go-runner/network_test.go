package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// privateIssuer serves keys with https on a loopback address. It gives the token
// of its key, and the PEM file of its authority.
func privateIssuer(t *testing.T) (url, token, caFile string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write(forge.JWKS(forge.JWK(forge.Ed25519())))
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":"https://%s/","jwks_uri":"https://%[1]s/keys"}`, r.Host)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	url = server.URL + "/"
	token = forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", ""), forge.Claims(url, "api", time.Now()))
	return url, token, caFile
}

func TestAnIssuerInAPrivateNetworkIsAskedOnlyWhereTheNetworkWasNamed(t *testing.T) {
	url, token, caFile := privateIssuer(t)
	conf := filepath.Join(t.TempDir(), "conf.json")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `{"issuer":%q,"audience":"api","algorithms":["EdDSA"]}`, url), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		flags     []string
		says, log string
	}{
		{"no network", []string{"--ca-file", caFile}, "keys_unavailable", "kind=forbidden_address at=discovery next_try="},
		{"another network", []string{"--ca-file", caFile, "--allow-network", "10.0.0.0/8"}, "keys_unavailable", "kind=forbidden_address at=discovery"},
		{"its network", []string{"--ca-file", caFile, "--allow-network", "10.0.0.0/8", "--allow-network", "127.0.0.0/8"}, "forwarded", ""},
		{"its network, without its authority", []string{"--allow-network", "127.0.0.0/8"}, "keys_unavailable", "kind=tls at=discovery"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, log strings.Builder
			cmd := explainCommand()
			cmd.SetArgs(append([]string{"-c", conf, "-t", token}, tt.flags...))
			cmd.SetOut(&out)
			cmd.SetErr(&log)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), tt.says) || !strings.Contains(log.String(), tt.log) || tt.log == "" && log.String() != "" {
				t.Errorf("%s\n%s", out.String(), log.String())
			}
		})
	}
}

func TestNetworksAreReadFromEverySourceAndWrittenAsTheyAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("allow-network: 10.3.0.0/16, fd12:3456::/32\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, env, want string
		given           map[string]string
	}{
		{"nothing", "", "", nil},
		{"the file", "", "10.3.0.0/16,fd12:3456::/32", map[string]string{"config": file}},
		{"the environment before the file", "10.2.0.0/16", "10.2.0.0/16", map[string]string{"config": file}},
		{"the flag before both", "10.2.0.0/16", "10.1.0.0/16,127.0.0.0/8", map[string]string{"config": file, "allow-network": "10.1.0.0/16,127.0.0.0/8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AUTH0_JWT_ALLOW_NETWORK", tt.env)
			s, err := readSettings(tt.given)
			if err != nil || s.allowNetworks.String() != tt.want {
				t.Errorf("%v, %v; want %s", s.allowNetworks.String(), err, tt.want)
			}
		})
	}
}

func TestAnotherListOfNetworksConfiguresThePluginAnew(t *testing.T) {
	plugin := func(text string) (n networks) {
		if err := n.Set(text); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := settings{allowNetworks: plugin("10.1.0.0/16")}
	for text, want := range map[string]bool{"10.1.0.0/16": false, "10.2.0.0/16": true, "10.1.0.0/16,10.2.0.0/16": true} {
		after := settings{allowNetworks: plugin(text)}
		logger := slog.New(slog.DiscardHandler)
		a, errA := before.plugin(logger)
		b, errB := after.plugin(logger)
		if errA != nil || errB != nil || changed(a, b) != want {
			t.Errorf("%s: changed %v, want %v (%v, %v)", text, changed(a, b), want, errA, errB)
		}
	}
}
