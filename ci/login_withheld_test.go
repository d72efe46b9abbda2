package ci_test

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestLogsAndMetricsOfLogins takes most ways that a login can take on a runner that
// logs all it can, and reads its log and its metrics; and the suite's own
// runner's log, after everything above.
func TestLogsAndMetricsOfLogins(t *testing.T) {
	logins(t)
	s := sibling(t, "withheld", "--log-level", "debug")
	app := newApp(t, appSpec{login: merged(offline, policy{"forward_access_token": true}), on: s})
	judged := newApp(t, appSpec{login: merged(offline, policy{"subject_token": "id_token"}), policy: policy{"audience": nil}, on: s})

	loggedIn(t, app).click("/logout").refused(t, 302)
	loggedIn(t, judged).click("/logout").refused(t, 302)
	for _, fault := range []spoiling{
		{Path: "token", Fault: "status"},
		{Path: "token", Fault: "html"},
		{Path: "token", Fault: "error", Code: "invalid_grant"},
		{Path: "token", Fault: "reset"},
		{Path: "token_answer", Fault: "members", Claims: map[string]any{"id_token": nil}},
		{Path: "callback", Fault: "error", Code: "access_denied"},
		{Path: "callback", Fault: "wrong_iss"},
		{Path: "callback", Fault: "repeated_code"},
		{Path: "id_token", Fault: "wrong_nonce"},
		{Path: "id_token", Fault: "expired"},
		{Path: "id_token", Fault: "garbage"},
		{Path: "id_token", Fault: "rogue_key"},
		{Path: "id_token", Fault: "hs_secret"},
		{Path: "id_token", Fault: "large"},
		{Path: "access_token", Fault: "wrong_aud"},
	} {
		under.issuer.spoil(t, fault)
		b := begin(t, judged)
		b.navigate(b.callback)
		b = begin(t, app)
		b.navigate(b.callback)
		b.fetch("/x")
		b.navigate(b.callback) // used
		under.issuer.fault(t, fault.Path, "none")
	}
	app.lifetime(t, nearEnd)
	b := justLoggedIn(t, app)
	under.issuer.spoil(t, spoiling{Path: "token", Fault: "status"})
	b.copy().fetch("/x").passed(t)
	under.issuer.fault(t, "token", "none")
	b.fetch("/x").passed(t)
	b.send(request{method: "POST", headers: scriptHeaders("cross-site")}).refused(t, 403)
	logout := under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, Sub: "auth0|alice"})
	for range 2 {
		app.tell(t, "logout_token="+logout)
	}
	app.tell(t, "logout_token="+under.issuer.logoutToken(t, logoutTokenOf{ClientID: "other", Sub: "auth0|alice"}))
	b.becomes(401)
	newBrowser(t, app).open("/callback?"+url.Values{"code": {"made-up-code-of-nobody"}, "state": {"made-up-state-of-nobody"}}.Encode()).refused(t, 400)
	for _, made := range []string{"made-up-code-of-nobody", "made-up-state-of-nobody", logout} {
		leaks.add("made up", made)
	}

	metrics := s.scrape(t)
	run(t, "metrics hold nothing of them", func(t *testing.T) { leaks.in(t, metrics) })
	run(t, "metrics count logins and refreshes", func(t *testing.T) {
		for _, name := range []string{"auth0_jwt_logins_total{", "auth0_jwt_sessions_refreshed_total", "auth0_jwt_revoked_total"} {
			if !strings.Contains(metrics, name) {
				t.Errorf("no %s", name)
			}
		}
		for _, reason := range []string{"login_redirect", "login_completed", "login_failed", "logout", "cross_site_request", "backchannel_logout"} {
			if !strings.Contains(metrics, `reason="`+reason+`"`) {
				t.Errorf("no decision for the reason %s", reason)
			}
		}
	})
	for _, name := range []string{"withheld", "runner", "gateway"} {
		text, err := os.ReadFile(under.log(name))
		if err != nil {
			continue // there is no such process in this mode
		}
		run(t, "the log of "+name+" holds nothing of them", func(t *testing.T) { leaks.in(t, string(text)) })
	}
}
