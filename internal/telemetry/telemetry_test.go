package telemetry_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
)

func sources(serving error, providers ...telemetry.Provider) telemetry.Sources {
	return telemetry.Sources{
		Decisions: func() []telemetry.Decision {
			return []telemetry.Decision{{Reason: "forwarded", Count: 3}, {Reason: "expired", Count: 1}}
		},
		Providers: func() []telemetry.Provider { return providers },
		Reported:  func() uint64 { return 5 },
		Revocations: func() telemetry.Revocations {
			return telemetry.Revocations{Entries: 31, Up: true, Refused: 32, Lost: 33}
		},
		Sessions: func() telemetry.Sessions {
			return telemetry.Sessions{Logins: map[string]uint64{"completed": 34, "failed": 35}, Refreshed: 36, StoreUp: true}
		},
		Caches: func() []telemetry.Cache {
			return []telemetry.Cache{{Kind: "token", Hits: 11, Misses: 12, Evictions: 13, Entries: 14, SizeBytes: 15}}
		},
		Runner: func() telemetry.Runner {
			return telemetry.Runner{
				Connections: 2, Configurations: 7, ConfigurationBytes: 700,
				Requests:           []telemetry.Request{{Plugin: "auth0-jwt", Outcome: "passed", Count: 21}, {Outcome: "denied", Count: 22}},
				ConnectionsRefused: 23, ConfigurationEvictions: 24, TokenNotFound: 25, TokenCollisions: 26, Panics: 27, FrameErrors: 28,
			}
		},
		LogLinesDropped: func() uint64 { return 29 },
		Serving:         func() error { return serving },
		Build:           telemetry.Build{Version: "v1.2.3", Commit: "abc"},
	}
}

func handler(providers ...telemetry.Provider) http.Handler {
	return telemetry.Handler(sources(nil, providers...), telemetry.WithoutProfiles)
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
	w := get(handler(healthy, sick, twin), "/metrics")
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
		`auth0_jwt_logins_total{result="completed"} 34`,
		`auth0_jwt_logins_total{result="failed"} 35`,
		`auth0_jwt_sessions_refreshed_total 36`,
		`auth0_jwt_session_store_up 1`,
		`auth0_jwt_runner_connections 2`,
		`auth0_jwt_runner_connections_refused_total 23`,
		`auth0_jwt_runner_requests_total{outcome="passed",plugin="auth0-jwt"} 21`,
		`auth0_jwt_runner_requests_total{outcome="denied",plugin=""} 22`,
		`auth0_jwt_runner_configurations 7`,
		`auth0_jwt_runner_configuration_bytes 700`,
		`auth0_jwt_runner_configuration_evictions_total 24`,
		`auth0_jwt_runner_token_not_found_total 25`,
		`auth0_jwt_runner_token_collisions_total 26`,
		`auth0_jwt_runner_panics_total 27`,
		`auth0_jwt_runner_frame_errors_total 28`,
		`auth0_jwt_log_lines_dropped_total 29`,
		`auth0_jwt_build_info{commit="abc",go_version="` + runtime.Version() + `",version="v1.2.3"} 1`,
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

func TestReadyWhenTheSocketIsServedAndStrictlyWhenEveryProviderHasKeys(t *testing.T) {
	lost := errors.New("the socket's path is another runner's now")
	for _, tt := range []struct {
		name, path string
		serving    error
		providers  []telemetry.Provider
		status     int
	}{
		{"none in use", "/readyz", nil, nil, 200},
		{"all well", "/readyz?strict", nil, []telemetry.Provider{healthy}, 200},
		{"one issuer without keys", "/readyz", nil, []telemetry.Provider{healthy, sick}, 200},
		{"one issuer without keys, strictly", "/readyz?strict", nil, []telemetry.Provider{healthy, sick}, 503},
		{"the socket is lost", "/readyz", lost, []telemetry.Provider{healthy}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := get(telemetry.Handler(sources(tt.serving, tt.providers...), telemetry.WithoutProfiles), tt.path)
			var answer struct {
				Ready     bool
				Socket    string
				Providers []telemetry.Provider
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || answer.Ready != (tt.status == 200) || len(answer.Providers) != len(tt.providers) ||
				(answer.Socket == "ok") != (tt.serving == nil) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestHealthyAsLongAsTheSocketIsServed(t *testing.T) {
	if w := get(handler(sick), "/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := get(telemetry.Handler(sources(errors.New("gone")), telemetry.WithoutProfiles), "/healthz"); w.Code != 503 {
		t.Errorf("healthz without a socket: %d", w.Code)
	}
}

func TestProfilesAreServedOnlyWhenAskedForAndNeverTheCommandLine(t *testing.T) {
	for profiling, status := range map[telemetry.Profiling]int{telemetry.WithoutProfiles: 404, telemetry.WithProfiles: 200} {
		h := telemetry.Handler(sources(nil), profiling)
		if w := get(h, "/debug/pprof/"); w.Code != status {
			t.Errorf("profiling %v: status %d", profiling, w.Code)
		}
		if w := get(h, "/debug/pprof/cmdline"); w.Code != 404 || strings.Contains(w.Body.String(), os.Args[0]) {
			t.Errorf("the command line is served: %d %q", w.Code, w.Body)
		}
	}
}
