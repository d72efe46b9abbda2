package dpop_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// fits reports whether a proof that is good but for htu fits a request.
func fits(t *testing.T, htu string, r dpop.Request) bool {
	t.Helper()
	want := expected(jwk.Thumbprint(key.Public()))
	var err error
	if want.URL, err = r.URL(); err != nil {
		if !errors.Is(err, dpop.ErrRequestURL) || want.URL != (dpop.URL{}) {
			t.Errorf("%+v: %v, %v", r, want.URL, err)
		}
		return false
	}
	d := newDraft()
	d.claims["htu"] = htu
	_, err = dpop.Verify(d.String(), want)
	if err != nil && !errors.Is(err, dpop.ErrURL) {
		t.Errorf("%s: %v", htu, err)
	}
	return err == nil
}

// TestHTUAgainstTheRequest holds htu against a request for
// https://a.example and some target (RFC 9449 section 4.3 check 9: without
// query and fragment, after normalisation by syntax and by scheme).
func TestHTUAgainstTheRequest(t *testing.T) {
	for _, tt := range []struct {
		htu, target string
		same        bool
	}{
		{"https://a.example/x", "/x", true},
		{"https://a.example", "/", true},
		{"https://a.example/x?q=1#f", "/x?q=2", true},
		{"https://a.example/x#f?q=1", "/x", true},
		{"https://a.example?q=1", "/?q=2", true},
		{"HTTPS://A.Example:443/x", "/x", true},
		{"https://a.example:/x", "/x", true},
		{"https://a.example:0443/x", "/x", true},
		{"https://a.example/a/./b/../c", "/a/c", true},
		{"https://a.example/a/c", "/a/./b/../c", true},
		{"https://a.example/a/b/%2e%2E/c", "/a/c", true},
		{"https://a.example/a/..", "/", true},
		{"https://a.example/../../a", "/a", true},
		{"https://a.example/%7euser/%41", "/~user/A", true},
		{"https://a.example/~user/A", "/%7Euser/%41", true},
		{"https://a.example/%c3%a9", "/%C3%A9", true},
		{"https://a.example/\u00e9", "/%C3%A9", true},
		{"https://a.example/%C3%A9", "/\u00e9", true},
		{"https://a.example/a|b", "/a%7cb", true},
		{"https://a.example/a%2fb", "/a%2Fb", true},
		{"https://a.example/a;v=1,2/(b)", "/a;v=1,2/(b)", true},

		{"https://a.example/a/", "/a", false},
		{"https://a.example/a//b", "/a/b", false},
		{"https://a.example/a%2Fb", "/a/b", false},
		{"https://a.example/a%252Fb", "/a%2Fb", false},
		{"https://a.example/a%5Cb", "/a/b", false},
		{"https://a.example/a%3Fb", "/a?b", false},
		{"https://a.example/a%23b", "/a", false},
		{"https://a.example/A", "/a", false},
		{"https://a.example/a;b", "/a%3Bb", false},
		{"https://a.example/%zz", "/%zz", false},
		{"https://a.example/%+1", "/%+1", false},
		{"https://a.example/a b", "/a%20b", false},
		{"https://a.example/a\tb", "/a%09b", false},
		{"https://a.example\\x", "/x", false},
		{"http://a.example/x", "/x", false},
		{"http://a.example:443/x", "/x", false},
		{"https://a.example:80/x", "/x", false},
		{"https://a.example:8443/x", "/x", false},
		{"https://a.example./x", "/x", false},
		{"https://u@a.example/x", "/x", false},
		{"https://u:p@a.example/x", "/x", false},
		{"https://@a.example/x", "/x", false},
		{"https://a.example@evil.example/x", "/x", false},
		{"https://a%2eexample/x", "/x", false},
		{"https://a.example:443:443/x", "/x", false},
		{"https:///a.example/x", "/x", false},
		{"https:a.example/x", "/x", false},
		{"https:/a.example/x", "/x", false},
		{"//a.example/x", "/x", false},
		{"a.example/x", "/x", false},
		{"/x", "/x", false},
		{"ftp://a.example/x", "/x", false},
		{"", "/", false},
		{" https://a.example/x", "/x", false},
	} {
		if got := fits(t, tt.htu, dpop.Request{Scheme: "https", Authority: "a.example", Target: tt.target}); got != tt.same {
			t.Errorf("%q for %q: %v", tt.htu, tt.target, got)
		}
	}
}

// TestAuthorities holds Host against the authority of htu; both are read by
// the same rules.
func TestAuthorities(t *testing.T) {
	for _, tt := range []struct {
		htu, host string
		same      bool
	}{
		{"a.example", "A.EXAMPLE", true},
		{"a.example:443", "a.example", true},
		{"a.example", "a.example:443", true},
		{"a.example:8443", "a.example:8443", true},
		{"a.example.", "a.example.", true},
		{"xn--bcher-kva.example", "XN--bcher-kva.example", true},
		{"a_b.example", "a_b.example", true},
		{"localhost", "localhost", true},
		{"192.0.2.1", "192.0.2.1:443", true},
		{"[2001:DB8::1]", "[2001:db8:0::1]:443", true},
		{"[::ffff:192.0.2.1]", "[::ffff:c000:201]", true},

		{"a.example.", "a.example", false},
		{"a.example", "a.example.", false},
		{"a.example:8443", "a.example", false},
		{"a.example", "a.example:80", false},
		{"b\u00fccher.example", "b\u00fccher.example", false},
		{"[::1]", "[::2]", false},
		{"[::1]x", "[::1]x", false},
		{"[::1]443", "[::1]443", false},
		{"[192.0.2.1]", "[192.0.2.1]", false},
		{"[v1.a]", "[v1.a]", false},
		{"[]", "[]", false},
		{"[fe80::1%25lo]", "[fe80::1%25lo]", false},
		{"a.example:", "a.example:65536", false},
		{"a.example:+443", "a.example:+443", false},
		{"a.example:-1", "a.example:-1", false},
		{"a,b", "a,b", false},
		{"a;b", "a;b", false},
		{"a b", "a b", false},
		{"a%20b", "a%20b", false},
		{"a\x00", "a\x00", false},
		{"a\\b", "a\\b", false},
		{"*", "*", false},
		{":443", ":443", false},
		{"", "", false},
	} {
		if got := fits(t, "https://"+tt.htu+"/x", dpop.Request{Scheme: "https", Authority: tt.host, Target: "/x"}); got != tt.same {
			t.Errorf("%q for Host %q: %v", tt.htu, tt.host, got)
		}
	}
	if !fits(t, "http://a.example/x", dpop.Request{Scheme: "http", Authority: "a.example:80", Target: "/x"}) {
		t.Error("http has the default port 80")
	}
}

func TestTheZeroURLFitsNoProof(t *testing.T) {
	for _, htu := range []any{"", "https://a.example/x", nil} {
		want := expected(jwk.Thumbprint(key.Public()))
		want.URL = dpop.URL{}
		d := newDraft()
		d.claims["htu"] = htu
		if _, err := dpop.Verify(d.String(), want); !errors.Is(err, dpop.ErrURL) {
			t.Errorf("%v: %v", htu, err)
		}
	}
}

// FuzzRequestURL: a proof for the very text of a request fits it or the request
// has no URL, and no authority that is taken holds what could end it.
func FuzzRequestURL(f *testing.F) {
	for _, host := range []string{"a.example:443?", "a.example#", "u@a.example", `a\b`, "[::1]:443", "a:1:2", "A.example."} {
		f.Add(host, "/a%2fb/../c")
		f.Add(host, "/a/../c?d#e")
		f.Add(host, "https://"+host+"/x?y")
	}
	f.Fuzz(func(t *testing.T, host, target string) {
		r := dpop.Request{Scheme: "https", Authority: host, Target: target}
		if _, err := r.URL(); err != nil {
			return
		}
		if strings.ContainsAny(host, "/?#@\\% \t") {
			t.Errorf("the authority %q is taken", host)
		}
		htu := "https://" + host + target
		if !strings.HasPrefix(target, "/") {
			htu = target
		}
		if utf8.ValidString(htu) && !fits(t, htu, r) {
			t.Errorf("a proof for %q does not fit %q of %q", htu, target, host)
		}
	})
}
