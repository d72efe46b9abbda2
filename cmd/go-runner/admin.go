package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	// adminConnections is more than any number of probes and scrapers.
	adminConnections = 64
	// adminRetry and adminRetryMax are how long to wait before an address that
	// is taken is tried again.
	adminRetry    = 100 * time.Millisecond
	adminRetryMax = 5 * time.Second
)

// serveAdmin listens on --admin-addr until ctx is done; without one it does
// nothing. An address that is taken is tried again in the background: the
// predecessor has it until it ends.
func serveAdmin(ctx context.Context, s settings, h http.Handler, log *slog.Logger) error {
	if s.adminAddr == "" {
		if s.pprof {
			return badInput("--pprof is served on --admin-addr: give that too")
		}
		return nil
	}
	address := adminAddress(s.adminAddr)
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		go serveHTTP(ctx, l, h, log)
	case errors.Is(err, syscall.EADDRINUSE):
		log.Warn("the admin address is taken and is tried again; requests are served meanwhile", "address", address)
		go func() {
			if l := listenAgain(ctx, address); l != nil {
				serveHTTP(ctx, l, h, log)
			}
		}()
	default:
		return cannotRun("--admin-addr: %w", err)
	}
	return nil
}

// adminAddress is an address with its host: one without it is on loopback, since
// whoever reaches it can revoke.
func adminAddress(address string) string {
	if strings.HasPrefix(address, ":") {
		return "127.0.0.1" + address
	}
	return address
}

// listenAgain tries until the address is free; nil is the end of ctx.
func listenAgain(ctx context.Context, address string) net.Listener {
	for pause := adminRetry; ; pause = min(2*pause, adminRetryMax) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if l, err := net.Listen("tcp", address); err == nil {
			return l
		}
	}
}

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) {
	admin := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	defer context.AfterFunc(ctx, func() { _ = admin.Close() })() // it closes a listener, whatever it says
	log.Info("metrics and health", "address", l.Addr().String())
	if err := admin.Serve(newLimited(l, adminConnections)); !errors.Is(err, http.ErrServerClosed) {
		log.Error("the admin address failed; requests are served on", "error", err.Error())
	}
}

// sources are what the admin address shows.
func sources(p *auth0jwt.Plugin, server *runner.Server, logs *telemetry.LogQueue) telemetry.Sources {
	return telemetry.Sources{
		Decisions:       func() []telemetry.Decision { return decisionsOf(p) },
		Providers:       func() []telemetry.Provider { return providersOf(p) },
		Reported:        func() uint64 { return p.Gate().Reported() },
		Caches:          func() []telemetry.Cache { return cachesOf(p) },
		Runner:          func() telemetry.Runner { return runnerOf(server.Stats()) },
		LogLinesDropped: logs.Dropped,
		Revocations:     func() telemetry.Revocations { return revocationsOf(p) },
		Sessions:        func() telemetry.Sessions { return sessionsOf(p) },
		Serving:         server.Check,
		Build:           telemetry.Build{Version: version, Commit: commit},
	}
}

func revocationsOf(p *auth0jwt.Plugin) telemetry.Revocations {
	s := p.Gate().Revocations().Stats()
	return telemetry.Revocations{Entries: s.Entries, Up: s.Up, Lost: s.Lost, Refused: p.Gate().Decisions()[refusal.Revoked.Reason()]}
}

func sessionsOf(p *auth0jwt.Plugin) telemetry.Sessions {
	g := p.Gate()
	return telemetry.Sessions{Logins: g.Logins(), Refreshed: g.SessionsRefreshed(), StoreUp: g.SessionStoreUp()}
}

func runnerOf(s runner.Stats) telemetry.Runner {
	r := telemetry.Runner{
		Connections: s.Connections, Configurations: s.Configurations, ConfigurationBytes: s.ConfigurationBytes,
		ConnectionsRefused: s.ConnectionsRefused, ConfigurationEvictions: s.ConfigurationEvictions,
		TokenNotFound: s.TokenNotFound, TokenCollisions: s.TokenCollisions, Panics: s.Panics, FrameErrors: s.FrameErrors,
	}
	for _, c := range s.Requests {
		r.Requests = append(r.Requests, telemetry.Request{Plugin: c.Plugin, Outcome: string(c.Outcome), Count: c.Count})
	}
	return r
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
