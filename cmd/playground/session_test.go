package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// sessionHeader is the line of cookies that a browser sends to the page: ports do
// not tell cookies apart.
func sessionHeader(t *testing.T, jar http.CookieJar, gateway string) [2]string {
	t.Helper()
	at, err := url.Parse(gateway)
	if err != nil {
		t.Fatal(err)
	}
	var line []string
	for _, c := range jar.Cookies(at) {
		line = append(line, c.Name+"="+c.Value)
	}
	return [2]string{"Cookie", strings.Join(append(line, "other=1"), "; ")}
}

func TestALoginAtTheLocalProviderGivesTheTriesASession(t *testing.T) {
	r := startRig(t)
	begun := r.begin()
	e := begun.example(t, "login")
	session := map[string]any{"kind": "session"}
	if got := r.try(e.Config, e.Request, session); got.Answer.Reason != "login_redirect" || !strings.Contains(strings.Join(got.Notes, " "), "no session of the route") {
		t.Errorf("without one: %s, %q", got.Answer.Reason, got.Notes)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{site: r.site(), client: &http.Client{Jar: jar, Timeout: answerWithin}}
	var login struct{ Open string }
	if status := r.post("login", map[string]string{"config": e.Config}, &login); status != http.StatusOK || !strings.HasPrefix(login.Open, begun.Gateway+"/try/") {
		t.Fatalf("%d %q", status, login.Open)
	}
	if got, err := b.navigate(t.Context(), http.MethodGet, login.Open, nil); err != nil || got != "the provider's login page" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := b.logIn(t.Context()); err != nil || got != "200 /try/done for "+person {
		t.Fatalf("%q, %v", got, err)
	}
	cookies := sessionHeader(t, jar, begun.Gateway)
	before := r.verdicts()
	got := r.try(e.Config, e.Request, session, cookies)
	r.agrees(t, got, before)
	if got.Answer.Reason != "forwarded" || !strings.Contains(strings.Join(got.Session, " "), "opens") {
		t.Errorf("%s; %q; %q", got.Answer.Reason, got.Session, got.Notes)
	}
	for _, h := range got.Sent.Headers {
		if h[0] == "Cookie" && strings.Contains(h[1], "other=") {
			t.Errorf("another cookie of this host was sent: %s", h[1])
		}
	}
	if id := got.identity("X-User-Id"); id != person {
		t.Errorf("the upstream sees %q", id)
	}
	// The user of the session is revoked, as the user of a token is.
	r.act("revoke-user", person)
	before = r.verdicts()
	got = r.try(e.Config, e.Request, session, cookies)
	if got.Answer.Status == http.StatusOK || len(r.decided(before)) != 1 || r.decided(before)[0] == "forwarded" {
		t.Errorf("a revoked session: %d %s, the runner counted %q", got.Answer.Status, got.Answer.Reason, r.decided(before))
	}
	r.agrees(t, got, before)
}

// identity is the value of a header that is marked as the runner's.
func (got tried) identity(name string) string {
	if got.Upstream == nil {
		return ""
	}
	for _, h := range got.Upstream.Headers {
		if h.Name == name && h.Mark == "identity" {
			return h.Value
		}
	}
	return ""
}

func TestTheUpstreamsSideIsToldApart(t *testing.T) {
	r := startRig(t)
	e := r.begin().example(t, "email")
	request := map[string]any{"method": "GET", "path": "/try/orders?a=1", "headers": []pair{
		{"X-User-Id", "mallory"}, {"x_user_id", "mallory"}, {"X-Request-Color", "green"},
	}}
	caller := map[string]any{"kind": "minted", "variant": "valid", "claims": map[string]any{"sub": "auth0|alice", "email": "alice@example.com", "email_verified": true}}
	got := r.try(e.Config, request, caller)
	if got.Upstream == nil || got.Upstream.Path != "/try/orders?a=1" {
		t.Fatalf("got %+v", got.Upstream)
	}
	if got.identity("X-User-Id") != "auth0|alice" || got.identity("X-User-Email") != "alice@example.com" {
		t.Errorf("got %+v", got.Upstream.Headers)
	}
	marks := map[string]string{}
	for _, h := range got.Upstream.Headers {
		marks[h.Name] = h.Mark
	}
	if marks["X-Request-Color"] != "kept" || marks["Host"] != "kept" || marks["X-Real-Ip"] != "gateway" || marks["Authorization"] != "kept" {
		t.Errorf("got %v", marks)
	}
	var stripped []string
	for _, h := range got.Upstream.Stripped {
		stripped = append(stripped, h.Name+"="+h.Value)
	}
	if strings.Join(stripped, " ") != "X-User-Id=mallory x_user_id=mallory" {
		t.Errorf("stripped %q", stripped)
	}
	if got.Shown == nil || got.Shown.Path != "/try/orders?a=1" || len(got.Runner.Edits) == 0 {
		t.Errorf("shown %+v, edits %+v", got.Shown, got.Runner)
	}
}

func TestATryTellsWhatNginxAndAnAbsentRunnerAnswer(t *testing.T) {
	r := startRig(t)
	e := r.begin().example(t, "email")
	twice := map[string]any{"method": "GET", "path": "/try/", "headers": []pair{{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}}
	nobody := map[string]any{"kind": "none"}
	got := r.try(e.Config, twice, nobody)
	if got.Answer.Status != 400 || got.Shown != nil || got.Runner != nil || len(got.Notes) == 0 {
		t.Errorf("got %+v", got)
	}
	broken := r.try(`{"issuer":`, e.Request, nobody)
	if broken.Answer.Status != 500 || broken.Answer.Reason != "config_invalid" || broken.Checks[0].Outcome != "refused" || broken.Upstream != nil {
		t.Errorf("a broken configuration: %+v", broken)
	}
}
