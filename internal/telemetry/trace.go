package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Span is one decision in a trace.
type Span struct {
	Begin  time.Time
	Took   time.Duration
	Route  string // as the log names it
	Reason string // "forwarded", or why not
	Status int    // of a refusal; else 0
	// Traceparent is the client's (W3C Trace Context), as it came.
	Traceparent string
}

// Tracer sends spans to an OpenTelemetry collector.
type Tracer struct {
	provider *trace.TracerProvider
	tracer   oteltrace.Tracer
}

// exportErrorsEvery is how often the log says that spans cannot be sent.
const exportErrorsEvery = time.Minute

// NewTracer sends spans to the collector at an endpoint (OTLP over HTTP), which
// has the form of OTEL_EXPORTER_OTLP_ENDPOINT: http://collector:4318. The SDK reads
// the other OTEL_… variables, such as OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME
// and OTEL_TRACES_SAMPLER. It does not connect before there are spans.
func NewTracer(ctx context.Context, endpoint string, build Build, log *slog.Logger) (*Tracer, error) {
	u, err := CheckEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.JoinPath("v1", "traces").String()))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "auth0-jwt"), attribute.String("service.version", build.Version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(seldom(log))
	// The batch drops spans when its queue of 2,048 is full, and so never waits.
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	return &Tracer{provider, provider.Tracer("auth0-jwt")}, nil
}

// CheckEndpoint reads an endpoint. Credentials belong in OTEL_EXPORTER_OTLP_HEADERS:
// errors name the endpoint.
func CheckEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("want a URL, such as http://collector:4318")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("want a URL with http or https, a host, and neither user nor query, such as http://collector:4318")
	}
	return u, nil
}

// seldom logs the SDK's errors, one a minute.
func seldom(log *slog.Logger) otel.ErrorHandlerFunc {
	var next, leftOut atomic.Int64
	return func(err error) {
		now, due := time.Now(), next.Load()
		if now.UnixNano() < due || !next.CompareAndSwap(due, now.Add(exportErrorsEvery).UnixNano()) {
			leftOut.Add(1)
			return
		}
		log.Warn("spans could not be sent; requests do not depend on it", "error", fmt.Sprint(err), "left_out", leftOut.Swap(0))
	}
}

var traceContext = propagation.TraceContext{}

// Decided makes a span of a decision, under the client's. It never waits. The
// client decides whether it is kept as far as OTEL_TRACES_SAMPLER lets it.
func (t *Tracer) Decided(s Span) {
	ctx := context.Background()
	if s.Traceparent != "" {
		ctx = traceContext.Extract(ctx, propagation.MapCarrier{"traceparent": s.Traceparent})
	}
	_, span := t.tracer.Start(ctx, "auth0-jwt decision", oteltrace.WithTimestamp(s.Begin))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("auth0_jwt.route", s.Route), attribute.String("auth0_jwt.reason", s.Reason))
		if s.Status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", s.Status))
		}
		if s.Status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, s.Reason)
		}
	}
	span.End(oteltrace.WithTimestamp(s.Begin.Add(s.Took)))
}

// Close sends what is queued, for as long as the timeout.
func (t *Tracer) Close(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // nobody is left to tell
}
