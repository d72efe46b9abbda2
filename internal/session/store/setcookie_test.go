package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

func TestASessionThatShrinksLosesItsSecondCookie(t *testing.T) {
	c := store.NewCookies(options(t))
	browser := jar{}
	browser.take(must(c.Save(t.Context(), large(), nil, start)))
	browser.take(must(c.Save(t.Context(), fresh(), browser.lines(), start)))
	if len(browser) != 1 {
		t.Errorf("%d cookies", len(browser))
	}
	if s, _, _ := c.Open(t.Context(), browser.lines(), start); s == nil {
		t.Error("it does not open")
	}
}

func TestDeletedCookiesAreGone(t *testing.T) {
	c := store.NewCookies(options(t))
	browser, s := jar{}, large()
	browser.take(must(c.Save(t.Context(), s, nil, start)))
	lines := browser.lines()
	_, _, _ = c.Open(t.Context(), lines, start)
	browser.take(must(c.Delete(t.Context(), s, lines)))
	if len(browser) > 0 {
		t.Errorf("%d cookies are left", len(browser))
	}
	if _, known := c.Known(lines, start); known {
		t.Error("still known")
	}
	if set := must(c.Delete(t.Context(), nil, nil)); len(set) != 1 {
		t.Errorf("without a session: %q", set)
	}
	s.Ends = start
	if set := must(c.Save(t.Context(), s, lines, start)); len(set) != 2 || !strings.Contains(set[0], "=; Max-Age=0") {
		t.Errorf("a session that has ended: %q", set)
	}
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct {
		insecure, none bool
		want           string
	}{
		{false, false, "__Host-auth0_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"},
		{false, true, "__Host-auth0_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None"},
		{true, false, "auth0_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"},
		{true, true, "auth0_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"},
	} {
		opt := options(t)
		b := binding
		b.Cookie = session.CookieName(b.Cookie, tt.insecure)
		opt.Insecure, opt.SameSiteNone, opt.Sealer = tt.insecure, tt.none, sealer(t, b, "a")
		if set := must(store.NewCookies(opt).Delete(t.Context(), nil, nil)); len(set) != 1 || set[0] != tt.want {
			t.Errorf("%q, want %q", set, tt.want)
		}
	}
}

func TestMaxAgeEndsWithTheSession(t *testing.T) {
	c := store.NewCookies(options(t))
	for ends, want := range map[time.Duration]string{
		72 * time.Hour: "86400", time.Hour: "3600", 1500 * time.Millisecond: "2", time.Millisecond: "1",
	} {
		s := fresh()
		s.Ends = start.Add(ends)
		if set := must(c.Save(t.Context(), s, nil, start)); !strings.Contains(set[0], "; Max-Age="+want+"; ") {
			t.Errorf("%v: %s", ends, set[0][len(set[0])-80:])
		}
	}
}
