package login_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

// find asks for the session of a browser and keeps the cookies.
func (b *browser) find() (login.Found, error) {
	b.t.Helper()
	found, err := b.flow.Session(b.t.Context(), b.request("GET", "/api"), b.now)
	b.keep(found.SetCookies)
	return found, err
}

func TestASessionThatNeedsNothingCostsNoMoreThanItsOpening(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	if found, err := b.find(); err != nil || found.Session != nil || r.sessions.opens != 0 {
		t.Errorf("without cookies: %+v %v, %d opened", found, err, r.sessions.opens)
	}
	b.logIn()
	saves := r.sessions.saves
	opens := r.sessions.opens
	found, err := b.find()
	if err != nil || found.Session == nil || len(found.SetCookies) != 0 || r.sessions.saves != saves || r.sessions.opens != opens+1 || r.issuer.refreshes != 0 {
		t.Errorf("%+v %v", found, err)
	}
}

func TestWhatIsNoSession(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*rig, *browser)
		deletes bool
	}{
		"a cookie that does not open": {func(_ *rig, b *browser) { b.jar[cookieName] = "forged" }, true},
		"its ID revoked":              {func(r *rig, b *browser) { r.revoked.sessions[r.sessions.kept[b.jar[cookieName]].ID] = true }, true},
		"its sid revoked":             {func(r *rig, _ *browser) { r.revoked.sids["sid-1"] = true }, true},
		"its sub revoked":             {func(r *rig, _ *browser) { r.revoked.subjects["auth0|1"] = start }, true},
		"idle for too long":           {func(r *rig, _ *browser) { r.now = r.now.Add(24 * time.Hour) }, true},
		"a cookie of another name": {func(_ *rig, b *browser) {
			b.jar["auth0_session"] = b.jar[cookieName]
			delete(b.jar, cookieName)
		}, false},
	} {
		r := newRig(t)
		b := r.browser()
		b.logIn()
		tt.change(r, b)
		found, err := b.find()
		if err != nil || found.Session != nil || (len(found.SetCookies) > 0) != tt.deletes || tt.deletes && (found.Cause == "" || b.jar[cookieName] != "") {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}

func TestASubjectsRevocationDoesNotReachALaterLogin(t *testing.T) {
	r := newRig(t)
	r.revoked.subjects["auth0|1"] = start.Add(-time.Millisecond)
	b := r.browser()
	b.logIn()
	if found, err := b.find(); err != nil || found.Session == nil {
		t.Errorf("%+v %v", found, err)
	}
}

func TestASessionEndsAtItsTimeHoweverOftenItIsUsed(t *testing.T) {
	r := newRig(t)
	r.issuer.tokens.ExpiresIn, r.issuer.tokens.RefreshToken = 100*time.Hour, ""
	b := r.browser()
	b.logIn()
	for r.now.Before(start.Add(72 * time.Hour)) {
		if found, err := b.find(); err != nil || found.Session == nil {
			t.Fatalf("after %v: %+v %v", r.now.Sub(start), found, err)
		}
		r.now = r.now.Add(30 * time.Minute)
	}
	if found, err := b.find(); err != nil || found.Session != nil || b.jar[cookieName] != "" {
		t.Errorf("%+v %v", found, err)
	}
	// 72 h and a cookie at most every 72 min.
	if r.sessions.saves > 61 {
		t.Errorf("the cookie was written %d times", r.sessions.saves)
	}
}

func TestACookieIsWrittenAnewOnceInATwentiethOfItsIdleTime(t *testing.T) {
	r := newRig(t)
	r.issuer.tokens.ExpiresIn = 100 * time.Hour
	b := r.browser()
	b.logIn()
	r.now = r.now.Add(72*time.Minute - time.Second)
	if found, _ := b.find(); len(found.SetCookies) != 0 {
		t.Error("too early")
	}
	r.now = r.now.Add(time.Second)
	found, err := b.find()
	if err != nil || len(found.SetCookies) == 0 || !found.Session.Written.Equal(r.now) || !found.Session.Begun.Equal(start) {
		t.Errorf("%+v %v", found, err)
	}
	if found, _ := b.find(); len(found.SetCookies) != 0 {
		t.Error("twice")
	}
}

func TestAStoreThatIsAwayIsNoPass(t *testing.T) {
	away := errors.New("dial tcp 10.0.0.1:6379: secret-password")
	for name, change := range map[string]func(*rig){
		"at opening": func(r *rig) { r.sessions.openErr = away },
		"at writing": func(r *rig) { r.sessions.saveErr = away },
	} {
		r := newRig(t)
		b := r.browser()
		r.issuer.tokens.ExpiresIn = 100 * time.Hour
		b.logIn()
		change(r)
		r.now = r.now.Add(2 * time.Hour)
		found, err := b.find()
		if !errors.Is(err, login.ErrSessionUnavailable) || found.Session != nil {
			t.Errorf("%s: %+v %v", name, found, err)
			continue
		}
		a := b.took(r.flow.Failure(b.request("GET", "/page", html), err))
		if a.Status != 503 || a.Reason != login.ReasonUnavailable || strings.Contains(a.Cause, "secret-") {
			t.Errorf("%s: %d %s %s", name, a.Status, a.Reason, a.Cause)
		}
	}
}
