package telemetry_test

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
)

// collecting is an OpenTelemetry collector.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracev1.Span
}

func newCollecting(t *testing.T) *collecting {
	t.Helper()
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, r := range export.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				c.spans = append(c.spans, s.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Server.Close)
	return c
}

// TestADecisionIsASpanUnderTheClients.
func TestADecisionIsASpanUnderTheClients(t *testing.T) {
	c := newCollecting(t)
	tracer, err := telemetry.NewTracer(t.Context(), c.URL, telemetry.Build{Version: "v1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const traceID, parentID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	begin := time.Unix(1_800_000_000, 0)
	for _, s := range []telemetry.Span{
		{Route: "orders", Reason: "forwarded", Traceparent: "00-" + traceID + "-" + parentID + "-01"},
		{Route: "orders", Reason: "keys_unavailable", Status: 503, Traceparent: "00-" + traceID + "-" + parentID + "-01"},
		{Route: "orders", Reason: "expired", Status: 401, Traceparent: "00-" + traceID + "-" + parentID + "-00"}, // the client's choice
		{Route: "orders", Reason: "missing_token", Status: 401, Traceparent: strings.Repeat("nonsense", 1000)},
	} {
		s.Begin, s.Took = begin, time.Millisecond
		tracer.Decided(s)
	}
	tracer.Close(time.Minute)
	type span struct {
		Name, Reason string
		Under        bool
		Failed       bool
		Took         time.Duration
	}
	var got []span
	for _, s := range c.spans {
		one := span{
			Name: s.GetName(), Under: hex.EncodeToString(s.GetTraceId()) == traceID && hex.EncodeToString(s.GetParentSpanId()) == parentID,
			Failed: s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR, Took: time.Duration(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano()),
		}
		for _, a := range s.GetAttributes() {
			if a.GetKey() == "auth0_jwt.reason" {
				one.Reason = a.GetValue().GetStringValue()
			}
		}
		got = append(got, one)
	}
	want := []span{
		{"auth0-jwt decision", "forwarded", true, false, time.Millisecond},
		{"auth0-jwt decision", "keys_unavailable", true, true, time.Millisecond},
		{"auth0-jwt decision", "missing_token", false, false, time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTracingNeverWaitsForACollectorThatDoesNotAnswer.
func TestTracingNeverWaitsForACollectorThatDoesNotAnswer(t *testing.T) {
	answer := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
	defer silent.Close()
	defer close(answer)
	tracer, err := telemetry.NewTracer(t.Context(), silent.URL, telemetry.Build{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 { // the queue holds 2,048: it would be a deadlock here
		tracer.Decided(telemetry.Span{Begin: time.Now(), Reason: "forwarded"})
	}
	tracer.Close(time.Millisecond)
}

func TestWhatAnEndpointMayBe(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"http://collector:4318": true, "https://collector/otlp": true,
		"collector:4318": false, "http://": false, "https://user:secret@collector": false, "http://c/?token=secret": false, "ftp://c": false, ":": false,
	} {
		_, err := telemetry.CheckEndpoint(endpoint)
		if (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error holds what may be a secret: %v", err)
		}
	}
}
