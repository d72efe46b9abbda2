package main

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// serveAdmin listens on --admin-addr; without one it does nothing.
func serveAdmin(s settings, p *auth0jwt.Plugin, server *runner.Server, log *slog.Logger) (stop func(), err error) {
	if s.adminAddr == "" {
		if s.pprof {
			return nil, badInput("--pprof is served on --admin-addr: give that too")
		}
		return func() {}, nil
	}
	l, err := net.Listen("tcp", s.adminAddr)
	if err != nil {
		return nil, cannotRun("--admin-addr: %w", err)
	}
	admin := &http.Server{
		Handler: telemetry.Handler(telemetry.Sources{
			Decisions:      func() []telemetry.Decision { return decisionsOf(p) },
			Providers:      func() []telemetry.Provider { return providersOf(p) },
			Reported:       p.Gate().Reported,
			Caches:         func() []telemetry.Cache { return cachesOf(p) },
			Configurations: server.Configurations,
			Connections:    server.Connections,
		}, s.pprof),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		if err := admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the admin address failed; requests are served on", "error", err.Error())
		}
	}()
	log.Info("metrics and health", "address", l.Addr().String())
	return func() { _ = admin.Close() }, nil // it closes a listener, whatever it says
}

func decisionsOf(p *auth0jwt.Plugin) []telemetry.Decision {
	counts := p.Gate().Decisions()
	var all []telemetry.Decision
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, telemetry.Decision{Reason: reason, Count: counts[reason]})
	}
	return all
}

func cachesOf(p *auth0jwt.Plugin) []telemetry.Cache {
	var all []telemetry.Cache
	for _, s := range p.Gate().Caches() {
		all = append(all, telemetry.Cache(s))
	}
	return all
}

func providersOf(p *auth0jwt.Plugin) []telemetry.Provider {
	all := []telemetry.Provider{}
	for _, s := range p.Gate().Providers() {
		all = append(all, telemetry.Provider{
			Issuer: s.Issuer, Ready: s.Ready, KeyIDs: s.KeyIDs, Skipped: s.Skipped, Fetched: s.Fetched,
			LastError: s.LastError, Failures: s.Failures, NextTry: s.NextTry,
		})
	}
	return all
}

// authorities are the system's and those of --ca-file; nil is the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, badInput("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there is none, as in an image of our binary alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badInput("--ca-file: %s holds no certificate in PEM", file)
	}
	return pool, nil
}
