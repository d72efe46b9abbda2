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
		"no step-up":    func(s *session.Session) { s.SteppedUp = "" },
		"never renewed": func(s *session.Session) { s.Refreshes = 0 },
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
	const texts = 1 + 16 + 32 + 4
	for name, data := range map[string][]byte{
		"a byte after it":  append(bytes.Clone(good), 0),
		"another version":  append([]byte{1}, good[1:]...),
		"a huge length":    append(bytes.Clone(good[:texts]), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"an endless one":   append(bytes.Clone(good[:texts]), append([]byte{0}, bytes.Repeat([]byte{0xff}, 12)...)...),
		"six segments":     append(bytes.Clone(good[:texts]), 6),
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
	s := &session.Session{Ends: start.Add(time.Hour), Written: start}
	late := &session.Session{Ends: start.Add(time.Hour), Written: start.Add(50 * time.Minute)}
	for _, tt := range []struct {
		name string
		s    *session.Session
		at   time.Duration
		live bool
	}{
		{"at once", s, 0, true},
		{"before it was idle too long", s, idle - 1, true},
		{"idle too long", s, idle, false},
		{"before the end", late, time.Hour - 1, true},
		{"at the end", late, time.Hour, false},
	} {
		if live := tt.s.Live(idle, start.Add(tt.at)); live != tt.live {
			t.Errorf("%s: live %t", tt.name, live)
		}
	}
}
