package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// doubled is what the gateway double behaves like.
const doubled = "APISIX 3.18"

// tour is the whole job on one machine.
type tour struct {
	binary   string // the runner's
	pageAddr string
	once     bool

	secrets  secrets
	taken    []string // what is said of ports that somebody else has
	issuer   *issuer.Issuer
	other    *issuer.Issuer // a second tenant
	upstream *upstream.Upstream
	gateway  *gateway.Gateway
	wire     page.Wire
	page     *page.Server
	bench    *bench
}

func (t *tour) run(ctx context.Context, out, log io.Writer) (err error) {
	if err := page.Loopback(t.pageAddr); err != nil {
		return fmt.Errorf("--page-addr: %w", err)
	}
	dir, err := os.MkdirTemp("", "auth0-jwt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t.secrets = newSecrets()
	forget, err := t.secrets.remember()
	if err != nil {
		return err
	}
	defer forget()
	// Deferred before it starts: what did start ends, whatever did not.
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.start(ctx, dir, log); err != nil {
		return err
	}
	site := t.site()
	t.introduce(out, t.bench.Runner().PID)
	if t.once {
		return t.check(ctx, site, out)
	}
	if err := site.show(out); err != nil {
		return err
	}
	fmt.Fprintln(out, "Ctrl-C ends it.")
	select {
	case <-ctx.Done():
		return nil
	case <-t.bench.lost:
		return errors.New("the runner ended by itself")
	}
}

// start starts everything, the runner first and the page last.
func (t *tour) start(ctx context.Context, dir string, log io.Writer) (err error) {
	socket := filepath.Join(dir, "runner.sock")
	if t.bench, err = startBench(ctx, t, newLaunch(t.binary, socket, t.secrets, log)); err != nil {
		return err
	}
	if err := t.startServers(socket, dir); err != nil {
		return err
	}
	if err := t.site().putRoutes(ctx); err != nil {
		return err
	}
	return t.startPage(ctx)
}

// introduce says where everything is, the page first.
func (t *tour) introduce(out io.Writer, pid int) {
	fmt.Fprintf(out, "The playground's page: %s\n\n", t.page.URL())
	for _, said := range t.taken {
		fmt.Fprintln(out, said)
	}
	fmt.Fprintf(out, "gateway  %s (Admin API %s)\n         a double of %s, which it was tested against, and not APISIX itself; make up starts the real one\n"+
		"issuer   %s, and a second tenant at %s\nupstream %s\nrunner   %s, process %d\n\n",
		t.gateway.URL(), t.gateway.AdminURL(), doubled, t.issuer.URL(), t.other.URL(), t.upstream.URL(), t.binary, pid)
}

// check asks the gateway and the page, and compares the answers.
func (t *tour) check(ctx context.Context, site *site, out io.Writer) error {
	list, err := site.outcomes(ctx)
	if err != nil {
		return err
	}
	asked, err := askPage(ctx, t.page)
	if err != nil {
		return err
	}
	return report(out, append(list, asked...))
}

// site is what was started here.
func (t *tour) site() *site {
	return &site{
		gateway: t.gateway.URL(), admin: t.gateway.AdminURL(), issuer: t.issuer.URL(), mintAt: base(t.issuer.URL()), node: t.upstream.Node(),
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
	if t.issuer, err = issuer.Start(issuer.Options{Addr: t.port("127.0.0.1:9000")}); err != nil {
		return err
	}
	if t.other, err = issuer.Start(issuer.Options{Addr: t.port("127.0.0.1:9003")}); err != nil {
		return err
	}
	if t.upstream, err = upstream.StartWithPages(t.port("127.0.0.1:9001"), pages); err != nil {
		return err
	}
	t.gateway, err = gateway.Start(gateway.Options{
		Addr: t.port("127.0.0.1:9080"), AdminAddr: t.port("127.0.0.1:9180"), SocketPath: socket, Workers: 2, Log: log,
		Trace: t.wire.Record,
	})
	return err
}

// startPage serves the page on what was started.
func (t *tour) startPage(ctx context.Context) error {
	b := t.bench
	b.load = &load{gateway: t.gateway.URL(), mint: t.issuer.Mint}
	metrics, err := b.Metrics(ctx)
	if err != nil {
		return err
	}
	b.version = readVersion(metrics)
	if err := t.issuer.Register(tryApplication(t.gateway.URL(), t.secrets.app)); err != nil {
		return err
	}
	leaver := revocation.Revocation{Issuer: t.issuer.URL(), Kind: revocation.Subject, Value: page.Leaver, Before: b.began}
	if err := b.revoke(ctx, leaver); err != nil {
		return err
	}
	t.page, err = page.Start(page.Options{Addr: t.port(t.pageAddr), Bench: b, Wire: &t.wire})
	return err
}

// port is addr, or any free one where somebody has that; then it is told.
func (t *tour) port(addr string) string {
	got := free(addr)
	_, wanted, _ := net.SplitHostPort(addr)
	if _, using, _ := net.SplitHostPort(got); using != wanted && wanted != "0" {
		t.taken = append(t.taken, fmt.Sprintf("port %s is taken, using %s", wanted, using))
	}
	return got
}

// close ends what was started, the last first; the runner is the last to end.
func (t *tour) close() (err error) {
	if t.page != nil {
		err = t.page.Close()
	}
	if t.bench != nil && t.bench.load != nil {
		t.bench.load.stop()
	}
	if t.gateway != nil {
		err = errors.Join(err, t.gateway.Close())
	}
	if t.upstream != nil {
		err = errors.Join(err, t.upstream.Close())
	}
	for _, i := range []*issuer.Issuer{t.issuer, t.other} {
		if i != nil {
			err = errors.Join(err, i.Close())
		}
	}
	if t.bench != nil {
		err = errors.Join(err, t.bench.stop())
	}
	return err
}
