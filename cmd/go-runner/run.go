package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// drainTime is how long a stop waits for requests in flight: APISIX kills its
// runner one second after SIGTERM (exit_worker in
// apisix/plugins/ext-plugin/init.lua).
const drainTime = 900 * time.Millisecond

// keepFactor keeps configurations longer than APISIX keeps their tokens.
const keepFactor = 1.2

func runCommand(stderr io.Writer) *cobra.Command {
	var s settings
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve APISIX over a Unix socket until SIGTERM or SIGINT",
		Long: "Serves APISIX over a Unix socket until SIGTERM or SIGINT. Every flag is also AUTH0_JWT_NAME in the\n" +
			"environment (AUTH0_JWT_ALLOW_INSECURE=true) and a key in the file of --config (allow-insecure: true).\n" +
			"APISIX gives a runner that it starts itself no environment of yours: use flags or the file there.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd, file); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return run(ctx, s, stderr)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML `file` with the same keys as the flags")
	s.flags(cmd.Flags())
	return cmd
}

func run(ctx context.Context, s settings, stderr io.Writer) error {
	logger, err := newLogger(s, stderr)
	if err != nil {
		return err
	}
	path, err := socketPath(s.listen)
	if err != nil {
		return err
	}
	roots, err := authorities(s.caFile)
	if err != nil {
		return err
	}
	if err := auth0jwt.CheckRedisURL(s.redisURL); err != nil {
		return badInput("--redis-url: %w", err)
	}
	p := auth0jwt.New(auth0jwt.Options{
		AllowInsecure: s.allowInsecure, MaxStale: s.maxStale, RootCAs: roots, RedisURL: s.redisURL,
		SecretsDir: string(s.secretsDir), CacheSize: s.cacheSize.orNone(), Logger: logger,
	})
	defer p.Close()
	server, err := runner.New(runner.Options{
		Plugins:  []plugin.Plugin{p},
		MaxConfs: s.maxConfs,
		ConfTTL:  time.Duration(float64(s.confTTL) * keepFactor),
		Logger:   logger,
	})
	if err != nil {
		return cannotRun("%w", err)
	}
	stopAdmin, err := serveAdmin(s, p, server, logger)
	if err != nil {
		return err
	}
	defer stopAdmin()
	listener, err := runner.Socket{Path: path, Mode: s.socketMode.mode(), Group: s.socketGroup}.Listen()
	if err != nil {
		return cannotRun("%w", err)
	}
	defer runtime.KeepAlive(auth0jwt.Ballast())
	logger.Info("listening", "socket", path, "version", version, "commit", commit, "allow_insecure", s.allowInsecure)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return cannotRun("the socket failed: %w", err)
	case <-ctx.Done():
	}
	logger.Info("stopping")
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	server.Shutdown(drain)
	logger.Info("stopped")
	return nil
}

func newLogger(s settings, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	switch strings.ToLower(s.logLevel) {
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
			return nil, badInput("--log-level: %w", err)
		}
	default:
		return nil, badInput("--log-level %q: want debug, info, warn or error", s.logLevel)
	}
	opt := &slog.HandlerOptions{Level: level}
	switch s.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	case "console":
		return slog.New(slog.NewTextHandler(w, opt)), nil
	}
	return nil, badInput("--log-format %q: want json or console", s.logFormat)
}
