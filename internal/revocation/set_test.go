package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ login.Revocations = (*revocation.Feed)(nil)

const iss = "https://tenant.example/"

var clock = time.Unix(1_800_000_000, 0)

var quiet = slog.New(slog.DiscardHandler)

// alone is a feed of this process only, whose clock stands.
func alone(t *testing.T, set *revocation.Set) *revocation.Feed {
	t.Helper()
	f := revocation.Open(revocation.Options{Set: set, Now: func() time.Time { return clock }, Logger: quiet})
	t.Cleanup(f.Close)
	return f
}

func TestWhatARevocationRefuses(t *testing.T) {
	at := float64(clock.Unix())
	token := func(change func(*revocation.Token)) revocation.Token {
		tok := revocation.Token{
			Issuer: iss, Subject: "alice", SID: "s1", JTI: "j1", AuthorizedParty: "app", ClientID: "app", IssuedAt: at + 100,
		}
		change(&tok)
		return tok
	}
	issued := func(when float64) revocation.Token {
		return token(func(t *revocation.Token) { t.IssuedAt = when })
	}
	missing := token(func(t *revocation.Token) { t.IssuedAt, t.MissingIssuedAt = 0, true })
	sub := revocation.Revocation{Issuer: iss, Kind: revocation.Subject, Value: "alice"}
	client := revocation.Revocation{Issuer: iss, Kind: revocation.Client, Value: "app"}
	sid := revocation.Revocation{Issuer: iss, Kind: revocation.SID, Value: "s1"}
	jti := revocation.Revocation{Issuer: iss, Kind: revocation.JTI, Value: "j1"}
	half := sub
	half.Before = clock.Add(-time.Second / 2)
	for _, c := range []struct {
		name string
		r    revocation.Revocation
		tok  revocation.Token
		want bool
	}{
		{"sub, issued before", sub, issued(at - 1), true},
		{"sub, issued at the time", sub, issued(at), true},
		{"sub, issued a second after", sub, issued(at + 1), false},
		{"sub, issued a part of a second before", sub, issued(at - 0.25), true},
		{"sub, issued a part of a second after", sub, issued(at + 0.25), false},
		{"sub as of a part of a second, issued before it", half, issued(at - 0.75), true},
		{"sub as of a part of a second, issued at it", half, issued(at - 0.5), true},
		{"sub as of a part of a second, issued after it", half, issued(at - 0.25), false},
		{"sub as of a part of a second, issued in the second after", half, issued(at), false},
		{"sub, nobody knows when issued", sub, missing, true},
		{"sub of another issuer", revocation.Revocation{Issuer: "https://tenant.example", Kind: revocation.Subject, Value: "alice"}, issued(at - 1), false},
		{"another sub", revocation.Revocation{Issuer: iss, Kind: revocation.Subject, Value: "alic"}, issued(at - 1), false},
		{"another sub that ends the same", revocation.Revocation{Issuer: iss + "a", Kind: revocation.Subject, Value: "lice"}, issued(at - 1), false},
		{"a sid that is the same as the sub", revocation.Revocation{Issuer: iss, Kind: revocation.SID, Value: "alice"}, issued(at - 1), false},
		{"client, issued at the time", client, issued(at), true},
		{"client, issued after", client, issued(at + 1), false},
		{"client, nobody knows when issued", client, missing, true},
		{"client in azp alone", client, token(func(t *revocation.Token) { t.ClientID, t.IssuedAt = "", at }), true},
		{"client in client_id alone", client, token(func(t *revocation.Token) { t.AuthorizedParty, t.IssuedAt = "", at }), true},
		{"client in client_id beside another azp", client, token(func(t *revocation.Token) { t.AuthorizedParty, t.IssuedAt = "other", at }), true},
		{"sid, issued after", sid, issued(at + 100), true},
		{"sid, nobody knows when issued", sid, missing, true},
		{"jti, issued after", jti, issued(at + 100), true},
		{"jti, nobody knows when issued", jti, missing, true},
		{"no claims at all", sub, revocation.Token{Issuer: iss, MissingIssuedAt: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := alone(t, nil)
			if f.RevokedToken(&c.tok) {
				t.Error("revoked before anything was")
			}
			e, err := f.Revoke(t.Context(), c.r)
			if err != nil {
				t.Fatal(err)
			}
			if d := c.tok.Digest(); f.RevokedDigest(&d) != f.RevokedToken(&c.tok) {
				t.Error("a token is judged otherwise once it was hashed")
			}
			if got := f.RevokedToken(&c.tok); got != c.want {
				t.Errorf("revoked: %v", got)
			}
			if _, err := f.TakeBack(t.Context(), e.ID); err != nil {
				t.Fatal(err)
			}
			if f.RevokedToken(&c.tok) {
				t.Error("revoked though it was taken back")
			}
			if _, err := f.TakeBack(t.Context(), e.ID); !errors.Is(err, revocation.ErrUnknown) {
				t.Errorf("taken back twice: %v", err)
			}
			// By the same clock that took it back.
			if _, err := f.Revoke(t.Context(), c.r); err != nil {
				t.Fatal(err)
			}
			if got := f.RevokedToken(&c.tok); got != c.want {
				t.Errorf("revoked anew: %v", got)
			}
		})
	}
}

func TestWhatEndsASession(t *testing.T) {
	begun := clock.Add(-time.Hour)
	s := &session.Session{ID: [16]byte{1}, Begun: begun, Ends: clock.Add(time.Hour), SID: "s1", Subject: "alice"}
	copied := *s
	later := &session.Session{ID: [16]byte{2}, Begun: clock.Add(time.Millisecond), Ends: clock.Add(time.Hour), SID: "s2", Subject: "alice"}
	sameMoment := &session.Session{ID: [16]byte{3}, Begun: clock, Ends: clock.Add(time.Hour), Subject: "alice"}
	for _, c := range []struct {
		name   string
		revoke func(context.Context, *revocation.Feed) error
		ended  []*session.Session
		lives  []*session.Session
	}{
		{
			"its own ID, a copy too", func(ctx context.Context, f *revocation.Feed) error { return f.RevokeSession(ctx, iss, s) },
			[]*session.Session{s, &copied},
			[]*session.Session{later, sameMoment},
		},
		{
			"its sid", func(ctx context.Context, f *revocation.Feed) error {
				return f.RevokeLogin(ctx, iss, "s1", "alice", clock)
			},
			[]*session.Session{s},
			[]*session.Session{later, sameMoment},
		},
		{
			"its sid, begun after", func(ctx context.Context, f *revocation.Feed) error {
				return f.RevokeLogin(ctx, iss, "s2", "", clock)
			},
			[]*session.Session{later},
			[]*session.Session{s},
		},
		{
			"its subject", func(ctx context.Context, f *revocation.Feed) error {
				return f.RevokeLogin(ctx, iss, "", "alice", clock)
			},
			[]*session.Session{s, sameMoment},
			[]*session.Session{later},
		},
		{
			"its subject at another issuer", func(ctx context.Context, f *revocation.Feed) error {
				return f.RevokeLogin(ctx, "https://other.example/", "", "alice", clock)
			},
			nil,
			[]*session.Session{s, later, sameMoment},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := alone(t, nil)
			if err := c.revoke(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.ended {
				if !f.Revoked(iss, s) {
					t.Errorf("session %d lives", s.ID[0])
				}
			}
			for _, s := range c.lives {
				if f.Revoked(iss, s) {
					t.Errorf("session %d ended", s.ID[0])
				}
			}
		})
	}
}

func TestWhatCannotBeARevocationIsRefused(t *testing.T) {
	long := string(make([]byte, 3000))
	for name, r := range map[string]revocation.Revocation{
		"no issuer":          {Kind: revocation.Subject, Value: "a"},
		"no value":           {Issuer: iss, Kind: revocation.Subject},
		"a long value":       {Issuer: iss, Kind: revocation.Subject, Value: long},
		"a long issuer":      {Issuer: long, Kind: revocation.Subject, Value: "a"},
		"a kind that is not": {Issuer: iss, Kind: 77, Value: "a"},
		"in the future":      {Issuer: iss, Kind: revocation.Subject, Value: "a", Before: clock.Add(time.Hour)},
		"before 1970":        {Issuer: iss, Kind: revocation.Subject, Value: "a", Before: time.Unix(-5, 0)},
		"a sid with a time":  {Issuer: iss, Kind: revocation.SID, Value: "a", Before: clock},
		"a jti with a time":  {Issuer: iss, Kind: revocation.JTI, Value: "a", Before: clock},
	} {
		f := alone(t, nil)
		if _, err := f.Revoke(t.Context(), r); !errors.Is(err, revocation.ErrInvalid) || f.Stats().Entries != 0 || f.Version() != 0 {
			t.Errorf("%s: %v, %d entries", name, err, f.Stats().Entries)
		}
	}
}

func TestAFullSetRefusesNewEntriesAndForgetsNone(t *testing.T) {
	f := alone(t, revocation.NewSmallSet(100))
	jti := func(n int) revocation.Revocation {
		return revocation.Revocation{Issuer: iss, Kind: revocation.JTI, Value: fmt.Sprint("j", n)}
	}
	for n := range 150 {
		if _, err := f.Revoke(t.Context(), jti(n)); (err == nil) != (n < 100) || err != nil && !errors.Is(err, revocation.ErrFull) {
			t.Fatalf("entry %d: %v", n, err)
		}
	}
	for n := range 150 {
		if got := f.RevokedToken(&revocation.Token{Issuer: iss, JTI: fmt.Sprint("j", n)}); got != (n < 100) {
			t.Errorf("entry %d: %v", n, got)
		}
	}
	if _, err := f.Revoke(t.Context(), jti(7)); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

func TestAnEntryIsForgottenWhenItsTimeIsOverAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := revocation.Open(revocation.Options{TTL: time.Hour, Logger: quiet})
		defer f.Close()
		r := revocation.Revocation{Issuer: iss, Kind: revocation.JTI, Value: "j1"}
		if _, err := f.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f.Keep(3 * time.Hour) // a configuration with longer sessions was read
		r.Value = "j2"
		if _, err := f.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			wait    time.Duration
			entries int
		}{{59 * time.Minute, 2}, {2 * time.Minute, 1}, {118 * time.Minute, 1}, {3 * time.Minute, 0}} {
			time.Sleep(c.wait) // of the bubble's clock
			synctest.Wait()
			if n := f.Stats().Entries; n != c.entries {
				t.Errorf("after %v: %d entries, want %d", c.wait, n, c.entries)
			}
		}
	})
}

func TestListsComeInPages(t *testing.T) {
	f := alone(t, nil)
	for n := range 250 {
		if _, err := f.Revoke(t.Context(), revocation.Revocation{Issuer: iss, Kind: revocation.Subject, Value: fmt.Sprint("u", n)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[revocation.ID]bool{}
	var after *revocation.ID
	for {
		page := f.List(after, 100)
		for _, e := range page {
			if seen[e.ID] || e.Issuer != iss || e.Kind != revocation.Subject || !e.Before.Equal(clock) {
				t.Errorf("%+v", e)
			}
			seen[e.ID] = true
		}
		if len(page) < 100 {
			break
		}
		after = &page[len(page)-1].ID
	}
	if len(seen) != 250 {
		t.Errorf("%d listed", len(seen))
	}
}

// TestTheSetDoesAsTheRulesSay holds the set against the rules written down
// naively, over histories of a few names so that they meet.
func TestTheSetDoesAsTheRulesSay(t *testing.T) {
	type rule struct {
		before time.Time
		live   bool
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		now := clock
		f := revocation.Open(revocation.Options{Now: func() time.Time { return now }, Logger: quiet})
		model := map[revocation.Revocation]rule{}
		for range 60 {
			now = now.Add(time.Duration(random.IntN(1500)) * time.Millisecond)
			r := revocation.Revocation{Issuer: iss, Kind: revocation.Kind(random.IntN(4)), Value: fmt.Sprint(random.IntN(3))}
			if id := revocation.IDOf(iss, r.Kind, r.Value); random.IntN(4) == 0 {
				_, err := f.TakeBack(t.Context(), id)
				if (err == nil) != model[r].live {
					t.Fatalf("seed %d: take back: %v", seed, err)
				}
				model[r] = rule{}
				continue
			}
			asked, before := r, now
			if r.Kind.Timed() && random.IntN(2) == 0 {
				before = now.Add(-time.Duration(random.IntN(5000)) * time.Millisecond)
				asked.Before = before
			}
			if _, err := f.Revoke(t.Context(), asked); err != nil {
				t.Fatal(err)
			}
			if old := model[r]; old.live && old.before.After(before) {
				before = old.before
			}
			model[r] = rule{before, true}
			issued := now.Add(-time.Duration(random.IntN(8000)) * time.Millisecond)
			tok := revocation.Token{
				Issuer: iss, Subject: fmt.Sprint(random.IntN(4)), SID: fmt.Sprint(random.IntN(4)), JTI: fmt.Sprint(random.IntN(4)),
				AuthorizedParty: fmt.Sprint(random.IntN(4)), IssuedAt: float64(issued.UnixMilli()) / 1e3,
			}
			want := false
			for r, is := range model {
				value := map[revocation.Kind]string{
					revocation.Subject: tok.Subject, revocation.SID: tok.SID, revocation.JTI: tok.JTI, revocation.Client: tok.AuthorizedParty,
				}[r.Kind]
				want = want || is.live && value == r.Value && (!r.Kind.Timed() || !issued.After(is.before))
			}
			if d := tok.Digest(); f.RevokedDigest(&d) != want {
				t.Errorf("hashed, it is not %v", want)
			}
			if got := f.RevokedToken(&tok); got != want {
				t.Fatalf("seed %d: %+v revoked: %v", seed, tok, got)
			}
		}
		f.Close()
	}
}
