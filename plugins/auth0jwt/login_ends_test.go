package auth0jwt_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// TestASessionNearItsTokensEndIsRefreshedOnce for all who come at the same time,
// and the browser gets the new cookie with the page.
func TestASessionNearItsTokensEndIsRefreshedOnce(t *testing.T) {
	i := newIssuer(t)
	register(t, i, issuer.Client{AccessTokenLifetime: 30})
	a := newApp(t, i, "", "")
	b := a.loggedIn(t)
	register(t, i, issuer.Client{}) // from here on tokens live for a day
	var all sync.WaitGroup
	for range 50 {
		tab := &browser{a, map[string]string{"__Host-auth0_session": b.cookies["__Host-auth0_session"]}, nil}
		all.Go(func() {
			got := tab.get("/")
			if got.upstream == nil || sessionCookie(got) != "set" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", got.status, got.header)
			}
			if got := tab.get("/"); got.upstream == nil || sessionCookie(got) != "" {
				t.Errorf("with the new cookie: %d %v", got.status, got.header)
			}
		})
	}
	all.Wait()
	if n := i.Counters(); n.Refresh != 1 || n.Reuse != 0 || a.plugin.Gate().SessionsRefreshed() != 1 {
		t.Errorf("%d refreshes, %d are counted", n.Refresh, a.plugin.Gate().SessionsRefreshed())
	}
}

// TestASessionWhoseTokenIsNotGoodIsNone, but right after its login the browser is
// not sent round.
func TestASessionWhoseTokenIsNotGoodIsNone(t *testing.T) {
	for _, tt := range []struct{ name, fault, scope, reason string }{
		{"expired", "expired", "openid", "expired"},
		{"of another audience", "wrong_aud", "openid", "bad_audience"},
		{"forged", "rogue_key", "openid", "bad_signature"},
		{"opaque", "garbage", "openid", "malformed_token"},
		{"expired, and so is what a refresh brings", "expired", "openid offline_access", "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := newIssuer(t)
			now := time.Now()
			p := loginPlugin(t, func(o *auth0jwt.Options) { auth0jwt.WithClock(o, func() time.Time { return now }) })
			document := strings.Replace(string(loginConf(t, i, "", "")), "openid offline_access", tt.scope, 1)
			a := &app{i, p, parse(t, p, []byte(document))}
			if err := i.SetFault(issuer.Fault{Path: "access_token", Fault: tt.fault}); err != nil {
				t.Fatal(err)
			}
			b := a.loggedIn(t)
			cookie := b.cookies["__Host-auth0_session"]
			got := b.get("/")
			if got.status != 401 || sessionCookie(got) != "deleted" || !strings.Contains(got.header.Get("Content-Type"), "html") || p.Gate().Decisions()[tt.reason] != 1 {
				t.Errorf("right after the login: %d %v %s", got.status, got.header, got.body)
			}
			if tt.scope != "openid" {
				return // what became of the session is remembered
			}
			now = now.Add(11 * time.Second)
			b.cookies["__Host-auth0_session"] = cookie
			if got := b.get("/"); got.status != 302 || sessionCookie(got) != "deleted" {
				t.Errorf("later: %d %v %s", got.status, got.header, got.body)
			}
			b.cookies["__Host-auth0_session"] = cookie
			if got := b.do("GET", "/"); got.status != 401 || sessionCookie(got) != "deleted" || !strings.Contains(got.body, "missing_token") {
				t.Errorf("a script, later: %d %v %s", got.status, got.header, got.body)
			}
		})
	}
}

// TestWhatWasRevokedEndsSessions: the session here, a copy of its cookie, and not
// the login after it.
func TestWhatWasRevokedEndsSessions(t *testing.T) {
	i := newIssuer(t)
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, a *app, b *browser, now time.Time)
	}{
		{"logout", func(t *testing.T, _ *app, b *browser, _ time.Time) {
			if got := b.get("/logout"); got.status != 302 || sessionCookie(got) != "deleted" || !strings.HasPrefix(got.header.Get("Location"), i.URL()) {
				t.Errorf("%d %v", got.status, got.header)
			}
		}},
		{"back-channel logout", func(t *testing.T, a *app, _ *browser, _ time.Time) {
			raw, err := i.MintLogoutToken(issuer.LogoutToken{ClientID: "web", Sub: "auth0|alice"})
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{"logout_token": {raw}}.Encode()
			them := a.browser(t)
			for _, want := range []int{200, 400} { // once
				got := them.send("POST", "/backchannel", []byte(form), "content-type", "application/x-www-form-urlencoded", "content-length", fmt.Sprint(len(form)))
				if got.status != want || got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		}},
		{"an operator", func(t *testing.T, a *app, _ *browser, now time.Time) {
			r := revocation.Revocation{Issuer: i.URL(), Kind: revocation.Subject, Value: "auth0|alice", Before: now}
			if _, err := a.plugin.Gate().Revocations().Revoke(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			p := loginPlugin(t, func(o *auth0jwt.Options) { auth0jwt.WithClock(o, func() time.Time { return now }) })
			a := &app{i, p, parse(t, p, loginConf(t, i, "", ""))}
			b := a.loggedIn(t)
			copied := &browser{a, map[string]string{"__Host-auth0_session": b.cookies["__Host-auth0_session"]}, b.issuer}
			if got := copied.get("/"); got.upstream == nil {
				t.Fatalf("before: %d", got.status)
			}
			tt.end(t, a, b, now)
			if got := copied.get("/"); got.status != 302 || sessionCookie(got) != "deleted" {
				t.Errorf("a copy of the cookie: %d %v", got.status, got.header)
			}
			now = now.Add(time.Second) // what begins in the same millisecond is revoked too
			again := a.loggedIn(t)
			if got := again.get("/"); got.upstream == nil {
				t.Errorf("after another login: %d %s", got.status, got.body)
			}
			a.plugin.Configure(auth0jwt.Options{AllowInsecure: true, Logger: slog.New(slog.DiscardHandler)})
			a.conf = parse(t, a.plugin, loginConf(t, i, "", ""))
			if got := again.get("/"); got.upstream == nil {
				t.Errorf("with other settings: %d %s", got.status, got.body)
			}
		})
	}
}

func TestALogoutTokenThatIsTooLargeIsNotEvenAskedFor(t *testing.T) {
	a := newApp(t, newIssuer(t), "", "")
	for name, length := range map[string]string{"too long": "65537", "no length": "x", "it says less": "10"} {
		got := a.browser(t).send("POST", "/backchannel", make([]byte, 70_000), "content-type", "application/x-www-form-urlencoded", "content-length", length)
		if got.status != 400 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}
