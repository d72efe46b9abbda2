package telemetry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
)

func handler(profiling bool, providers ...telemetry.Provider) http.Handler {
	return telemetry.Handler(telemetry.Sources{
		Decisions: func() []telemetry.Decision {
			return []telemetry.Decision{{Reason: "forwarded", Count: 3}, {Reason: "expired", Count: 1}}
		},
		Providers: func() []telemetry.Provider { return providers },
		Reported:  func() uint64 { return 5 },
		Caches: func() []telemetry.Cache {
			return []telemetry.Cache{{Kind: "token", Hits: 11, Misses: 12, Evictions: 13, Entries: 14, SizeBytes: 15}}
		},
		Configurations: func() int { return 7 },
		Connections:    func() int { return 2 },
	}, profiling)
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

var (
	healthy = telemetry.Provider{Issuer: "https://a/", Ready: true, KeyIDs: []string{"k1", "k2", "k2"}, Fetched: time.Unix(1000, 0)}
	sick    = telemetry.Provider{Issuer: "https://b/", LastError: "timeout", Failures: 4, NextTry: time.Unix(2000, 0)}
)

func TestMetricsSayWhatHappened(t *testing.T) {
	// The same issuer twice, as two routes with other keys make it.
	twin := healthy
	twin.Ready, twin.LastError = false, "status"
	w := get(handler(false, healthy, sick, twin), "/metrics")
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for _, line := range []string{
		`auth0_jwt_decisions_total{reason="forwarded"} 3`,
		`auth0_jwt_decisions_total{reason="expired"} 1`,
		`auth0_jwt_cache_requests_total{cache="token",result="hit"} 11`,
		`auth0_jwt_cache_requests_total{cache="token",result="miss"} 12`,
		`auth0_jwt_cache_evictions_total{cache="token"} 13`,
		`auth0_jwt_cache_entries{cache="token"} 14`,
		`auth0_jwt_cache_size_bytes{cache="token"} 15`,
		`auth0_jwt_configurations 7`,
		`auth0_jwt_connections 2`,
		`auth0_jwt_provider_ready{issuer="https://a/"} 0`,
		`auth0_jwt_provider_key_info{issuer="https://a/",kid="k2"} 1`,
		`auth0_jwt_provider_fetched_timestamp_seconds{issuer="https://a/"} 1000`,
		`auth0_jwt_provider_fetch_failures{issuer="https://b/",kind="timeout"} 4`,
		`auth0_jwt_provider_next_fetch_timestamp_seconds{issuer="https://b/"} 2000`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
}

func TestReadyWhenEveryProviderInUseHasKeys(t *testing.T) {
	for _, tt := range []struct {
		name      string
		providers []telemetry.Provider
		status    int
	}{
		{"none in use", nil, 200},
		{"all well", []telemetry.Provider{healthy}, 200},
		{"one without keys", []telemetry.Provider{healthy, sick}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := get(handler(false, tt.providers...), "/readyz")
			var answer struct {
				Ready     bool
				Providers []telemetry.Provider
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || answer.Ready != (tt.status == 200) || len(answer.Providers) != len(tt.providers) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestProfilesAreServedOnlyWhenAskedFor(t *testing.T) {
	for profiling, status := range map[bool]int{false: 404, true: 200} {
		if w := get(handler(profiling), "/debug/pprof/"); w.Code != status {
			t.Errorf("profiling %v: status %d", profiling, w.Code)
		}
	}
	if w := get(handler(false), "/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
}
