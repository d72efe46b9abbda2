package login_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

func TestLogout(t *testing.T) {
	away := errors.New("away: secret-refresh")
	for _, tt := range []struct {
		name     string
		method   string
		header   []string
		change   func(*rig)
		status   int
		reason   string
		location string
		ended    bool // the session was revoked, and its cookie is gone
	}{
		{"a link of the application", "GET", []string{"Sec-Fetch-Site: same-origin"}, nil, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"typed", "GET", []string{"Sec-Fetch-Site: none"}, nil, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"a browser without Sec-Fetch", "GET", nil, nil, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"a form of the application", "POST", []string{"Sec-Fetch-Site: same-origin", "Origin: " + origin}, nil, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"a form of an old browser", "POST", []string{"Origin: " + origin}, nil, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"another site's link", "GET", []string{"Sec-Fetch-Site: cross-site"}, nil, 403, login.ReasonCrossSite, "", false},
		{"a sister site's link", "GET", []string{"Sec-Fetch-Site: same-site"}, nil, 403, login.ReasonCrossSite, "", false},
		{"another site's form", "POST", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, nil, 403, login.ReasonCrossSite, "", false},
		{"another site's form, an old browser", "POST", []string{"Origin: https://evil.example"}, nil, 403, login.ReasonCrossSite, "", false},
		{"a sandboxed frame's form", "POST", []string{"Origin: null"}, nil, 403, login.ReasonCrossSite, "", false},
		{"a prefetch", "GET", []string{"Sec-Fetch-Site: same-origin", "Sec-Purpose: prefetch"}, nil, 403, login.ReasonCrossSite, "", false},
		{"HEAD", "HEAD", nil, nil, 405, login.ReasonFailed, "", false},
		{"PUT", "PUT", nil, nil, 405, login.ReasonFailed, "", false},
		{"the refresh token cannot be revoked", "GET", nil, func(r *rig) { r.issuer.revoke = away }, 302, login.ReasonLogout, issuer + "oidc/logout", true},
		{"the issuer offers nothing, but there is a way back", "GET", nil, func(r *rig) {
			r.issuer.endSession, r.conf.PostLogoutRedirectURI = "", origin+"/bye"
		}, 302, login.ReasonLogout, origin + "/bye", true},
		{"the issuer is away, but there is a way back", "GET", nil, func(r *rig) {
			r.issuer.endErr, r.conf.PostLogoutRedirectURI = login.ErrUnavailable, origin+"/bye"
		}, 302, login.ReasonLogout, origin + "/bye", true},
		{"nowhere to go to", "GET", nil, func(r *rig) { r.issuer.endSession = "" }, 200, login.ReasonLogout, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			if tt.change != nil {
				tt.change(r)
			}
			b := r.browser()
			b.logIn()
			s := r.sessions.kept[b.jar[cookieName]]
			a := b.do(tt.method, "/logout", append(tt.header, html)...)
			if a.Status != tt.status || a.Reason != tt.reason || !strings.HasPrefix(header(a, "Location"), tt.location) || tt.location == "" && header(a, "Location") != "" {
				t.Errorf("%d %s %q: %s", a.Status, a.Reason, header(a, "Location"), a.Cause)
			}
			if ended := b.jar[cookieName] == "" && r.revoked.sessions[s.ID] && len(r.sessions.kept) == 0; ended != tt.ended {
				t.Errorf("%v %v", b.jar, r.revoked.sessions)
			}
			if tt.ended && (fmt.Sprint(r.issuer.revoked) != "[secret-refresh]" || fmt.Sprint(r.issuer.endHints) != "[sid-1]") {
				t.Errorf("revoked %v, hints %v", r.issuer.revoked, r.issuer.endHints)
			}
			nothingSecret(t, r, b)
		})
	}
}

func TestACopiedCookieEndsWithTheLogout(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	copied := r.browser()
	copied.jar[cookieName] = b.jar[cookieName]
	s := r.sessions.kept[b.jar[cookieName]]
	b.do("GET", "/logout", html)
	r.sessions.kept[copied.jar[cookieName]] = s // a cookie store forgets nothing
	if found, err := copied.find(); err != nil || found.Session != nil {
		t.Errorf("%+v %v", found, err)
	}
}

func TestALogoutWithRedisAwayDeletesTheCookiesAllTheSame(t *testing.T) {
	away := errors.New("away")
	for name, change := range map[string]func(*rig){
		"opening":    func(r *rig) { r.sessions.openErr, r.sessions.deleteErr = away, away },
		"deleting":   func(r *rig) { r.sessions.deleteErr = away },
		"revocation": func(r *rig) { r.revoked.err = away },
	} {
		r := newRig(t)
		b := r.browser()
		b.logIn()
		change(r)
		if a := b.do("GET", "/logout", html); a.Status != 503 || a.Reason != login.ReasonUnavailable || b.jar[cookieName] != "" {
			t.Errorf("%s: %d %s %v", name, a.Status, a.Reason, b.jar)
		}
		// The second try ends the session at the issuer.
		if a := b.do("GET", "/logout", html); a.Status != 302 {
			t.Errorf("%s: again: %d", name, a.Status)
		}
	}
}

func TestALogoutWithoutASessionGoesToTheIssuer(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.jar[cookieName] = "forged"
	if a := b.do("GET", "/logout", html); a.Status != 302 || b.jar[cookieName] != "" || fmt.Sprint(r.issuer.endHints) != "[]" {
		t.Errorf("%d %v %q", a.Status, b.jar, r.issuer.endHints)
	}
}

func TestTheClickThatLogsOut(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	a := b.do("GET", "/logout", html, "Sec-Fetch-Site: cross-site")
	links := hrefs(a)
	if len(links) != 1 {
		t.Fatalf("%s", a.Body)
	}
	if a := b.do("GET", links[0], html, "Sec-Fetch-Site: same-origin"); a.Status != 302 || b.jar[cookieName] != "" {
		t.Errorf("%d", a.Status)
	}
}

// logoutRequest is what an issuer sends.
func logoutRequest(change func(*request)) *request {
	req := &request{
		method: "POST", path: "/backchannel", body: "logout_token=secret-logout-token",
		header: []string{"Content-Type: application/x-www-form-urlencoded"},
	}
	if change != nil {
		change(req)
	}
	return req
}

func TestBackchannelLogout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request func(*request)
		change  func(*rig)
		status  int
		reason  string
		ended   bool
	}{
		{"the sid", nil, nil, 200, login.ReasonBackchannel, true},
		{"the sub, where there is no sid", nil, func(r *rig) { r.issuer.logoutToken.SID = "" }, 200, login.ReasonBackchannel, true},
		{"another sid", nil, func(r *rig) { r.issuer.logoutToken.SID = "sid-2" }, 200, login.ReasonBackchannel, false},
		{"a charset, and other fields", func(q *request) {
			q.header = []string{"content-type: Application/X-WWW-Form-URLencoded; charset=UTF-8"}
			q.body += "&x=1&x=2"
		}, nil, 200, login.ReasonBackchannel, true},
		{"GET", func(q *request) { q.method = "GET" }, nil, 405, login.ReasonBackchannelFailed, false},
		{"OPTIONS", func(q *request) { q.method = "OPTIONS" }, nil, 405, login.ReasonBackchannelFailed, false},
		{"no content type", func(q *request) { q.header = nil }, nil, 400, login.ReasonBackchannelFailed, false},
		{"two content types", func(q *request) { q.header = append(q.header, q.header[0]) }, nil, 400, login.ReasonBackchannelFailed, false},
		{"JSON", func(q *request) {
			q.header, q.body = []string{"Content-Type: application/json"}, `{"logout_token":"secret-logout-token"}`
		}, nil, 400, login.ReasonBackchannelFailed, false},
		{"multipart", func(q *request) { q.header = []string{"Content-Type: multipart/form-data; boundary=x"} }, nil, 400, login.ReasonBackchannelFailed, false},
		{"no body", func(q *request) { q.body = "" }, nil, 400, login.ReasonBackchannelFailed, false},
		{"no logout_token", func(q *request) { q.body = "token=x" }, nil, 400, login.ReasonBackchannelFailed, false},
		{"an empty logout_token", func(q *request) { q.body = "logout_token=" }, nil, 400, login.ReasonBackchannelFailed, false},
		{"two logout_tokens", func(q *request) { q.body += "&logout_token=x" }, nil, 400, login.ReasonBackchannelFailed, false},
		{"in the query", func(q *request) { q.body, q.query = "", map[string][]string{"logout_token": {"x"}} }, nil, 400, login.ReasonBackchannelFailed, false},
		{"a malformed form", func(q *request) { q.body = "logout_token=%zz" }, nil, 400, login.ReasonBackchannelFailed, false},
		{"64 KiB", func(q *request) { q.body += "&x=" + strings.Repeat("a", 64<<10-len(q.body)-3) }, nil, 200, login.ReasonBackchannel, true},
		{"more than 64 KiB", func(q *request) { q.body += "&x=" + strings.Repeat("a", 64<<10-len(q.body)-2) }, nil, 400, login.ReasonBackchannelFailed, false},
		{"a body that cannot be read", func(q *request) { q.bodyErr = errors.New("closed") }, nil, 503, login.ReasonUnavailable, false},
		{"a token that is not good", nil, func(r *rig) { r.issuer.logoutErr = errors.New("its typ: secret-logout-token") }, 400, login.ReasonBackchannelFailed, false},
		{"the keys are away", nil, func(r *rig) { r.issuer.logoutErr = login.ErrUnavailable }, 503, login.ReasonUnavailable, false},
		{"another issuer", nil, func(r *rig) { r.issuer.logoutToken.Issuer = "https://evil.example/" }, 400, login.ReasonBackchannelFailed, false},
		{"no jti", nil, func(r *rig) { r.issuer.logoutToken.JTI = "" }, 400, login.ReasonBackchannelFailed, false},
		{"neither sid nor sub", nil, func(r *rig) { r.issuer.logoutToken.SID, r.issuer.logoutToken.Subject = "", "" }, 400, login.ReasonBackchannelFailed, false},
		{"the memory of jtis is away", nil, func(r *rig) { r.once.err = errors.New("away") }, 503, login.ReasonUnavailable, false},
		{"the revocation cannot be kept", nil, func(r *rig) { r.revoked.err = errors.New("away") }, 503, login.ReasonUnavailable, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			b := r.browser()
			b.logIn()
			r.issuer.logoutToken = login.Logout{Issuer: issuer, SID: "sid-1", Subject: "auth0|1", JTI: "1", Expires: start.Add(2 * time.Minute)}
			if tt.change != nil {
				tt.change(r)
			}
			a := b.took(r.flow.Serve(t.Context(), logoutRequest(tt.request), r.now))
			if a.Status != tt.status || a.Reason != tt.reason || header(a, "Content-Type") != "application/json" {
				t.Errorf("%d %s: %s", a.Status, a.Reason, a.Cause)
			}
			if a.Status != 200 && !strings.Contains(string(a.Body), `"error":`) {
				t.Errorf("%s", a.Body)
			}
			r.revoked.err = nil
			if found, err := b.find(); err != nil || (found.Session == nil) != tt.ended {
				t.Errorf("%+v %v", found, err)
			}
			nothingSecret(t, r, b)
		})
	}
}

func TestALogoutTokenIsUsedOnce(t *testing.T) {
	r := newRig(t)
	r.issuer.logoutToken = login.Logout{Issuer: issuer, Subject: "auth0|1", JTI: "1"}
	if a := r.flow.Serve(t.Context(), logoutRequest(nil), r.now); a.Status != 200 {
		t.Fatal(a.Status, a.Cause)
	}
	r.now = r.now.Add(time.Minute)
	b := r.browser()
	b.logIn()
	if a := r.flow.Serve(t.Context(), logoutRequest(nil), r.now); a.Status != 400 {
		t.Errorf("%d", a.Status)
	}
	if found, err := b.find(); err != nil || found.Session == nil {
		t.Errorf("a replay ended a later login: %+v %v", found, err)
	}
}

// The issuer was told to send it again.
func TestALogoutTokenWhoseRevocationWasNotKeptMayComeAgain(t *testing.T) {
	r := newRig(t)
	r.issuer.logoutToken = login.Logout{Issuer: issuer, SID: "sid-1", JTI: "1"}
	for _, tt := range []struct {
		err    error
		status int
	}{{errors.New("away"), 503}, {errors.New("away"), 503}, {nil, 200}, {nil, 400}} {
		r.revoked.err = tt.err
		if a := r.flow.Serve(t.Context(), logoutRequest(nil), r.now); a.Status != tt.status {
			t.Errorf("%v: %d %s", tt.err, a.Status, a.Cause)
		}
	}
}
