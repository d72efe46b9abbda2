package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	shows   string // what the page has there besides
	says    string // in the log
}

// inSession is a runner with a session whose access token lives so many seconds. The
// issuer is away since the login. The status is what a request of the session gets at
// the end, for which it waits where the token expires.
func inSession(t *testing.T, seconds int64) (s *served, status int) {
	t.Helper()
	s = serve(t)
	s.protectByLogin("")
	s.register(seconds)
	callback, cookie := s.goLogIn()
	session := ""
	for _, set := range s.ask(callback, "Cookie", cookie).Cookies() {
		session += set.Name + "=" + set.Value + "; "
	}
	for _, endpoint := range []string{"discovery", "jwks", "token"} {
		s.fault(endpoint, "reset")
	}
	ask := func() int { return s.ask("/", "Cookie", session).StatusCode }
	if seconds < 10 {
		until(t, func() bool { return ask() != http.StatusOK })
	}
	status = ask()
	s.register(0)
	s.fault("token", "none")
	until(t, func() bool { // a refresh was due
		ask()
		return value(s.scrape(), "auth0_jwt_sessions_refreshed_total") > 0
	})
	return s, status
}

// nobodyScrapes waits until the admin address of the runner answers nobody.
func (s *served) nobodyScrapes() {
	s.t.Helper()
	until(s.t, func() bool {
		resp, err := http.Get(s.admin + "/metrics")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err != nil
	})
}

// startedByAPISIX is a runner that a shell started, in place of APISIX. Process is the
// shell's, and the log the runner's.
func startedByAPISIX(t *testing.T) *served {
	t.Helper()
	dir, admin := t.TempDir(), nobody(t)
	binary := filepath.Join(dir, "go-runner") // by its name the test's binary knows that it is one
	if err := os.Symlink(os.Args[0], binary); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", `"$0" run --admin-addr "$1" & wait`, binary, admin)
	shell.Env = append(os.Environ(), "APISIX_LISTEN_ADDRESS=unix:"+filepath.Join(dir, "r.sock"))
	pipe, err := shell.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shell.Process.Kill()
		_ = shell.Wait()
	})
	s := &served{observed: &observed{process: &process{Cmd: shell, t: t, stderr: bufio.NewReader(pipe), pipe: pipe}, admin: "http://" + admin}}
	s.says("listening")
	return s
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
			if !strings.Contains(cells[1], row.clients) || row.metric != "" && !strings.Contains(cells[2], "`"+row.metric) ||
				!strings.Contains(cells[2], row.shows) || !strings.Contains(cells[3], row.says) {
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
