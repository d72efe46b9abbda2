package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

func TestChunksOpenOnlyWholeAndInTheirOrder(t *testing.T) {
	s := sealer(t, binding, "a")
	k := s.First(start)
	one, other := auth0(), auth0()
	a, b, single := one.SealChunks(k, 1500), other.SealChunks(k, 1500), one.SealChunks(k, 4000)
	if a.Second == "" || single.Second != "" || a == one.SealChunks(k, 1500) {
		t.Fatal("not what this test is about")
	}
	for name, c := range map[string]session.Chunks{
		"the first missing":                {First: a.Second},
		"the second missing":               {First: a.First},
		"exchanged":                        {First: a.Second, Second: a.First},
		"the first twice":                  {First: a.First, Second: a.First},
		"the second twice":                 {First: a.Second, Second: a.Second},
		"of two sessions":                  {First: a.First, Second: b.Second},
		"of two, the other way":            {First: b.First, Second: a.Second},
		"cut at another place":             {First: a.First[:1400], Second: a.First[1400:] + a.Second},
		"joined":                           {First: a.First + a.Second},
		"the first cut":                    {First: a.First[1:], Second: a.Second},
		"the second cut":                   {First: a.First, Second: a.Second[:len(a.Second)-1]},
		"a single one in two":              {First: single.First[:1500], Second: single.First[1500:]},
		"a second one that is not its own": {First: single.First, Second: a.Second},
		"too long":                         {First: a.First, Second: strings.Repeat("A", 9000)},
		"none":                             {},
	} {
		if _, _, err := s.OpenChunks(c, start); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
	for name, c := range map[string]session.Chunks{"two": a, "one": single} {
		got, by, err := s.OpenChunks(c, start)
		if err != nil || by != k {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(one, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for i := range len(a.First) + len(a.Second) {
		text := []byte(a.First + a.Second)
		text[i] ^= 3
		if _, _, err := s.OpenChunks(session.Chunks{First: string(text[:1500]), Second: string(text[1500:])}, start); err == nil {
			t.Errorf("opens with character %d changed", i)
		}
	}
}

func TestWhatIsSealedAndNoSessionDoesNotOpen(t *testing.T) {
	s := sealer(t, binding, "a")
	text := s.Seal(session.ForSession, auth0().Encode(), start)
	if _, _, err := s.OpenChunks(session.Chunks{First: text}, start); err == nil {
		t.Error("it opens without a layout")
	}
}

func TestFindChunks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  session.Chunks
		err   error
	}{
		{"no line", nil, session.Chunks{}, session.ErrNoCookie},
		{"none of them", []string{"a=b; c=d"}, session.Chunks{}, session.ErrNoCookie},
		{"one", []string{"s=x"}, session.Chunks{First: "x"}, nil},
		{"two", []string{"s=x; s_1=y"}, session.Chunks{First: "x", Second: "y"}, nil},
		{"in another order and among others", []string{"a=b;s_1=y;  c = d ;\ts =x "}, session.Chunks{First: "x", Second: "y"}, nil},
		{"in two lines", []string{"s=x", "s_1=y"}, session.Chunks{First: "x", Second: "y"}, nil},
		{"an equals sign in it", []string{"s=x=y"}, session.Chunks{First: "x=y"}, nil},
		{"twice", []string{"s=x; s=y"}, session.Chunks{}, session.ErrCookies},
		{"twice the same", []string{"s=x", "s=x"}, session.Chunks{}, session.ErrCookies},
		{"the second twice", []string{"s=x; s_1=y; s_1=y"}, session.Chunks{}, session.ErrCookies},
		{"the second alone", []string{"s_1=y"}, session.Chunks{}, session.ErrCookies},
		{"nothing in it", []string{"s=; s_1=y"}, session.Chunks{}, session.ErrCookies},
		{"nothing in the second", []string{"s=x; s_1="}, session.Chunks{}, session.ErrCookies},
		{"another case", []string{"S=x"}, session.Chunks{}, session.ErrNoCookie},
		{"part of a name", []string{"ss=x; s_10=y; _s=z; s"}, session.Chunks{}, session.ErrNoCookie},
		{"of separators alone", []string{";;; ; =; ==;=x"}, session.Chunks{}, session.ErrNoCookie},
	} {
		got, err := session.FindChunks(tt.lines, "s", session.SecondName("s"))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func FuzzFindChunks(f *testing.F) {
	f.Add("s=x; s_1=y", "s=\"x\"")
	f.Add(";=;", "\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		c, err := session.FindChunks([]string{a, b}, "s", "s_1")
		if (err == nil) != (c.First != "") || err != nil && c != (session.Chunks{}) {
			t.Errorf("%q, %v", c, err)
		}
	})
}
