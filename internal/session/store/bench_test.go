package store_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

func benchmarked(b *testing.B, s *session.Session) (*store.Cookies, store.Options, []string) {
	b.Helper()
	opt := options(b)
	c := store.NewCookies(opt)
	browser := jar{}
	browser.take(must(c.Save(b.Context(), s, nil, start)))
	return c, opt, browser.lines()
}

func BenchmarkKnown(b *testing.B) {
	for name, s := range map[string]*session.Session{"one cookie": fresh(), "two cookies": large()} {
		b.Run(name, func(b *testing.B) {
			c, _, lines := benchmarked(b, s)
			_, _, _ = c.Open(b.Context(), lines, start) // it is seen
			_, _, _ = c.Open(b.Context(), lines, start) // and its secret looked at
			b.ReportAllocs()
			for b.Loop() {
				if s, known := c.Known(lines, start); s == nil || !known {
					b.Fatal("not known")
				}
			}
		})
	}
}

func BenchmarkOpenCold(b *testing.B) {
	_, opt, lines := benchmarked(b, fresh())
	c, err := session.FindChunks(lines, binding.Cookie, session.SecondName(binding.Cookie))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := opt.Sealer.OpenChunks(c, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	c, _, lines := benchmarked(b, fresh())
	s := fresh()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Save(b.Context(), s, lines, start); err != nil {
			b.Fatal(err)
		}
	}
}
