package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	// drainTime is how long a stop waits for requests in flight: APISIX kills
	// its runner one second after SIGTERM (exit_worker in
	// apisix/plugins/ext-plugin/init.lua).
	drainTime = 900 * time.Millisecond
	// flushTime is how long the end waits for standard error.
	flushTime = 50 * time.Millisecond
)

// keepFactor keeps configurations longer than APISIX keeps their tokens.
const keepFactor = 1.2

func runCommand(stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve APISIX over a Unix socket until SIGTERM or SIGINT",
		Long: "Serves APISIX over a Unix socket until SIGTERM or SIGINT. Every flag is also AUTH0_JWT_NAME in the\n" +
			"environment (AUTH0_JWT_ALLOW_INSECURE=true) and a key in the file of --config (allow-insecure: true).\n" +
			"APISIX gives a runner that it starts itself no environment of yours: use flags or the file there.\n" +
			"SIGHUP reads settings, certificate authorities, configurations and their secrets again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return run(ctx, given, stderr)
		},
	}
	(&settings{}).flags(cmd.Flags())
	return cmd
}

// run serves with the settings that the command line gave, and what is read
// beside them.
func run(ctx context.Context, given map[string]string, stderr io.Writer) error {
	s, err := readSettings(given)
	if err != nil {
		return err
	}
	path, err := socketPath(s.listen)
	if err != nil {
		return err
	}
	logs, level, err := newLog(s, stderr)
	if err != nil {
		return err
	}
	defer logs.Close(flushTime)
	logger := logs.Logger()
	slog.SetDefault(logger)
	// A reader of standard error that is gone ends nobody.
	signal.Ignore(syscall.SIGPIPE)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if s.startedByAPISIX {
		var cancel context.CancelFunc
		ctx, cancel = runner.WithParent(ctx, os.Getppid)
		defer cancel()
	}

	if err := s.proxy.use(); err != nil {
		return err
	}
	opt, err := s.plugin(logger)
	if err != nil {
		return err
	}
	tracer, err := newTracer(s, logger)
	if err != nil {
		return err
	}
	if tracer != nil {
		defer tracer.Close(flushTime)
		opt.Trace = func(d gate.Decided) { tracer.Decided(telemetry.Span(d)) }
	}
	p := auth0jwt.New(opt)
	defer p.Close()
	key, err := runner.TokenKey(path)
	if err != nil {
		logger.Warn("the key of the configurations' tokens cannot be kept: after a restart APISIX's tokens are not found and it prepares its configurations again",
			"error", err.Error())
	}
	server, err := runner.New(runner.Options{
		Plugins:  []plugin.Plugin{p},
		MaxConfs: s.maxConfs, MaxConfBytes: int64(s.maxConfsSize), MaxConnections: s.maxConnections,
		Loops:    s.loops,
		ConfTTL:  time.Duration(float64(s.confTTL) * keepFactor),
		TokenKey: key,
		Logger:   logger,
	})
	if err != nil {
		return cannotRun("%w", err)
	}
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	token, err := adminSecret(s, logger)
	if err != nil {
		return err
	}
	admin := http.NewServeMux()
	admin.Handle("/", telemetry.Handler(sources(p, server, logs), s.profiling()))
	revoking := &revocations{feed: func() *revocation.Feed { return p.Gate().Revocations() }, log: logger, now: time.Now}
	revoking.token.Store(token)
	admin.Handle("/revocations", revoking)
	admin.Handle("/revocations/", revoking)
	if err := serveAdmin(adminCtx, s, admin, logger); err != nil {
		return err
	}
	// Nothing fails from here on: who takes a socket over has to serve.
	listener, err := runner.Socket{
		Path: path, Mode: s.socketMode.mode(), Group: s.socketGroup, TakeOver: s.takeover, HandoverKey: key,
	}.Listen()
	if err != nil {
		return cannotRun("%w", err)
	}
	defer runtime.KeepAlive(auth0jwt.Ballast())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	logger.Info("listening", "socket", path, "version", version, "commit", commit, "allow_insecure", s.allowInsecure)
	running := reloader{given: given, settings: s, plugin: p, opt: opt, level: level, server: server, revoking: revoking, log: logger}
	for {
		select {
		case err := <-served:
			return cannotRun("the socket failed: %w", err)
		case <-hangup:
			running.reload()
		case <-ctx.Done():
			logger.Info("stopping")
			drain, cancel := context.WithTimeout(context.Background(), drainTime)
			defer cancel()
			server.Shutdown(drain)
			<-served // a server that had not begun to serve takes its socket away only now
			logger.Info("stopped")
			return nil
		}
	}
}
