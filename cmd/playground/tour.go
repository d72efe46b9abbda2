package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// tour is the whole job on one machine.
type tour struct {
	runner string
	once   bool

	issuer   *issuer.Issuer
	upstream *upstream.Upstream
	gateway  *gateway.Gateway
}

func (t *tour) run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "auth0-jwt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "runner.sock")
	stopRunner, err := t.startRunner(socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopRunner()) }()
	if err := t.startServers(socket, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.gateway.Close(), t.upstream.Close(), t.issuer.Close()) }()
	if err := t.putRoutes(ctx); err != nil {
		return err
	}
	steps, err := t.steps()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "issuer   %s\nupstream %s\ngateway  %s (Admin API %s)\nrunner   %s on %s\n\n",
		t.issuer.URL(), t.upstream.URL(), t.gateway.URL(), t.gateway.AdminURL(), t.runner, socket)
	if t.once {
		return t.check(ctx, out, steps)
	}
	for _, s := range steps {
		fmt.Fprintf(out, "# %s\n%s\n# expect: %s\n\n", s.title, s.curl(t.gateway.URL()), s.expected())
	}
	fmt.Fprintln(out, "Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}

// startRunner starts the real runner process beside the gateway.
func (t *tour) startRunner(socket string) (stop func() error, err error) {
	cmd := exec.Command(t.runner, "run", "--allow-insecure", "--log-level", "warn")
	cmd.Env = append(os.Environ(), "APISIX_LISTEN_ADDRESS=unix:"+socket)
	cmd.Stderr = os.Stderr
	// Its own process group: Ctrl-C reaches it through us, after the gateway.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: build the runner with make build, or name it with --runner", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return <-ended
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			return stop, conn.Close()
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the runner ended at once: %w", err)
		default:
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("the runner does not listen"), stop())
		}
	}
}

func (t *tour) startServers(socket, dir string) (err error) {
	log, err := os.Create(filepath.Join(dir, "gateway.log"))
	if err != nil {
		return err
	}
	if t.issuer, err = issuer.Start(issuer.Options{Addr: free("127.0.0.1:9000")}); err != nil {
		return err
	}
	if t.upstream, err = upstream.Start(free("127.0.0.1:9001")); err != nil {
		return err
	}
	t.gateway, err = gateway.Start(gateway.Options{
		Addr: free("127.0.0.1:9080"), AdminAddr: free("127.0.0.1:9180"), SocketPath: socket, Workers: 2, Log: log,
	})
	return err
}

// free is addr, or any free port where somebody has that one.
func free(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return addr
}

// putRoutes configures the gateway as anyone would: through the Admin API.
func (t *tour) putRoutes(ctx context.Context) error {
	for id, conf := range map[string]map[string]any{
		"api": {
			"claims":        map[string]any{"email_verified": true},
			"claim_headers": map[string]any{"X-User-Id": "sub", "X-User-Email": "email"},
		},
		"orders": {"required_scopes": []string{"read:orders"}},
		"public": {"unauth_action": "pass", "claim_headers": map[string]any{"X-User-Id": "sub"}},
	} {
		conf["issuer"], conf["audience"] = t.issuer.URL(), issuer.DefaultAudience
		value, err := json.Marshal(conf)
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{
			"uri":      "/" + id + "/*",
			"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{t.upstream.Node(): 1}},
			"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{
				"conf": []any{map[string]string{"name": "auth0-jwt", "value": string(value)}},
			}},
		})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.gateway.AdminURL()+"/apisix/admin/routes/"+id, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			return fmt.Errorf("the Admin API answered %d for route %s", resp.StatusCode, id)
		}
	}
	return nil
}

// step is one request of the tour and what is expected of it.
type step struct {
	title   string
	path    string
	headers [][2]string
	status  int
	seen    map[string]string // identity headers at the upstream; "" is none
}

func (t *tour) steps() ([]step, error) {
	var failed error
	bearer := func(r issuer.MintRequest) [2]string {
		token, err := t.issuer.Mint(r)
		failed = errors.Join(failed, err)
		return [2]string{"Authorization", "Bearer " + token}
	}
	user := map[string]any{"email": "ann@example.com", "email_verified": true}
	forged := [2]string{"X-User-Id", "admin"}
	steps := []step{
		{title: "no token", path: "/api/me", status: 401},
		{
			title: "a good token: the upstream sees who calls", path: "/api/me", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user})},
			seen:    map[string]string{"X-User-Id": "auth0|user-1", "X-User-Email": "ann@example.com"},
		},
		{
			title: "the client's own X-User-Id does not get through", path: "/api/me", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user}), forged, {"X_User_Id", "admin"}},
			seen:    map[string]string{"X-User-Id": "auth0|user-1", "X_user_id": ""},
		},
		{
			title: "an e-mail address that is not verified", path: "/api/me", status: 403,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: map[string]any{"email_verified": false}})},
		},
		{
			title: "an expired token", path: "/api/me", status: 401,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user, ExpiresIn: -3600})},
		},
		{
			title: "a forged signature", path: "/api/me", status: 401,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user, Key: "rogue"})},
		},
		{
			title: "a token without the scope", path: "/orders/1", status: 403,
			headers: [][2]string{bearer(issuer.MintRequest{})},
		},
		{
			title: "a token with the scope", path: "/orders/1", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: map[string]any{"scope": "read:orders"}})},
		},
		{
			title: "a public route without a token: no identity, even a forged one", path: "/public/news", status: 200,
			headers: [][2]string{forged}, seen: map[string]string{"X-User-Id": ""},
		},
	}
	return steps, failed
}

func (s step) curl(gateway string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i %s%s", gateway, s.path)
	for _, h := range s.headers {
		fmt.Fprintf(&b, " \\\n  -H '%s: %s'", h[0], h[1])
	}
	return b.String()
}

func (s step) expected() string {
	text := fmt.Sprint(s.status)
	for _, name := range slices.Sorted(maps.Keys(s.seen)) {
		value := s.seen[name]
		if value == "" {
			value = "(none)"
		}
		text += fmt.Sprintf(", upstream sees %s: %s", name, value)
	}
	return text
}

// check sends every request and compares the answers.
func (t *tour) check(ctx context.Context, out io.Writer, steps []step) error {
	failed := 0
	for _, s := range steps {
		got, err := s.send(ctx, t.gateway.URL())
		if err != nil {
			return err
		}
		verdict := "PASS"
		if got != s.expected() {
			verdict = "FAIL"
			failed++
		}
		fmt.Fprintf(out, "%s  %s\n      GET %s -> %s\n", verdict, s.title, s.path, got)
		if verdict == "FAIL" {
			fmt.Fprintf(out, "      expected %s\n", s.expected())
		}
	}
	fmt.Fprintf(out, "\n%d passed, %d failed\n", len(steps)-failed, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d answers differ", failed, len(steps))
	}
	return nil
}

// send describes the answer as expected does.
func (s step) send(ctx context.Context, gateway string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+s.path, nil)
	if err != nil {
		return "", err
	}
	for _, h := range s.headers {
		req.Header[h[0]] = append(req.Header[h[0]], h[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got := step{status: resp.StatusCode, seen: map[string]string{}}
	if resp.StatusCode == http.StatusOK {
		var echo upstream.Echo
		if err := json.NewDecoder(resp.Body).Decode(&echo); err != nil {
			return "", err
		}
		for name := range s.seen {
			got.seen[name] = strings.Join(echo.Headers[name], " and ")
		}
	}
	return got.expected(), nil
}
