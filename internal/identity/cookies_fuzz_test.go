package identity_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// FuzzCookies holds that whatever a client sends as Cookie, in two lines, no
// cookie of login arrives, and every other one does, in order and as it was.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; __Host-auth0_session=s; b=2", "__Host-auth0_txn_0=t")
	f.Add(`a="; __Host-auth0_session=s"`, " ;;\t__Host-auth0_session\t= x ;=y")
	f.Add("__Host-auth0_session", "b=__Host-auth0_session=s")
	plan := identity.NewPlan(identity.Settings{Cookies: ownCookies, ForwardToken: true})
	pairs := func(s shown) (all []string) {
		for _, h := range s {
			for pair := range strings.SplitSeq(h.Value, ";") {
				if pair = strings.TrimSpace(pair); pair != "" {
					all = append(all, pair)
				}
			}
		}
		return all
	}
	own := func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(ownCookies, strings.TrimSpace(name))
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if len(first)+len(second) > 8192 {
			return
		}
		client := headers("cookie", first, "Cookie", second)
		want := slices.DeleteFunc(pairs(client), own)
		for path, edits := range map[string]identity.Edits{
			"with a session":  plan.Verified(client, identity.Caller{Found: token.Source{Kind: token.Session}}),
			"without a token": plan.Anonymous(client),
		} {
			if got := pairs(client.upstream(edits)); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	})
}
