package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// nobody is an address that nobody listens on.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awayRow is a row of the table of docs/operations.md.
type awayRow struct {
	// happens has it happen and tells the status that a client gets.
	happens func(t *testing.T) (s *served, status int)
	want    int
	clients string // what the page says of that
	metric  string // with its labels as the page has them; "" is none
	zero    bool   // its value; else it is more
	says    string // in the log
}

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
	"the issuer, no keys are known, or they are too old": {
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
	"the issuer, for a login or a refresh": {
		want: 503, clients: "503", metric: `auth0_jwt_logins_total{result="unavailable"}`, says: "session_unavailable",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protectByLogin("")
			begun := s.ask("/login")
			back, err := s.ask(begun.Header.Get("Location")).Location()
			if err != nil {
				t.Fatal(err)
			}
			s.fault("token", "reset")
			cookie, _, _ := strings.Cut(begun.Header.Get("Set-Cookie"), ";")
			return s, s.ask(back.RequestURI(), "Cookie", cookie).StatusCode
		},
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
	"the socket or the runner": {
		want: 503, clients: "APISIX answers 503", says: "the socket was deleted and is made again",
		happens: func(t *testing.T) (*served, int) {
			s := serve(t)
			s.protect("")
			if err := os.Remove(s.socket); err != nil {
				t.Fatal(err)
			}
			s.says("the socket was deleted")
			if err := s.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = s.Wait() // it was killed
			return s, s.ask("/", "Authorization", "Bearer "+s.mint(nil)).StatusCode
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

var labelsShown = regexp.MustCompile(`(\w+)="([^"]*)"`)

// TestWhatIsAwayDoesWhatTheOperationsPageSays: each row of its table happens to a
// runner behind a gateway, and the client's answer, the metric and the line in the
// log are those of the page.
func TestWhatIsAwayDoesWhatTheOperationsPageSays(t *testing.T) {
	_, table, _ := strings.Cut(openPage(t, "operations.md").text, "\n| what is away |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		row, known := awayRows[strings.TrimSpace(cells[0])]
		if len(cells) != 4 || !known {
			continue
		}
		rows++
		t.Run(strings.TrimSpace(cells[0]), func(t *testing.T) {
			name, labels, _ := strings.Cut(row.metric, "{")
			if !strings.Contains(cells[1], row.clients) || row.metric != "" && !strings.Contains(cells[2], "`"+row.metric) || !strings.Contains(cells[3], row.says) {
				t.Errorf("the page says otherwise: %s", line)
			}
			s, status := row.happens(t)
			if status != row.want {
				t.Errorf("status %d, want %d", status, row.want)
			}
			var wanted []string
			for _, m := range labelsShown.FindAllStringSubmatch(labels, -1) {
				wanted = append(wanted, m[1]+"="+m[2])
			}
			if name != "" {
				until(t, func() bool { return (value(s.scrape(), name, wanted...) == 0) == row.zero })
			}
			if row.says != "" {
				s.said(row.says)
			}
		})
	}
	if rows != len(awayRows) || rows != strings.Count(table, "\n")-1 {
		t.Errorf("%d rows of %d were tried, and there are %d", rows, strings.Count(table, "\n")-1, len(awayRows))
	}
}

// TestAFetchThatFailedSaysWhy in the log of the runner and in the line of what was
// refused for it, with a pause that has its unit; nobody is told of good keys where
// there never were any.
func TestAFetchThatFailedSaysWhy(t *testing.T) {
	tlsURL, _, _ := privateIssuer(t)
	dead := "http://" + nobody(t) + "/"
	for kind, tt := range map[string]struct {
		issuer string
		args   []string
	}{
		"dns":               {"https://nobody.invalid/", nil},
		"tls":               {tlsURL, []string{"--allow-network", "127.0.0.0/8"}},
		"forbidden_address": {tlsURL, nil},
		"connection":        {dead, []string{"--allow-insecure"}},
		"status":            {"", []string{"--allow-insecure"}},
	} {
		t.Run(kind, func(t *testing.T) {
			if tt.issuer == "" {
				tt.issuer = answering(t, http.StatusBadGateway)
			}
			o := startObserved(t, tt.args...)
			route := o.route("1", "auth0-jwt", fmt.Sprintf(`{"name":"orders","issuer":%q,"audience":"api","algorithms":["EdDSA"]}`, tt.issuer))
			var line struct {
				Msg, Kind, At string
				Next          string `json:"next_try"`
				Status        int
			}
			text := o.said("could not be fetched")
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if pause, err := time.ParseDuration(line.Next); err != nil || pause <= 0 || !strings.Contains(text, `"next_try":"`) {
				t.Errorf("next_try is %q", line.Next)
			}
			if line.Kind != kind || line.At != "discovery" || (line.Status == http.StatusBadGateway) != (kind == "status") ||
				!strings.Contains(line.Msg, "there are none") || strings.Contains(line.Msg, "good keys") {
				t.Errorf("the log says %s", text)
			}
			token := forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "k"), forge.Claims(tt.issuer, "api", time.Now()))
			if status := o.request(route, "/", bearer(token)); status != http.StatusServiceUnavailable {
				t.Errorf("status %d", status)
			}
			if text := o.says(`"reason":"keys_unavailable"`); !strings.Contains(text, "failed: "+kind) {
				t.Errorf("the refusal says %s", text)
			}
			if n := value(o.scrape(), "auth0_jwt_provider_fetch_failures", "issuer="+tt.issuer, "kind="+kind); n < 1 {
				t.Errorf("counted %v", n)
			}
		})
	}
}

// answering is an issuer that answers everything with a status.
func answering(t *testing.T, status int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return (&url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}).String()
}
