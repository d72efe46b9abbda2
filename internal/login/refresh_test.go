package login_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

func TestRefresh(t *testing.T) {
	away := fmt.Errorf("%w: secret-refresh", login.ErrUnavailable)
	for _, tt := range []struct {
		name    string
		left    time.Duration // of the token, of an hour
		change  func(*rig)
		session string // the access token that the session has after it; "" is no session
		err     error
		asked   int
		jar     bool // there is a session's cookie
	}{
		{"60 s left", time.Minute, nil, "secret-access", nil, 0, true},
		{"under 60 s left", time.Minute - time.Millisecond, nil, "secret-access-2", nil, 1, true},
		{"expired", -time.Minute, nil, "secret-access-2", nil, 1, true},
		{"invalid_grant ends it", 30 * time.Second, func(r *rig) { r.issuer.refresh = &login.ProviderError{Code: "invalid_grant"} }, "", nil, 1, false},
		{"another error, the token is good", 30 * time.Second, func(r *rig) { r.issuer.refresh = &login.ProviderError{Code: "invalid_client"} }, "secret-access", nil, 1, true},
		{"another error, the token is over", -time.Second, func(r *rig) { r.issuer.refresh = &login.ProviderError{Code: "invalid_client"} }, "", login.ErrSessionUnavailable, 1, true},
		{"away, the token is good", 30 * time.Second, func(r *rig) { r.issuer.refresh = away }, "secret-access", nil, 1, true},
		{"away, the token is over", -time.Second, func(r *rig) { r.issuer.refresh = away }, "", login.ErrSessionUnavailable, 1, true},
		{"another user's ID token", -time.Second, func(r *rig) { r.issuer.id.Subject = "auth0|2" }, "", login.ErrSessionUnavailable, 1, true},
		{"a bad ID token", -time.Second, func(r *rig) { r.issuer.idErr = errors.New("its signature: secret-id-2") }, "", login.ErrSessionUnavailable, 1, true},
		{"no ID token", -time.Second, func(r *rig) { r.issuer.refreshed.IDToken = "" }, "secret-access-2", nil, 1, true},
		{"no access token", -time.Second, func(r *rig) { r.issuer.refreshed.AccessToken = "" }, "", login.ErrSessionUnavailable, 1, true},
		{"it does not fit any more", -time.Second, func(r *rig) { r.sessions.saveErr = login.ErrTooLarge }, "", login.ErrTooLarge, 1, true},
		{"a logout meanwhile", -time.Second, func(r *rig) {
			r.issuer.onRefresh = func() { r.revoked.sids["sid-1"] = true }
		}, "", nil, 1, false},
		{"a logout meanwhile, and the issuer is away", 30 * time.Second, func(r *rig) {
			r.issuer.onRefresh = func() { r.revoked.sids["sid-1"] = true }
			r.issuer.refresh = away
		}, "", nil, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			b := r.browser()
			b.logIn()
			before := r.sessions.kept[b.jar[cookieName]]
			if tt.change != nil {
				tt.change(r)
			}
			r.now = r.now.Add(time.Hour - tt.left)
			found, err := b.find()
			if !errors.Is(err, tt.err) || (found.Session != nil) != (tt.session != "") {
				t.Fatalf("%+v %v", found, err)
			}
			for _, text := range []string{found.Cause, fmt.Sprint(err)} {
				if strings.Contains(text, "secret-") {
					t.Error(text)
				}
			}
			if s := found.Session; s != nil {
				if s.AccessToken != tt.session || s.ID != before.ID || !s.Begun.Equal(before.Begun) || s.Ends.After(before.Ends) {
					t.Errorf("%+v", s)
				}
			}
			if r.issuer.refreshes != tt.asked || (b.jar[cookieName] != "") != tt.jar {
				t.Errorf("%d refreshes, %v", r.issuer.refreshes, b.jar)
			}
		})
	}
}

func TestARefreshThatALogoutOvertookRevokesWhatItGot(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	r.issuer.onRefresh = func() { r.revoked.sids["sid-1"] = true }
	r.now = r.now.Add(time.Hour)
	if found, err := b.find(); err != nil || found.Session != nil || fmt.Sprint(r.issuer.revoked) != "[secret-refresh-2]" {
		t.Errorf("%+v %v, revoked %v", found, err, r.issuer.revoked)
	}
}

func TestARefreshKeepsWhatItWasNotGiven(t *testing.T) {
	r := newRig(t, func(o *login.Options) { o.KeepIDToken = func() bool { return true } })
	b := r.browser()
	b.logIn()
	r.issuer.refreshed = login.Tokens{AccessToken: "secret-access-2"} // no rotation, no ID token, no expires_in
	r.now = r.now.Add(time.Hour)
	found, err := b.find()
	if err != nil || found.Session.RefreshToken != "secret-refresh" || found.Session.IDToken != "secret-id" || !found.Session.Expires.IsZero() {
		t.Errorf("%+v %v", found, err)
	}
	if _, err := b.find(); err != nil || r.issuer.refreshes != 1 {
		t.Errorf("a token of unknown life is refreshed %d times: %v", r.issuer.refreshes, err)
	}
}

func TestARouteOfIDTokensNeedsANewOne(t *testing.T) {
	r := newRig(t, func(o *login.Options) { o.Login.JudgeIDToken = true })
	b := r.browser()
	b.logIn()
	r.issuer.refreshed.IDToken = ""
	r.now = r.issuer.id.Expires
	if found, err := b.find(); !errors.Is(err, login.ErrSessionUnavailable) {
		t.Errorf("%+v %v", found, err)
	}
}

func TestAnIssuerThatIsAwayIsNotAskedByEveryRequestOfTheLastMinute(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	r.issuer.refresh = login.ErrUnavailable
	r.now = r.now.Add(time.Hour - 30*time.Second)
	for range 10 {
		if found, err := b.find(); err != nil || found.Session == nil {
			t.Fatalf("%+v %v", found, err)
		}
	}
	if r.issuer.refreshes != 1 {
		t.Errorf("asked %d times", r.issuer.refreshes)
	}
	r.issuer.refresh = nil
	r.now = r.now.Add(2 * time.Second)
	if found, err := b.find(); err != nil || found.Session.AccessToken != "secret-access-2" {
		t.Errorf("%+v %v", found, err)
	}
}

func TestFiftyRequestsAtExpiryAreOneRefreshAndNobodyIsLoggedOut(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	r.now = r.now.Add(time.Hour)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			found, err := r.flow.Session(t.Context(), b.request("GET", "/api"), r.now)
			if err != nil || found.Session == nil || found.Session.AccessToken != "secret-access-2" || len(found.SetCookies) == 0 {
				t.Errorf("%+v %v", found, err)
			}
		})
	}
	wg.Wait()
	if r.issuer.refreshes != 1 {
		t.Errorf("%d refreshes", r.issuer.refreshes)
	}
}

func TestRenew(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*rig, *session.Session)
		session bool
		err     error
	}{
		"refreshed":              {func(*rig, *session.Session) {}, true, nil},
		"no refresh token":       {func(_ *rig, s *session.Session) { s.RefreshToken = "" }, false, nil},
		"invalid_grant":          {func(r *rig, _ *session.Session) { r.issuer.refresh = login.ErrInvalidGrant }, false, nil},
		"the issuer is away":     {func(r *rig, _ *session.Session) { r.issuer.refresh = login.ErrUnavailable }, false, login.ErrSessionUnavailable},
		"a logout that overtook": {func(r *rig, s *session.Session) { r.revoked.sessions[s.ID] = true }, false, nil},
	} {
		r := newRig(t)
		b := r.browser()
		b.logIn()
		s := *r.sessions.kept[b.jar[cookieName]]
		tt.change(r, &s)
		found, err := r.flow.Renew(context.Background(), b.request("GET", "/api"), &s, r.now)
		if (found.Session != nil) != tt.session || !errors.Is(err, tt.err) || found.Session == nil && err == nil && len(found.SetCookies) == 0 {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}

func TestATokenThatIsOverIsRefreshedThoughTheIssuerDidNotAnswerAMomentAgo(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	r.issuer.refresh = login.ErrUnavailable
	r.now = r.now.Add(time.Hour - time.Second)
	if found, err := b.find(); err != nil || found.Session == nil {
		t.Fatalf("%+v %v", found, err)
	}
	r.issuer.refresh = nil
	r.now = r.now.Add(time.Second)
	if found, err := b.find(); err != nil || found.Session.AccessToken != "secret-access-2" {
		t.Errorf("%+v %v", found, err)
	}
}

func TestARefreshBringsTheEndNearerAndNeverFarther(t *testing.T) {
	for expiry, want := range map[time.Duration]time.Duration{2 * time.Hour: 2 * time.Hour, 100 * time.Hour: 72 * time.Hour} {
		r := newRig(t)
		b := r.browser()
		b.logIn()
		r.issuer.id.SessionExpiry = start.Add(expiry)
		r.now = r.now.Add(time.Hour)
		if found, err := b.find(); err != nil || !found.Session.Ends.Equal(start.Add(want)) {
			t.Errorf("%v: %+v %v", expiry, found.Session, err)
		}
	}
}

// The cookie with the used refresh token could arrive after its successor's.
func TestACookieIsNotWrittenAnewJustBeforeARefresh(t *testing.T) {
	for name, tt := range map[string]struct {
		refreshToken string
		left         time.Duration
		writes       bool
	}{
		"a refresh is near":   {"secret-refresh", 90 * time.Second, false},
		"a refresh is far":    {"secret-refresh", 121 * time.Second, true},
		"there is no refresh": {"", 90 * time.Second, true},
	} {
		r := newRig(t)
		r.issuer.tokens.ExpiresIn, r.issuer.tokens.RefreshToken = 2*time.Hour, tt.refreshToken
		b := r.browser()
		b.logIn()
		r.now = r.now.Add(2*time.Hour - tt.left)
		if found, err := b.find(); err != nil || found.Session == nil || (len(found.SetCookies) > 0) != tt.writes {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}
