package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// bench is what the page works on: the tour's servers, and the runner that serves
// now.
type bench struct {
	tour    *tour
	launch  launch
	began   time.Time
	version string
	load    *load
	lost    chan struct{} // closed when the runner ended by itself

	acting sync.Mutex // held through a button

	mu      sync.Mutex
	runner  *runner
	start   int // of the runner, from 1
	closing bool
	revoked []revocation.Revocation
	sick    []string
}

// startBench starts the runner.
func startBench(ctx context.Context, t *tour, l launch) (*bench, error) {
	b := &bench{tour: t, launch: l, began: time.Now().Truncate(time.Millisecond), lost: make(chan struct{})}
	r, err := l.start(ctx)
	if err != nil {
		return nil, err
	}
	b.succeed(r)
	return b, nil
}

// succeed makes r the runner that serves.
func (b *bench) succeed(r *runner) {
	b.mu.Lock()
	b.runner, b.start = r, b.start+1
	b.mu.Unlock()
	go func() {
		<-r.ended
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.runner == r && !b.closing {
			close(b.lost)
		}
	}()
}

func (b *bench) current() *runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.runner
}

// stop ends the runner.
func (b *bench) stop() error {
	b.acting.Lock()
	defer b.acting.Unlock()
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	return b.current().stop()
}

// Site implements page.Bench, as the methods below do.
func (b *bench) Site() page.Site {
	t := b.tour
	return page.Site{
		Gateway: t.gateway.URL(), Admin: t.gateway.AdminURL(), Upstream: t.upstream.URL(), Node: t.upstream.Node(),
		Issuer: t.issuer.URL(), OtherIssuer: t.other.URL(), APISIX: doubled, RunnerVersion: b.version,
		Client: tryClient, ClientSecret: appSecretName, SessionSecret: sessionSecretName, Began: b.began,
	}
}

// tenant is one of the two issuers.
func (b *bench) tenant(t page.Tenant) *issuer.Issuer {
	if t == page.Other {
		return b.tour.other
	}
	return b.tour.issuer
}

// Mint makes a token.
func (b *bench) Mint(t page.Tenant, r issuer.MintRequest) (string, error) { return b.tenant(t).Mint(r) }

// PutRoute puts a route through the Admin API.
func (b *bench) PutRoute(ctx context.Context, id string, body []byte) error {
	site := b.tour.site()
	return site.askAdmin(ctx, http.MethodPut, site.admin+routesPath+"/"+id, body)
}

// Runner is the process that serves now.
func (b *bench) Runner() page.Runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	return page.Runner{Up: b.runner.up(), PID: b.runner.process.Pid, Start: b.start}
}

// Revocations are what was revoked.
func (b *bench) Revocations() []revocation.Revocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.revoked)
}

// Sick are the issuers that were made sick.
func (b *bench) Sick() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sick)
}

// Load is the background load.
func (b *bench) Load() page.Load { return b.load.count() }

const maxMetrics = 4 << 20 // bytes

// Metrics are the runner's own.
func (b *bench) Metrics(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.current().admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the runner's metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the runner's metrics: it answered %d", resp.StatusCode)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxMetrics))
}

var errNoSuchAct = errors.New("there is no such act")

// Act does what a button says, one at a time. What was begun is done to its end,
// whether or not the page still waits for it; a rotation, which may wait long, is
// not begun then.
func (b *bench) Act(ctx context.Context, a page.Act, subject string) (said string, err error) {
	b.acting.Lock()
	defer b.acting.Unlock()
	if a == page.RotateKeys {
		return b.rotate(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	switch a {
	case page.IssuerSick:
		return b.makeSick(ctx)
	case page.IssuerWell:
		return b.makeWell()
	case page.RevokeUser:
		return b.revokeUser(ctx, subject)
	case page.ClearRevocations:
		return b.clearRevocations(ctx)
	case page.RestartRunner:
		return b.restart(ctx)
	case page.ReloadGateway:
		if err := b.tour.gateway.Reload(); err != nil {
			return "", err
		}
		return "The gateway was reloaded: new workers serve, and the old ones ended when they had answered.", nil
	case page.LoadStart:
		return b.load.start()
	case page.LoadStop:
		b.load.stop()
		return "The load has ended.", nil
	}
	return "", errNoSuchAct
}
