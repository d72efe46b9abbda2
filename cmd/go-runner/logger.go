package main

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
)

// parseLevel reads --log-level.
func parseLevel(text string) (level slog.Level, err error) {
	switch strings.ToLower(text) {
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return 0, badInput("--log-level: %w", err)
		}
		return level, nil
	}
	return 0, badInput("--log-level %q: want debug, info, warn or error", text)
}

// newLog is a log that never blocks, and the level that it can be set to.
func newLog(s settings, w io.Writer) (*telemetry.LogQueue, *slog.LevelVar, error) {
	parsed, err := parseLevel(s.logLevel)
	if err != nil {
		return nil, nil, err
	}
	level := &slog.LevelVar{}
	level.Set(parsed)
	opt := &slog.HandlerOptions{Level: level}
	switch s.logFormat {
	case "json":
		return telemetry.NewLogQueue(w, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, opt) }), level, nil
	case "console":
		return telemetry.NewLogQueue(w, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, opt) }), level, nil
	}
	return nil, nil, badInput("--log-format %q: want json or console", s.logFormat)
}

// newTracer is what traces decisions, nil where nobody wants them.
func newTracer(s settings, log *slog.Logger) (*telemetry.Tracer, error) {
	if s.otlpEndpoint == "" {
		return nil, nil
	}
	tracer, err := telemetry.NewTracer(context.Background(), s.otlpEndpoint, telemetry.Build{Version: version, Commit: commit}, log)
	if err != nil {
		return nil, badInput("--otlp-endpoint: %w", err)
	}
	return tracer, nil
}
