package login_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

func TestALoginGoesThereAndBack(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	state := b.begin("/a%20b?x=1&y=%2F")
	if b.transactions() != 1 {
		t.Fatalf("%d transaction cookies", b.transactions())
	}
	a := b.back(url.Values{"code": {"secret-code"}, "state": {state}, "iss": {issuer}})
	if a.Status != 303 || a.Reason != login.ReasonCompleted || header(a, "Location") != "/a%20b?x=1&y=%2F" {
		t.Fatalf("%d %s %q: %s", a.Status, a.Reason, header(a, "Location"), a.Cause)
	}
	if b.transactions() != 0 || b.jar[cookieName] == "" {
		t.Errorf("the jar holds %v", b.jar)
	}
	asked := r.issuer.asked[0]
	if got := r.issuer.exchanged; len(got) != 1 || got[0] != "secret-code "+asked.Verifier || len(asked.Verifier) != 43 {
		t.Errorf("exchanged %q, asked with %q", got, asked.Verifier)
	}
	s := r.sessions.kept[b.jar[cookieName]]
	if s.AccessToken != "secret-access" || s.IDToken != "" || s.RefreshToken != "secret-refresh" ||
		!s.Begun.Equal(r.now) || !s.Ends.Equal(r.now.Add(72*time.Hour)) || !s.Expires.Equal(r.now.Add(time.Hour)) ||
		s.SID != "sid-1" || s.Subject != "auth0|1" || s.SteppedUp != "" {
		t.Errorf("the session is %+v", s)
	}
}

func TestASessionKeepsOnlyTheTokensThatTheRouteNeeds(t *testing.T) {
	for _, tt := range []struct {
		judgeID, forward, keep bool
		access, id             string
	}{
		{false, false, false, "secret-access", ""},
		{false, false, true, "secret-access", "secret-id"},
		{true, false, false, "", "secret-id"},
		{true, true, false, "secret-access", "secret-id"},
	} {
		r := newRig(t, func(o *login.Options) {
			o.Login.JudgeIDToken, o.Login.ForwardAccessToken, o.KeepIDToken = tt.judgeID, tt.forward, func() bool { return tt.keep }
		})
		b := r.browser()
		b.logIn()
		s := r.sessions.kept[b.jar[cookieName]]
		expires := start.Add(time.Hour)
		if tt.judgeID {
			expires = r.issuer.id.Expires
		}
		if s.AccessToken != tt.access || s.IDToken != tt.id || !s.Expires.Equal(expires) {
			t.Errorf("%+v: %+v", tt, s)
		}
	}
}

// Every condition of the way back: the answer, its reason, and the cookies that
// are left. The code, where there is one, is "secret-code".
func TestTheWayBack(t *testing.T) {
	type params = url.Values
	const (
		noCookies = 0
		txn       = 1 << iota // the transaction's cookie is still there
		sess                  // a session's cookie is there
	)
	away := fmt.Errorf("%w: secret-code", login.ErrUnavailable)
	for _, tt := range []struct {
		name string
		live bool // the browser has a session before
		// change the rig, or the answer's parameters, before the way back
		change   func(*rig, *browser, params)
		status   int
		reason   string
		location string
		jar      int
	}{
		{"all is well", false, nil, 303, login.ReasonCompleted, "/page", sess},
		{"the issuer's iss", false, func(_ *rig, _ *browser, p params) { p.Set("iss", issuer) }, 303, login.ReasonCompleted, "/page", sess},
		{"no state", false, func(_ *rig, _ *browser, p params) { p.Del("state") }, 400, login.ReasonFailed, "", txn},
		{"no state, a live session", true, func(_ *rig, _ *browser, p params) { p.Del("state") }, 303, login.ReasonCompleted, "/", txn | sess},
		{"a state that does not open", false, func(_ *rig, _ *browser, p params) { p.Set("state", p.Get("state")[1:]) }, 400, login.ReasonFailed, "", txn},
		{"a state that does not open, a live session", true, func(_ *rig, _ *browser, p params) { p.Set("state", "x") }, 303, login.ReasonCompleted, "/", txn | sess},
		{"a state of a removed secret", false, func(r *rig, _ *browser, _ params) { r.sealer.secrets = []string{"new"} }, 400, login.ReasonFailed, "", txn},
		{"a state of an old secret", false, func(r *rig, _ *browser, _ params) { r.sealer.secrets = []string{"new", r.sealer.secrets[0]} }, 303, login.ReasonCompleted, "/page", sess},
		{"no cookie", false, func(_ *rig, b *browser, _ params) { clear(b.jar) }, 400, login.ReasonFailed, "", noCookies},
		{"another browser's state", true, func(r *rig, _ *browser, p params) {
			p.Set("state", r.browser().begin("/other"))
		}, 303, login.ReasonCompleted, "/other", txn | sess},
		{"another browser's state, no session", false, func(r *rig, _ *browser, p params) {
			p.Set("state", r.browser().begin("/other"))
		}, 400, login.ReasonFailed, "", txn},
		{"another seed in the slot", false, func(_ *rig, b *browser, _ params) {
			for name := range b.jar {
				b.jar[name] = random(24)
			}
		}, 400, login.ReasonFailed, "", txn},
		{"a cut cookie", false, func(_ *rig, b *browser, _ params) {
			for name, value := range b.jar {
				b.jar[name] = value[:20]
			}
		}, 400, login.ReasonFailed, "", txn},
		{"the memory of states is away", false, func(r *rig, _ *browser, _ params) { r.once.err = errors.New("away") }, 503, login.ReasonUnavailable, "", noCookies},
		{"a session's store that is away, no transaction", true, func(r *rig, _ *browser, p params) {
			p.Del("state")
			r.sessions.openErr = errors.New("away")
		}, 503, login.ReasonUnavailable, "", txn | sess},
		{"too old", false, func(r *rig, _ *browser, _ params) { r.now = r.now.Add(10*time.Minute + time.Second) }, 400, login.ReasonFailed, "", noCookies},
		{"too old, a live session", true, func(r *rig, _ *browser, _ params) { r.now = r.now.Add(10*time.Minute + time.Second) }, 303, login.ReasonCompleted, "/page", sess},
		{"just in time", false, func(r *rig, _ *browser, _ params) { r.now = r.now.Add(10 * time.Minute) }, 303, login.ReasonCompleted, "/page", sess},
		{"the clock went back by 10 min", false, func(r *rig, _ *browser, _ params) { r.now = r.now.Add(-10 * time.Minute) }, 400, login.ReasonFailed, "", noCookies},
		{"the clock went back by 10 s", false, func(r *rig, _ *browser, _ params) { r.now = r.now.Add(-10 * time.Second) }, 303, login.ReasonCompleted, "/page", sess},
		{"another issuer's answer (mix-up)", false, func(_ *rig, _ *browser, p params) { p.Set("iss", "https://evil.example/") }, 400, login.ReasonFailed, "", noCookies},
		{"another issuer's error", false, func(_ *rig, _ *browser, p params) {
			p.Del("code")
			p.Set("error", "access_denied")
			p.Set("iss", "https://evil.example/")
		}, 400, login.ReasonFailed, "", noCookies},
		{"no iss where discovery promises it", false, func(r *rig, _ *browser, _ params) { r.issuer.promisesIss = true }, 400, login.ReasonFailed, "", noCookies},
		{"discovery away, no iss", false, func(r *rig, _ *browser, _ params) { r.issuer.issuerErr = away }, 503, login.ReasonUnavailable, "", noCookies},
		{"discovery of no use, no iss", false, func(r *rig, _ *browser, _ params) { r.issuer.issuerErr = errors.New("no JSON") }, 502, login.ReasonFailed, "", noCookies},
		{"neither code nor error", false, func(_ *rig, _ *browser, p params) { p.Del("code") }, 400, login.ReasonFailed, "", noCookies},
		{"code and error", false, func(_ *rig, _ *browser, p params) { p.Set("error", "access_denied") }, 400, login.ReasonFailed, "", noCookies},
		{"code twice", false, func(_ *rig, _ *browser, p params) { p.Add("code", "other") }, 400, login.ReasonFailed, "", noCookies},
		{"state twice", false, func(_ *rig, _ *browser, p params) { p.Add("state", p.Get("state")) }, 400, login.ReasonFailed, "", txn},
		{"state twice, a live session", true, func(_ *rig, _ *browser, p params) { p.Add("state", p.Get("state")) }, 400, login.ReasonFailed, "", txn | sess},
		{"iss twice", false, func(_ *rig, _ *browser, p params) { p["iss"] = []string{issuer, issuer} }, 400, login.ReasonFailed, "", noCookies},
		{"error twice", false, func(_ *rig, _ *browser, p params) { p["error"] = []string{"access_denied", "server_error"} }, 400, login.ReasonFailed, "", noCookies},
		{"any other parameter twice", false, func(_ *rig, _ *browser, p params) { p["session_state"] = []string{"a", "b"} }, 400, login.ReasonFailed, "", noCookies},
		{"the token endpoint refuses", false, func(r *rig, _ *browser, _ params) { r.issuer.exchange = &login.ProviderError{Code: "invalid_grant"} }, 502, login.ReasonFailed, "", noCookies},
		{"the token endpoint answers what is no JSON", false, func(r *rig, _ *browser, _ params) { r.issuer.exchange = errors.New("no JSON") }, 502, login.ReasonFailed, "", noCookies},
		{"the token endpoint does not answer", false, func(r *rig, _ *browser, _ params) { r.issuer.exchange = away }, 503, login.ReasonUnavailable, "", noCookies},
		{"no ID token", false, func(r *rig, _ *browser, _ params) { r.issuer.tokens.IDToken = "" }, 502, login.ReasonFailed, "", noCookies},
		{"no access token", false, func(r *rig, _ *browser, _ params) { r.issuer.tokens.AccessToken = "" }, 502, login.ReasonFailed, "", noCookies},
		{"the ID token is not good", false, func(r *rig, _ *browser, _ params) { r.issuer.idErr = errors.New("its aud: secret-id") }, 502, login.ReasonFailed, "", noCookies},
		{"the ID token's nonce is another's", false, func(r *rig, _ *browser, _ params) { r.issuer.tokens.IDToken = "wrong-nonce" }, 502, login.ReasonFailed, "", noCookies},
		{"the issuer's keys are away", false, func(r *rig, _ *browser, _ params) { r.issuer.idErr = away }, 503, login.ReasonUnavailable, "", noCookies},
		{"a session_expiry that is past", false, func(r *rig, _ *browser, _ params) { r.issuer.id.SessionExpiry = r.now }, 403, login.ReasonFailed, "", noCookies},
		{"a sid that is revoked", false, func(r *rig, _ *browser, _ params) { r.revoked.sids["sid-1"] = true }, 403, login.ReasonFailed, "", noCookies},
		{"a sub that is revoked during the exchange", false, func(r *rig, _ *browser, _ params) {
			r.issuer.onExchange = func() { r.revoked.subjects["auth0|1"] = r.now.Add(time.Millisecond) }
		}, 403, login.ReasonFailed, "", noCookies},
		{"a sub that was revoked before", false, func(r *rig, _ *browser, _ params) {
			r.revoked.subjects["auth0|1"] = r.now.Add(-time.Millisecond)
		}, 303, login.ReasonCompleted, "/page", sess},
		{"a session that does not fit", false, func(r *rig, _ *browser, _ params) {
			r.sessions.saveErr = fmt.Errorf("%w: 5,000 bytes", login.ErrTooLarge)
		}, 500, login.ReasonFailed, "", noCookies},
		{"a token that no session could hold", false, func(r *rig, _ *browser, _ params) {
			r.issuer.exchange = fmt.Errorf("%w: its id_token", login.ErrTooLarge)
		}, 500, login.ReasonFailed, "", noCookies},
		{"the session's store is away", false, func(r *rig, _ *browser, _ params) { r.sessions.saveErr = errors.New("away") }, 503, login.ReasonUnavailable, "", noCookies},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			b := r.browser()
			if tt.live {
				b.logIn()
			}
			p := params{"code": {"secret-code"}, "state": {b.begin("/page")}}
			if tt.change != nil {
				tt.change(r, b, p)
			}
			a := b.back(p)
			if a.Status != tt.status || a.Reason != tt.reason || header(a, "Location") != tt.location {
				t.Errorf("got %d %s %q (%s)", a.Status, a.Reason, header(a, "Location"), a.Cause)
			}
			if a.Status >= 400 && a.Cause == "" {
				t.Error("nothing for the log")
			}
			jar := 0
			if b.transactions() > 0 {
				jar |= txn
			}
			if b.jar[cookieName] != "" {
				jar |= sess
			}
			if jar != tt.jar {
				t.Errorf("the browser keeps %v", b.jar)
			}
			if strings.HasPrefix(header(a, "Location"), issuer) {
				t.Error("the way back redirected to the issuer")
			}
			nothingSecret(t, r, b)
		})
	}
}

// nothingSecret looks into what a log or a person may see.
func nothingSecret(t *testing.T, r *rig, b *browser) {
	t.Helper()
	secrets := []string{"secret-"}
	for _, a := range r.issuer.asked {
		secrets = append(secrets, a.Verifier, a.Nonce, a.State)
	}
	for _, value := range b.jar {
		secrets = append(secrets, value)
	}
	for _, a := range r.answers {
		for _, s := range secrets {
			if strings.Contains(a.Cause, s) || strings.Contains(string(a.Body), s) || strings.Contains(a.Reason, s) {
				t.Errorf("%q stands in the cause %q or the body %s", s, a.Cause, a.Body)
			}
		}
	}
}

func TestACodeIsExchangedOnce(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	p := url.Values{"code": {"secret-code"}, "state": {b.begin("/page")}}
	copied := r.browser()
	for name, value := range b.jar {
		copied.jar[name] = value
	}
	if a := b.back(p); a.Status != 303 {
		t.Fatal(a.Status, a.Cause)
	}
	if a := b.back(p); a.Status != 303 || header(a, "Location") != "/page" {
		t.Errorf("a second click with a live session: %d %s", a.Status, a.Cause)
	}
	if a := copied.back(p); a.Status != 400 || a.Reason != login.ReasonFailed || copied.transactions() != 0 {
		t.Errorf("the copied transaction: %d %s %v", a.Status, a.Cause, copied.jar)
	}
	if len(r.issuer.exchanged) != 1 {
		t.Errorf("%d exchanges", len(r.issuer.exchanged))
	}
}

func TestASessionWithADeadTokenIsNotSentRoundInCircles(t *testing.T) {
	r := newRig(t)
	r.issuer.tokens.RefreshToken = ""
	b := r.browser()
	b.logIn()
	r.now = r.now.Add(2 * time.Hour)
	if a := b.back(url.Values{"code": {"x"}, "state": {"unknown"}}); a.Status != 400 {
		t.Errorf("%d %q", a.Status, header(a, "Location"))
	}
}

// Fixation: whatever cookie a browser had before, its session is another now.
func TestEveryLoginMakesANewSession(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	first := r.sessions.kept[b.jar[cookieName]]
	b.logIn()
	second := r.sessions.kept[b.jar[cookieName]]
	if first.ID == second.ID || first.ID == [16]byte{} || first == second {
		t.Errorf("the identifiers are %x and %x", first.ID, second.ID)
	}
}
