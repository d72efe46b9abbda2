package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

func TestASessionOfAuth0sTokensFitsOneCookie(t *testing.T) {
	c := store.NewCookies(options(t))
	for _, tt := range []struct {
		name    string
		session *session.Session
		want    int
	}{{"access and ID token", fresh(), 1}, {"a large ID token", large(), 2}} {
		browser := jar{}
		set := must(c.Save(t.Context(), tt.session, nil, start))
		browser.take(set)
		if len(set) != tt.want || len(browser) != tt.want {
			t.Errorf("%s: %d cookies", tt.name, len(set))
		}
		line := browser.lines()[0]
		if len(line) > 4500 {
			t.Errorf("%s: %d bytes", tt.name, len(line))
		}
		t.Logf("%s (tokens of %d, %d and %d bytes): %d bytes of Cookie line in %d cookies", tt.name,
			len(tt.session.AccessToken), len(tt.session.IDToken), len(tt.session.RefreshToken), len(line), len(set))
		for _, one := range set {
			if len(one) > 4096 || !strings.HasSuffix(one, "; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax") {
				t.Errorf("%s: %d bytes, ending in %s", tt.name, len(one), one[len(one)-80:])
			}
		}
		for _, how := range []string{"cold", "seen"} {
			got, stale, err := c.Open(t.Context(), []string{"a=b; " + line}, start)
			if err != nil || stale {
				t.Fatalf("%s, %s: stale %t, %v", tt.name, how, stale, err)
			}
			if diff := cmp.Diff(tt.session, got); diff != "" {
				t.Errorf("%s, %s: %s", tt.name, how, diff)
			}
		}
	}
}

// TestTheBoundOfBothCookiesIsExact walks over the length at which a session no
// longer fits.
func TestTheBoundOfBothCookiesIsExact(t *testing.T) {
	c := store.NewCookies(options(t))
	s := fresh()
	longest, refused := 0, 0
	for n := range 1200 {
		s.IDToken = strings.Repeat("!", 1500+n)
		set, err := c.Save(t.Context(), s, nil, start)
		if err != nil {
			if !errors.Is(err, login.ErrTooLarge) || set != nil {
				t.Fatalf("%v", err)
			}
			refused++
			continue
		}
		if refused > 0 {
			t.Fatal("a longer one fits again")
		}
		browser := jar{}
		browser.take(set)
		longest = max(longest, len(browser.lines()[0]))
		if got, _, _ := c.Open(t.Context(), browser.lines(), start); got == nil {
			t.Fatalf("with %d bytes it does not open", longest)
		}
	}
	if refused == 0 || longest > 4500 || longest < 4498 {
		t.Errorf("up to %d bytes, then %d refused", longest, refused)
	}
}

func TestClaimsOf12KBDoNotFit(t *testing.T) {
	s := fresh()
	s.IDToken = jwt(12_000)
	if _, err := store.NewCookies(options(t)).Save(t.Context(), s, nil, start); !errors.Is(err, login.ErrTooLarge) {
		t.Error(err)
	}
	opt := options(t)
	opt.Sealer = sealer(t, session.Binding{Cookie: strings.Repeat("n", 4100)}, "a")
	if _, err := store.NewCookies(opt).Save(t.Context(), fresh(), nil, start); !errors.Is(err, login.ErrTooLarge) {
		t.Errorf("a name that is too long: %v", err)
	}
}

func TestCookiesThatAreNoSessionAreStale(t *testing.T) {
	c := store.NewCookies(options(t))
	one, two := jar{}, jar{}
	one.take(must(c.Save(t.Context(), fresh(), nil, start)))
	two.take(must(c.Save(t.Context(), large(), nil, start)))
	other := jar{}
	other.take(must(c.Save(t.Context(), large(), nil, start)))
	name, second := c.Names()[0], c.Names()[1]
	theirs := func(b session.Binding, letters ...string) []string {
		opt := options(t)
		opt.Sealer = sealer(t, b, letters...)
		browser := jar{}
		browser.take(must(store.NewCookies(opt).Save(t.Context(), fresh(), nil, start)))
		return []string{name + "=" + browser[b.Cookie]}
	}
	changed := func(change func(*session.Binding)) session.Binding {
		b := binding
		change(&b)
		return b
	}
	for what, lines := range map[string][]string{
		"made up":            {name + "=AAAA"},
		"empty":              {name + "="},
		"twice":              {one.lines()[0] + "; " + one.lines()[0]},
		"in two lines":       {one.lines()[0], one.lines()[0]},
		"a planted second":   {one.lines()[0] + "; " + second + "=AAAA"},
		"the first alone":    {name + "=" + two[name]},
		"the second alone":   {second + "=" + two[second]},
		"exchanged":          {name + "=" + two[second] + "; " + second + "=" + two[name]},
		"of two sessions":    {name + "=" + two[name] + "; " + second + "=" + other[second]},
		"quoted":             {name + `="` + one[name] + `"`},
		"of another cookie":  theirs(changed(func(b *session.Binding) { b.Cookie = "other" }), "a"),
		"of another client":  theirs(changed(func(b *session.Binding) { b.ClientID = "other" }), "a"),
		"of another issuer":  theirs(changed(func(b *session.Binding) { b.Issuer = "other" }), "a"),
		"of another origin":  theirs(changed(func(b *session.Binding) { b.Origin = "other" }), "a"),
		"of another secret":  theirs(binding, "z"),
		"of another purpose": {name + "=" + sealer(t, binding, "a").Seal(session.ForState, fresh().Encode(), start)},
	} {
		if s, stale, err := c.Open(t.Context(), lines, start); s != nil || !stale || err != nil {
			t.Errorf("%s: %t, stale %t, %v", what, s != nil, stale, err)
		}
		if s, known := c.Known(lines, start); s != nil || known {
			t.Errorf("%s: known", what)
		}
	}
	if s, stale, err := c.Open(t.Context(), []string{"a=b"}, start); s != nil || stale || err != nil {
		t.Errorf("no cookie: stale %t, %v", stale, err)
	}
	if s, known := c.Known(nil, start); s != nil || !known {
		t.Error("without a cookie it is known that there is no session")
	}
}

func TestASessionEndsByTheTimesInItsSeal(t *testing.T) {
	for _, seen := range []bool{false, true} {
		for _, tt := range []struct {
			name string
			ends time.Duration
			at   time.Duration
			live bool
		}{
			{"before it was idle too long", 72 * time.Hour, idle - 1, true},
			{"idle too long", 72 * time.Hour, idle, false},
			{"before its end", time.Hour, time.Hour - 1, true},
			{"at its end", time.Hour, time.Hour, false},
		} {
			c := store.NewCookies(options(t))
			browser, s := jar{}, fresh()
			s.Ends = start.Add(tt.ends)
			browser.take(must(c.Save(t.Context(), s, nil, start)))
			if seen {
				if s, _, _ := c.Open(t.Context(), browser.lines(), start); s == nil {
					t.Fatal("it does not open")
				}
			}
			now := start.Add(tt.at)
			if s, stale, _ := c.Open(t.Context(), browser.lines(), now); (s != nil) != tt.live || stale == tt.live {
				t.Errorf("%s, seen %t: open %t, stale %t", tt.name, seen, s != nil, stale)
			}
			if _, known := c.Known(browser.lines(), now); known != tt.live {
				t.Errorf("%s, seen %t: known %t", tt.name, seen, known)
			}
		}
	}
}

func TestARemovedSecretEndsASessionThatWasSeen(t *testing.T) {
	opt := options(t)
	before := store.NewCookies(opt)
	browser := jar{}
	browser.take(must(before.Save(t.Context(), fresh(), nil, start)))
	if s, _, _ := before.Open(t.Context(), browser.lines(), start); s == nil {
		t.Fatal("it does not open")
	}
	for _, tt := range []struct {
		letters []string
		want    bool
	}{{[]string{"b", "a"}, true}, {[]string{"b"}, false}} {
		opt.Sealer = sealer(t, binding, tt.letters...) // the route is read again, in the same process
		after := store.NewCookies(opt)
		if s, _, _ := after.Open(t.Context(), browser.lines(), start); (s != nil) != tt.want {
			t.Errorf("%s: opened %t", tt.letters, s != nil)
		}
		if _, known := after.Known(browser.lines(), start); known != tt.want {
			t.Errorf("%s: known %t", tt.letters, known)
		}
	}
}

func TestASessionOfAnotherApplicationIsNotKnownInTheSameMemory(t *testing.T) {
	opt := options(t)
	ours := store.NewCookies(opt)
	browser := jar{}
	browser.take(must(ours.Save(t.Context(), fresh(), nil, start)))
	_, _, _ = ours.Open(t.Context(), browser.lines(), start)
	b := binding
	b.ClientID = "other"
	opt.Sealer = sealer(t, b, "a")
	if s, known := store.NewCookies(opt).Known(browser.lines(), start); known || s != nil {
		t.Error("known")
	}
}

func TestHostileCookiesPushNothingOutOfMemory(t *testing.T) {
	c := store.NewCookies(options(t))
	browser := jar{}
	browser.take(must(c.Save(t.Context(), fresh(), nil, start)))
	_, _, _ = c.Open(t.Context(), browser.lines(), start)
	for n := range 20_000 {
		_, _, _ = c.Open(t.Context(), []string{fmt.Sprintf("%s=%064d", c.Names()[0], n)}, start)
	}
	if _, known := c.Known(browser.lines(), start); !known {
		t.Error("the session is no longer known")
	}
}

func TestASeenSessionAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	c := store.NewCookies(options(t))
	browser := jar{}
	browser.take(must(c.Save(t.Context(), large(), nil, start)))
	lines := browser.lines()
	_, _, _ = c.Open(t.Context(), lines, start)
	if n := testing.AllocsPerRun(1000, func() {
		if s, known := c.Known(lines, start); s == nil || !known {
			t.Fatal("not known")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
