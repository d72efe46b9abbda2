package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

const testKey = "test-0123456789abcdef"

var testSecrets = newSecrets()

// running is what docker-compose.yml starts, on the double: with an admin key,
// and with a runner where one listens on socket.
type running struct {
	socket   string
	gateway  *gateway.Gateway
	issuer   *issuer.Issuer
	upstream *upstream.Upstream
}

func startRunning(t *testing.T) *running {
	t.Helper()
	t.Setenv(adminKeyName, "")
	t.Setenv(appSecretName, "")
	r := &running{socket: filepath.Join(t.TempDir(), "runner.sock")}
	closing := func(c io.Closer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	var err error
	r.issuer, err = issuer.Start(issuer.Options{})
	closing(r.issuer, err)
	r.upstream, err = upstream.StartWithPages("", pages)
	closing(r.upstream, err)
	r.gateway, err = gateway.Start(gateway.Options{SocketPath: r.socket, AdminKey: testKey})
	closing(r.gateway, err)
	return r
}

// startRunner starts the real one.
func (r *running) startRunner(t *testing.T) {
	t.Helper()
	binary, err := builtRunner()
	if err != nil {
		t.Fatal(err)
	}
	started, err := newLaunch(binary, r.socket, testSecrets, io.Discard).start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.stop(); err != nil {
			t.Error(err)
		}
	})
}

// demo runs the command on it with a file that holds env.
func (r *running) demo(t *testing.T, env string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(env+"\n"+appSecretName+"="+testSecrets.app+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"demo", "--gateway", r.gateway.URL() + "/", "--admin", r.gateway.AdminURL(), "--issuer", r.issuer.URL(),
		"--upstream-node", r.upstream.Node(), "--env-file", file,
	}, args...)
	var out bytes.Buffer
	err := execute(t.Context(), &out, args...)
	if text := out.String(); strings.Contains(text, testKey) || err != nil && strings.Contains(err.Error(), testKey) {
		t.Errorf("the admin key itself is shown: %s %v", text, err)
	}
	return out.String(), err
}

func TestTheDemoShowsItsStepsOnAGatewayThatAsksForAKey(t *testing.T) {
	r := startRunning(t)
	r.startRunner(t)
	out, err := r.demo(t, "OTHER=1\nADMIN_KEY=old\nADMIN_KEY="+testKey+"\n", "--once")
	if err != nil || !strings.Contains(out, "15 passed, 0 failed") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = r.demo(t, "ADMIN_KEY="+testKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"ADMIN_KEY in ", "X-API-KEY", "Admin API " + r.gateway.AdminURL(), r.issuer.URL(),
		"curl -i " + r.gateway.URL() + "/api/me", `-H "Authorization: Bearer $(mint '{`, "mint() { curl -s " + strings.TrimSuffix(r.issuer.URL(), "/"), "# expect: 401", "make down",
		r.gateway.URL() + "/app/", "Continue as auth0|alice",
	} {
		if !strings.Contains(out, says) {
			t.Errorf("%q is not in:\n%s", says, out)
		}
	}
}

func TestTheEnvironmentsKeyComesBeforeTheFiles(t *testing.T) {
	r := startRunning(t)
	r.startRunner(t)
	t.Setenv(adminKeyName, testKey)
	out, err := r.demo(t, "ADMIN_KEY=of-the-file")
	if err != nil || !strings.Contains(out, "ADMIN_KEY of the environment") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheDemoSaysWhyItCannotStart(t *testing.T) {
	r := startRunning(t)
	const long = "1h" // what is refused must not be waited for
	for name, tc := range map[string]struct {
		env  string
		args []string
		says string
	}{
		"no file":            {"", []string{"--within", long, "--env-file", "not-there"}, "make up makes it"},
		"no key in the file": {"OTHER=1\nADMIN_KEY=\n", []string{"--within", long}, "has no ADMIN_KEY"},
		"another key":        {"ADMIN_KEY=other", []string{"--within", long}, "does not take the admin key"},
		"nobody there":       {"ADMIN_KEY=" + testKey, []string{"--within", "1ms", "--issuer", "http://127.0.0.1:1"}, "not ready after 1ms: the issuer: "},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := r.demo(t, tc.env, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if out != "" {
				t.Errorf("said %q", out)
			}
		})
	}
}

func TestAGatewayWithoutItsRunnerIsNotReady(t *testing.T) {
	r := startRunning(t)
	s := &site{
		gateway: r.gateway.URL(), admin: r.gateway.AdminURL(), adminKey: testKey,
		issuer: r.issuer.URL(), node: r.upstream.Node(), appSecret: testSecrets.app,
		register: func(_ context.Context, c issuer.Client) error { return r.issuer.Register(c) },
	}
	if err := s.protects(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("without a route: %v", err)
	}
	if err := s.putRoutes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.protects(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("without a runner: %v", err)
	}
}

func TestWaitingEndsWithTheLastReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		refused := errors.New("connection refused")
		tries := 0
		err := until(ctx, func(ctx context.Context) error {
			if tries++; tries > 10 {
				<-ctx.Done() // an answer that never comes
				return ctx.Err()
			}
			return refused
		})
		if !errors.Is(err, refused) || tries != 11 {
			t.Errorf("after %d tries: %v", tries, err)
		}
	})
}
