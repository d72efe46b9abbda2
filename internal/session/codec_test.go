package session_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

func TestASessionComesBackAsItWas(t *testing.T) {
	for name, change := range map[string]func(*session.Session){
		"as Auth0's":    func(*session.Session) {},
		"empty":         func(s *session.Session) { *s = session.Session{} },
		"an opaque one": func(s *session.Session) { s.AccessToken = strings.Repeat("opaque!", 20) },
		"encrypted":     func(s *session.Session) { s.AccessToken = "eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc" },
		"six parts":     func(s *session.Session) { s.AccessToken = "a.b.c.d.e.f" },
		"dots":          func(s *session.Session) { s.AccessToken, s.IDToken, s.SID = "..", ".", "....." },
		"stray bits":    func(s *session.Session) { s.AccessToken = "aaaa.aB.aaaa" },
		"line breaks":   func(s *session.Session) { s.AccessToken, s.Subject = "aa\naa.aaaa.aaaa", "\r\n" },
		"padding":       func(s *session.Session) { s.AccessToken = "aa==.aaaa.aaaa" },
		"not ASCII":     func(s *session.Session) { s.Subject = "zoë|\x00\xff" },
		"long":          func(s *session.Session) { s.IDToken = strings.Repeat("x.", 40_000) },
		"no step-up":    func(s *session.Session) { s.SteppedUp = false },
	} {
		want := auth0()
		change(want)
		got, err := session.Decode(want.Encode())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestOnlyAWholeEncodedSessionIsDecoded(t *testing.T) {
	good := auth0().Encode()
	for n := range good {
		if _, err := session.Decode(good[:n]); err == nil {
			t.Errorf("cut to %d bytes", n)
		}
	}
	const flags = 1 + 16 + 32
	for name, data := range map[string][]byte{
		"a byte after it":  append(bytes.Clone(good), 0),
		"another version":  append([]byte{2}, good[1:]...),
		"another flag":     append(append(bytes.Clone(good[:flags]), 2), good[flags+1:]...),
		"a huge length":    append(bytes.Clone(good[:flags+1]), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"an endless one":   append(bytes.Clone(good[:flags+1]), append([]byte{0}, bytes.Repeat([]byte{0xff}, 12)...)...),
		"six segments":     append(bytes.Clone(good[:flags+1]), 6),
		"a time out of it": append(append(bytes.Clone(good[:17]), 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), good[25:]...),
	} {
		if _, err := session.Decode(data); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(auth0().Encode())
	f.Add((&session.Session{AccessToken: "a.b", Subject: "x y"}).Encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := session.Decode(data)
		if err != nil {
			return
		}
		again, err := session.Decode(s.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExpiry(t *testing.T) {
	const idle = 20 * time.Minute
	s := &session.Session{Ends: start.Add(time.Hour), Written: start, Expires: start.Add(time.Hour), RefreshToken: "r"}
	late := &session.Session{Ends: start.Add(time.Hour), Written: start.Add(50 * time.Minute), Expires: start.Add(2 * time.Hour)}
	short := &session.Session{Ends: start.Add(time.Hour), Written: start, Expires: start.Add(3*time.Minute + 30*time.Second), RefreshToken: "r"}
	for _, tt := range []struct {
		name      string
		s         *session.Session
		at        time.Duration
		live, due bool
	}{
		{"at once", s, 0, true, false},
		{"before a twentieth", s, time.Minute - 1, true, false},
		{"at a twentieth", s, time.Minute, true, true},
		{"before it was idle too long", s, idle - 1, true, true},
		{"idle too long", s, idle, false, true},
		{"before the end", late, time.Hour - 1, true, true},
		{"at the end", late, time.Hour, false, true},
		{"some time before a refresh", short, 90 * time.Second, true, true},
		{"just before a refresh", short, 91 * time.Second, true, false},
	} {
		now := start.Add(tt.at)
		if live, due := tt.s.Live(idle, now), tt.s.Due(idle, now); live != tt.live || due != tt.due {
			t.Errorf("%s: live %t, due %t", tt.name, live, due)
		}
	}
}
