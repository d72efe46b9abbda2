package identity_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

var (
	fromSession = token.Source{Kind: token.Session}
	ownCookies  = []string{"__Host-auth0_session", "__Host-auth0_session_1", "__Host-auth0_txn_0", "__Host-auth0_txn_4"}
)

// TestTheUpstreamGetsNoCookieOfLogin on any path that forwards, whoever the
// caller is, and all others as they were sent.
func TestTheUpstreamGetsNoCookieOfLogin(t *testing.T) {
	for _, c := range []struct {
		name         string
		client, want shown
	}{
		{"none", headers("accept", "*/*"), headers("accept", "*/*")},
		{"the session's alone", headers("cookie", "__Host-auth0_session=s"), headers()},
		{"both of the session's", headers("Cookie", "__Host-auth0_session=s; __Host-auth0_session_1=t"), headers()},
		{"first", headers("cookie", "__Host-auth0_session=s; a=1; b=2"), headers("cookie", "a=1; b=2")},
		{"in the middle", headers("cookie", "a=1; __Host-auth0_session=s; b=2"), headers("cookie", "a=1; b=2")},
		{"last", headers("cookie", "a=1; b=2; __Host-auth0_session=s"), headers("cookie", "a=1; b=2")},
		{"twice, one of them planted", headers("cookie", "__Host-auth0_session=s; a=1; __Host-auth0_session=t"), headers("cookie", "a=1")},
		{"of logins under way", headers("cookie", "__Host-auth0_txn_0=x; a=1; __Host-auth0_txn_4=y"), headers("cookie", "a=1")},
		{"in one of several lines", headers("cookie", "a=1;b=2", "x-y", "z", "COOKIE", "__Host-auth0_session=s", "cookie", " c=3;d=4"), headers("x-y", "z", "cookie", "a=1;b=2; c=3;d=4")},
		{"with white space around", headers("cookie", "a=1;\t__Host-auth0_session = s ;b=2"), headers("cookie", "a=1;b=2")},
		{"without a value", headers("cookie", "__Host-auth0_session; a=1; __Host-auth0_session="), headers("cookie", "a=1")},
		{"in a value of another", headers("cookie", "a=__Host-auth0_session=s; b=2"), headers("cookie", "a=__Host-auth0_session=s; b=2")},
		{"with names that are only like them", headers("cookie", "__Host-auth0_session2=s; x__Host-auth0_session=t; __host-auth0_session=u"), headers("cookie", "__Host-auth0_session2=s; x__Host-auth0_session=t; __host-auth0_session=u")},
		{"beside values with quotes and spaces", headers("cookie", `a="x y"; __Host-auth0_session=s;  b=1=2= ;c`), headers("cookie", `a="x y";  b=1=2= ;c`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := identity.NewPlan(identity.Settings{Cookies: ownCookies, ForwardToken: true})
			for path, edits := range map[string]identity.Edits{
				"with a session":          plan.Verified(c.client, identity.Caller{Found: fromSession}),
				"with a token of its own": plan.Verified(c.client, identity.Caller{Found: bearer}),
				"without a token":         plan.Anonymous(c.client),
			} {
				if diff := cmp.Diff(c.want, c.client.upstream(edits), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
				if cmp.Equal(c.client, c.want) && !cmp.Equal(edits, identity.Edits{}) {
					t.Errorf("%s: nothing is to be taken out, and the edits are %+v", path, edits)
				}
			}
		})
	}
}

func TestACookiesTokenAndTheSessionsCookiesAreWithheldTogether(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{Cookies: ownCookies})
	client := headers("cookie", "a=1; sid=raw.token.here; __Host-auth0_session=s; b=2")
	edits := plan.Verified(client, identity.Caller{Found: token.Source{Kind: token.Cookie, Name: "sid"}})
	if diff := cmp.Diff(headers("cookie", "a=1; b=2"), client.upstream(edits)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stripped := identity.NewPlan(identity.Settings{Cookies: ownCookies, Strip: []string{"Cookie"}})
	if got := client.upstream(stripped.Anonymous(client)); len(got) != 0 {
		t.Errorf("a Cookie header that nobody may send arrives: %v", got)
	}
}

// TestAuthorizationIsTheSessionsOrWasJudged with forward_access_token: nothing
// else of the client's arrives in it, since the upstream trusts it.
func TestAuthorizationIsTheSessionsOrWasJudged(t *testing.T) {
	const mine = "Bearer the.access.token"
	client := headers("accept", "*/*", "Authorization", "Basic YTpi", "AUTHORIZATION", "Bearer forged")
	own := headers("accept", "*/*", "Authorization", "Bearer raw.token.here")
	for _, c := range []struct {
		name         string
		client       shown
		forwardToken bool
		caller       *identity.Caller // nil is nobody
		want         shown
	}{
		{"a session", client, true, &identity.Caller{Found: fromSession, AccessToken: "the.access.token"}, headers("accept", "*/*", "authorization", mine)},
		{"a session, no header sent", headers("accept", "*/*"), true, &identity.Caller{Found: fromSession, AccessToken: "the.access.token"}, headers("accept", "*/*", "authorization", mine)},
		{"a session, tokens are not forwarded", client, false, &identity.Caller{Found: fromSession, AccessToken: "the.access.token"}, headers("accept", "*/*", "authorization", mine)},
		{"a session without an access token", client, true, &identity.Caller{Found: fromSession}, headers("accept", "*/*")},
		{"nobody", client, true, nil, headers("accept", "*/*")},
		{"its own token", own, true, &identity.Caller{Found: bearer}, own},
		{"its own token, which is not forwarded", own, false, &identity.Caller{Found: bearer}, headers("accept", "*/*")},
		{"a token in another header", client, true, &identity.Caller{Found: token.Source{Kind: token.Header, Name: "x-token"}}, headers("accept", "*/*")},
		{"a token in a cookie", client, true, &identity.Caller{Found: token.Source{Kind: token.Cookie, Name: "sid"}}, headers("accept", "*/*")},
		{"a token that is none of a session", client, true, &identity.Caller{Found: token.Source{Kind: token.Query, Name: "t"}, AccessToken: "the.access.token"}, headers("accept", "*/*")},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := identity.NewPlan(identity.Settings{ForwardAccessToken: true, ForwardToken: c.forwardToken, Cookies: ownCookies})
			edits := plan.Anonymous(c.client)
			if c.caller != nil {
				edits = plan.Verified(c.client, *c.caller)
			}
			if diff := cmp.Diff(c.want, c.client.upstream(edits), byName, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeadersOfTheIDToken(t *testing.T) {
	email := func(required bool) *identity.Plan {
		return identity.NewPlan(identity.Settings{ClaimHeaders: []identity.ClaimHeader{
			userID, {Name: "X-Email", Claim: ref("email"), From: identity.IDToken, Format: claim.Plain, Required: required},
		}})
	}
	access := verified(t, `{"sub":"ann","email":"of the access token"}`)
	idToken := map[string]any{"sub": "another", "email": "ann@example.com"}
	set, failed := email(true).FromToken(access, idToken)
	if diff := cmp.Diff([]identity.Header{{Name: "X-User-Id", Value: "ann"}, {Name: "X-Email", Value: "ann@example.com"}}, set); diff != "" || failed != "" {
		t.Errorf("failed by %q (-want +got):\n%s", failed, diff)
	}
	if set, failed := email(false).FromToken(access, nil); len(set) != 1 || failed != "" {
		t.Errorf("without an ID token: %v, failed by %q", set, failed)
	}
	if _, failed := email(true).FromToken(access, nil); failed != "email" {
		t.Errorf("required, and without an ID token: failed by %q", failed)
	}
}

// TestAKnownSessionsEditsAllocateLittle: what a session costs beside a bearer
// token is its Cookie header.
func TestAKnownSessionsEditsAllocateLittle(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{ClaimHeaders: []identity.ClaimHeader{userID}, Cookies: ownCookies, ForwardToken: true})
	var req token.Places = quiet{headers("accept", "*/*", "cookie", "a=1; __Host-auth0_session="+strings.Repeat("s", 2000)+"; b=2")}
	caller := identity.Caller{Found: fromSession, Set: []identity.Header{{Name: "X-User-Id", Value: "ann"}}}
	if n := testing.AllocsPerRun(100, func() { plan.Verified(req, caller) }); n > 5 {
		t.Errorf("%v allocations", n)
	}
	var other token.Places = quiet{headers("accept", "*/*", "cookie", "a=1; b=2")}
	if n := testing.AllocsPerRun(100, func() { plan.Verified(other, identity.Caller{Found: bearer, Set: caller.Set}) }); n > 0 {
		t.Errorf("%v allocations without a cookie of login", n)
	}
}

// quiet allocates nothing itself.
type quiet struct{ shown }

var quietNames = map[string][]byte{"accept": []byte("accept"), "cookie": []byte("cookie")}

func (q quiet) HeaderName(i int) []byte { return quietNames[q.shown[i].Name] }
