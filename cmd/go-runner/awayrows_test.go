package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// awayRows are those of the page, by their first cell.
var awayRows = map[string]awayRow{
	"the issuer, its keys are known": {
		want: 200, clients: "nothing changes", metric: "auth0_jwt_provider_fetch_failures",
		says: "the issuer's keys could not be fetched; the last good keys stay in use",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			known := "Bearer " + s.mint(nil)
			s.ask("/", "Authorization", known)
			s.fault("jwks", "status")
			for range 2 {
				if err := s.issuer.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			fresh := "Bearer " + s.mint(nil) // by a key that makes the runner ask again
			until(t, func() bool {
				s.ask("/", "Authorization", fresh)
				return value(s.scrape(), "auth0_jwt_provider_fetch_failures") > 0
			})
			return s, s.ask("/", "Authorization", known).StatusCode
		},
	},
	"the issuer, no keys are known": {
		want: 503, clients: "503 `keys_unavailable`", metric: "auth0_jwt_provider_ready", zero: true,
		says: "the issuer's keys could not be fetched; there are none, so its tokens are answered with 503",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.fault("discovery", "status")
			s.protect("")
			resp := s.ask("/", "Authorization", "Bearer "+s.mint(nil))
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return s, resp.StatusCode
		},
	},
	"the issuer, its keys are known and older than `--max-stale`": {
		want: 503, clients: "503 `keys_unavailable`", metric: "auth0_jwt_provider_ready", zero: true,
		says: "the last good ones are older than --max-stale, so its tokens are answered with 503",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t, "--max-stale", "1s")
			s.protect("")
			known := s.mint(nil)
			until(t, func() bool { return s.status(known) == http.StatusOK })
			s.fault("jwks", "status")
			until(t, func() bool { return s.status(known) != http.StatusOK })
			return s, s.status(known)
		},
	},
	"the issuer, for a login": {
		want: 503, clients: "503", metric: `auth0_jwt_logins_total{result="unavailable"}`, says: "session_unavailable",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protectByLogin("")
			callback, cookie := s.goLogIn()
			s.fault("token", "reset")
			return s, s.ask(callback, "Cookie", cookie).StatusCode
		},
	},
	"the issuer, for the refresh of a session whose token is good": {
		want: 200, clients: "nothing changes",
		happens: func(t *testing.T) (*served, int) {
			return inSession(t, 55) // seconds: near its end, so that a refresh is tried
		},
	},
	"the issuer, for the refresh of a session whose token expired": {
		want: 503, clients: "503 `session_unavailable`", metric: `auth0_jwt_decisions_total{reason="session_unavailable"}`, says: "session_unavailable",
		happens: func(t *testing.T) (*served, int) { return inSession(t, 1) },
	},
	"Redis, for sessions": {
		want: 503, clients: "503 `session_unavailable`", metric: "auth0_jwt_session_store_up", zero: true, says: "session_unavailable",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t, "--redis-url", "redis://"+nobody(t))
			s.protectByLogin(`,"store":"redis"`)
			return s, s.ask("/login").StatusCode
		},
	},
	"Redis, for DPoP proofs": {
		want: 503, clients: "503 `dpop_failed`", metric: `auth0_jwt_decisions_total{reason="dpop_failed"}`, says: "dpop_failed",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t, "--redis-url", "redis://"+nobody(t))
			s.protect(`,"dpop":"require"`)
			token := s.mint(map[string]any{"cnf": map[string]any{"jkt": forge.Thumbprint(forge.P256())}})
			proof := forge.Proof{Key: forge.P256(), Method: http.MethodGet, URL: s.gateway.URL() + "/", Token: token, ID: "1", At: time.Now()}
			return s, s.ask("/", "Authorization", "DPoP "+token, "DPoP", proof.String()).StatusCode
		},
	},
	"Redis, for revocations": {
		want: 200, clients: "nothing changes", metric: "auth0_jwt_revocation_feed_up", zero: true, says: "new revocations cannot be heard of",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t, "--redis-url", "redis://"+nobody(t))
			s.protect("")
			return s, s.ask("/", "Authorization", "Bearer "+s.mint(nil)).StatusCode
		},
	},
	"Redis, for revocations, with `--revocations-strict`": {
		want: 503, clients: "503 `revocations_unavailable`", metric: "auth0_jwt_revocation_feed_up", zero: true, says: "revocations_unavailable",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t, "--revocations-strict", "--redis-url", "redis://"+nobody(t))
			s.protect("")
			return s, s.status(s.mint(nil))
		},
	},
	"the runner": {
		want: 503, clients: "APISIX answers 503", shows: "`up` 0",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			if err := s.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = s.Wait() // it was killed
			s.nobodyScrapes()
			return s, s.status(s.mint(nil))
		},
	},
	"the socket's file": {
		want: 503, clients: "503 for each new connection", shows: "`/healthz` 503", says: "the socket was deleted and is made again",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			dir := filepath.Dir(s.socket)
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Fatal(err)
			}
			if resp := s.ask(s.admin + "/healthz"); resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("/healthz answers %s", resp.Status)
			}
			status := s.status(s.mint(nil))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return s.status(s.mint(nil)) == http.StatusOK })
			return s, status
		},
	},
	"APISIX": {
		metric: "auth0_jwt_runner_connections", zero: true,
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			s.ask("/", "Authorization", "Bearer "+s.mint(nil))
			_ = s.gateway.Close()
			_ = s.conn.Close()
			until(t, func() bool { return value(s.scrape(), "auth0_jwt_runner_connections") == 0 })
			return s, 0
		},
	},
	"APISIX, which started the runner": {
		clients: "the runner ends too", shows: "`up` 0", says: "stopped",
		happens: func(t *testing.T) (*served, int) {
			s := startedByAPISIX(t)
			if err := s.Process.Kill(); err != nil { // APISIX, here
				t.Fatal(err)
			}
			s.says(`"msg":"stopped"`)
			s.nobodyScrapes()
			return s, 0
		},
	},
	"the disk or the reader of standard error": {
		want: 200, clients: "nothing changes", metric: "auth0_jwt_log_lines_dropped_total", says: "log lines were dropped since the output did not take them",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			until(t, func() bool { // nobody reads
				for range 500 {
					s.misbehave()
				}
				return value(s.scrape(), "auth0_jwt_log_lines_dropped_total") > 0
			})
			return s, s.ask("/", "Authorization", "Bearer "+s.mint(nil)).StatusCode
		},
	},
	"the collector of traces": {
		want: 200, clients: "nothing changes", says: "spans could not be sent",
		happens: func(t *testing.T) (*served, int) {
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
			s := serve(t, "--otlp-endpoint", "http://"+nobody(t))
			s.protect("")
			return s, s.ask("/", "Authorization", "Bearer "+s.mint(nil)).StatusCode
		},
	},
}
