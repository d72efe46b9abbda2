package main

import (
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	runnerlog "github.com/apache/apisix-go-plugin-runner/pkg/log"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/apache/apisix-go-plugin-runner/pkg/runner"
	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// drainTime is how long a stop waits for requests in flight: APISIX kills its
// runner one second after SIGTERM (exit_worker in
// apisix/plugins/ext-plugin/init.lua).
const (
	drainTime = 900 * time.Millisecond
	quietTime = 100 * time.Millisecond
)

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
			return run(s, stderr)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML `file` with the same keys as the flags")
	s.flags(cmd.Flags())
	return cmd
}

func run(s settings, stderr io.Writer) error {
	logger, err := newLogger(s, stderr)
	if err != nil {
		return err
	}
	path, err := socketPath(s.listen)
	if err != nil {
		return err
	}
	if err := checkSocket(path); err != nil {
		return err
	}
	// The official runner takes both from the environment alone.
	for name, value := range map[string]string{
		listenEnv:  "unix:" + path,
		confTTLEnv: strconv.Itoa(int(time.Duration(s.confTTL) / time.Second)),
	} {
		if err := os.Setenv(name, value); err != nil {
			return cannotRun("%w", err)
		}
	}
	// Its own log: warnings and errors only, since at info it writes two
	// lines for every request.
	out := zapcore.AddSync(stderr)
	runnerlog.NewLogger(zapcore.WarnLevel, out)
	p := auth0jwt.New(auth0jwt.Options{AllowInsecure: s.allowInsecure, MaxStale: s.maxStale, Logger: logger})
	defer p.Close()
	if err := plugin.RegisterPlugin(p); err != nil {
		return cannotRun("%w", err)
	}
	logger.Info("starting", "version", version, "commit", commit, "listen", path, "allow_insecure", s.allowInsecure)
	runner.Run(runner.RunnerConfig{LogLevel: zapcore.WarnLevel, LogOutput: out})
	// It returns at the signal with requests in flight and its connections
	// still served: they get their answers while we wait.
	drain(p.InFlight)
	logger.Info("stopped")
	return nil
}

// drain waits until no request was in flight for quietTime, and at most
// drainTime.
func drain(inFlight func() int64) {
	const step = 10 * time.Millisecond
	quiet := time.Duration(0)
	for waited := time.Duration(0); waited < drainTime && quiet < quietTime; waited += step {
		time.Sleep(step)
		if quiet += step; inFlight() > 0 {
			quiet = 0
		}
	}
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
