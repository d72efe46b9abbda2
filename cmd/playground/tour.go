package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// doubled is what the gateway double behaves like.
const doubled = "APISIX 3.18"

// tour is the whole job on one machine.
type tour struct {
	binary string // the runner's
	once   bool

	secrets  secrets
	issuer   *issuer.Issuer
	upstream *upstream.Upstream
	gateway  *gateway.Gateway
}

func (t *tour) run(ctx context.Context, out, log io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "auth0-jwt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "runner.sock")
	t.secrets = newSecrets()
	runner, err := startRunner(ctx, t.binary, socket, t.secrets, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runner.stop()) }()
	// Deferred before it starts: what did start ends, whatever did not.
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.startServers(socket, dir); err != nil {
		return err
	}
	site := t.site()
	if err := site.putRoutes(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "issuer   %s\nupstream %s\ngateway  %s (Admin API %s)\n         a double of %s, not APISIX itself; make up starts the real one\nrunner   %s on %s\n\n",
		t.issuer.URL(), t.upstream.URL(), t.gateway.URL(), t.gateway.AdminURL(), doubled, t.binary, socket)
	if t.once {
		return site.check(ctx, out)
	}
	if err := site.show(ctx, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "The tokens are good for an hour. Ctrl-C ends it.")
	select {
	case <-ctx.Done():
		return nil
	case <-runner.ended:
		return errors.New("the runner ended by itself")
	}
}

// site is what was started here.
func (t *tour) site() *site {
	return &site{
		gateway: t.gateway.URL(), admin: t.gateway.AdminURL(), issuer: t.issuer.URL(), node: t.upstream.Node(),
		mint:      func(_ context.Context, r issuer.MintRequest) (string, error) { return t.issuer.Mint(r) },
		appSecret: t.secrets.app,
		register:  func(_ context.Context, c issuer.Client) error { return t.issuer.Register(c) },
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
	if t.upstream, err = upstream.StartWithPages(free("127.0.0.1:9001"), pages); err != nil {
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

func (t *tour) close() (err error) {
	if t.gateway != nil {
		err = t.gateway.Close()
	}
	if t.upstream != nil {
		err = errors.Join(err, t.upstream.Close())
	}
	if t.issuer != nil {
		err = errors.Join(err, t.issuer.Close())
	}
	return err
}
