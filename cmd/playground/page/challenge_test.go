package page_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
)

func TestChallengesAreReadApart(t *testing.T) {
	for header, want := range map[string][]string{
		``:                                   nil,
		`Bearer`:                             {"Bearer"},
		`Bearer realm="a"`:                   {"Bearer realm=a;"},
		`Bearer realm="a, b=\"c\"", error=x`: {`Bearer realm=a, b="c"; error=x;`},
		`DPoP algs="ES256 RS256", Bearer realm="a"`: {"DPoP algs=ES256 RS256;", "Bearer realm=a;"},
		`Bearer, DPoP error = "x"`:                  {"Bearer", "DPoP error=x;"},
		`realm="a"`:                                 nil,
		`Bearer realm="a`:                           {"Bearer realm=a;"},
		`= = ,,`:                                    nil,
	} {
		if diff := cmp.Diff(want, page.Challenges(header)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", header, diff)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`DPoP algs="ES256", error="x", Bearer realm="a\"b"`)
	f.Add(`= "`)
	f.Fuzz(func(_ *testing.T, header string) { page.Challenges(header) }) // it ends
}
