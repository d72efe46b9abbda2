package telemetry

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Profiling says whether profiles are served.
type Profiling int

// The values of Profiling.
const (
	WithoutProfiles Profiling = iota
	WithProfiles
)

// Handler serves /metrics (Prometheus); /healthz (200 when the runner serves on
// its socket and the socket's path is its own, else 503); /readyz (the same,
// with the state of each provider in use as JSON; with ?strict it is 503 when
// one of them has no usable keys); and /debug/pprof/ where it is asked for. The
// command line is no part of that: it may hold a password.
func Handler(s Sources, profiling Profiling) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Serving(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n")) // an error is the client gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready(w, s, r.URL.Query().Has("strict"))
	})
	if profiling == WithProfiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func ready(w http.ResponseWriter, s Sources, strict bool) {
	answer := struct {
		Ready     bool       `json:"ready"`
		Socket    string     `json:"socket"`
		Providers []Provider `json:"providers"`
	}{true, "ok", s.Providers()}
	if err := s.Serving(); err != nil {
		answer.Ready, answer.Socket = false, err.Error()
	}
	for _, p := range answer.Providers {
		answer.Ready = answer.Ready && (p.Ready || !strict)
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // an error is the client gone
}
