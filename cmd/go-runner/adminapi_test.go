package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ran is what a command writes, and its exit code.
func ran(args ...string) (out, log string, code int) {
	var stdout, stderr strings.Builder
	code = execute(args, &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// adminAPI answers as APISIX's does.
func adminAPI(t *testing.T, key string, lists map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, known := lists[strings.TrimPrefix(r.URL.Path, "/apisix/admin/")]
		switch {
		case r.Header.Get("X-API-KEY") != key:
			w.WriteHeader(http.StatusUnauthorized)
		case list == "redirect":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		case !known:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, list)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCheckAsksAnAdminAPI(t *testing.T) {
	const key = "the-admin-key-of-the-tests"
	t.Setenv("APISIX_ADMIN_KEY", key)
	base := adminAPI(t, key, map[string]string{
		"routes": `{"total":1,"list":[{"key":"/apisix/routes/1","value":{"id":"1","uri":"/*","plugin_config_id":"7"}}]}`,
		"plugin_configs": `{"total":1,"list":[{"key":"/apisix/plugin_configs/7","value":{"id":"7","plugins":{"ext-plugin-pre-req":
			{"conf":[{"name":"auth0-jwt","value":"{\"domain\":\"tenant.eu.auth0.com\",\"audience\":\"a\"}"}]}}}}]}`,
		"services": `{"total":0,"list":[]}`,
	})
	out, log, code := ran("check", "--admin", base)
	if code != 0 || log != "" || !strings.Contains(out, base+"/apisix/admin/plugin_configs: ok") {
		t.Errorf("exit %d\n%s%s", code, out, log)
	}
	// explain finds what judges route 1 where it stands.
	out, log, code = ran("explain", "--admin", base, "--route", "1", "-t", "opaque")
	if code != 0 || !strings.Contains(out, "FAILED malformed_token") {
		t.Errorf("exit %d\n%s%s", code, out, log)
	}
	t.Setenv("APISIX_ADMIN_KEY", "another")
	_, log, code = ran("check", "--admin", base)
	if code != exitCannotRun || !strings.Contains(log, "APISIX_ADMIN_KEY is not its key") || strings.Contains(log, "another") {
		t.Errorf("exit %d\n%s", code, log)
	}
}

func TestAnAdminAPIThatCannotBeReadIsNoBadInput(t *testing.T) {
	t.Setenv("APISIX_ADMIN_KEY", "")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, tt := range []struct {
		name, url string
		code      int
		says      string
	}{
		{"a redirect", adminAPI(t, "", map[string]string{"routes": "redirect"}), exitCannotRun, "answers with 302"},
		{"nothing there", adminAPI(t, "", nil), exitCannotRun, "knows none of routes"},
		{"nobody", closed.URL, exitCannotRun, "connection refused"},
		{"no JSON", adminAPI(t, "", map[string]string{"routes": "{"}), exitBadInput, "no JSON"},
		{"no URL", "127.0.0.1:9180", exitUsage, "want a URL"},
		{"a password", "http://a:hidden@127.0.0.1", exitUsage, "without a user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, log, code := ran("check", "--admin", tt.url)
			if code != tt.code || !strings.Contains(log, tt.says) || strings.Contains(log, "hidden") {
				t.Errorf("exit %d, want %d: %s", code, tt.code, log)
			}
		})
	}
}

func TestCheckOnlineAsksTheIssuer(t *testing.T) {
	url, _, caFile := privateIssuer(t)
	conf := `{"issuer":"` + url + `","audience":"api","algorithms":["EdDSA"]}`
	for _, tt := range []struct {
		name, says string
		flags      []string
	}{
		{"all is well", "", []string{"--ca-file", caFile, "--allow-network", "127.0.0.0/8"}},
		{"its address", "leads to an address that is not public", []string{"--ca-file", caFile}},
		{"its certificate", "TLS failed", []string{"--allow-network", "127.0.0.0/8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, log strings.Builder
			cmd := checkCommand()
			cmd.SetArgs(append([]string{"--online", "-"}, tt.flags...))
			cmd.SetIn(strings.NewReader(conf))
			cmd.SetOut(&out)
			cmd.SetErr(&log)
			if err := cmd.Execute(); (err == nil) != (tt.says == "") || !strings.Contains(log.String(), tt.says) {
				t.Errorf("%v\n%s%s", err, out.String(), log.String())
			}
		})
	}
}
