// Package telemetry shows an operator how the runner is: metrics, health and
// readiness over HTTP. It must not know how anything is decided, and never
// sees a token or a claim.
package telemetry

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Decision is how many requests ended with one reason.
type Decision struct {
	Reason string // "forwarded", or why not
	Count  uint64
}

// Provider is the state of one issuer's keys.
type Provider struct {
	Issuer    string    `json:"issuer"`
	Ready     bool      `json:"ready"` // usable keys are at hand
	KeyIDs    []string  `json:"key_ids"`
	Skipped   int       `json:"keys_skipped"` // keys of the set that are not used
	Fetched   time.Time `json:"fetched,omitzero"`
	LastError string    `json:"last_error,omitempty"` // a kind; never what the issuer wrote
	Failures  int       `json:"failures"`             // in a row
	NextTry   time.Time `json:"next_try,omitzero"`
}

// Cache is the counts of one kind of what is remembered.
type Cache struct {
	Kind                    string // "decision" or "token"
	Hits, Misses, Evictions uint64
	Entries, SizeBytes      uint64
}

// Sources are asked anew for every answer.
type Sources struct {
	Decisions      func() []Decision
	Providers      func() []Provider // those in use
	Reported       func() uint64     // rules with report_only that did not hold
	Caches         func() []Cache
	Configurations func() int
	Connections    func() int
}

// Handler serves /metrics (Prometheus), /healthz (200 as long as the process
// answers), /readyz (200 when every provider in use has usable keys, else 503,
// with the state of each as JSON), and /debug/pprof/ where profiling is on.
func Handler(s Sources, profiling bool) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // an error is the client gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, s.Providers()) })
	if profiling {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func ready(w http.ResponseWriter, providers []Provider) {
	answer := struct {
		Ready     bool       `json:"ready"`
		Providers []Provider `json:"providers"`
	}{true, providers}
	for _, p := range providers {
		answer.Ready = answer.Ready && p.Ready
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // an error is the client gone
}
