package identity_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// shown is a request as the gateway shows it.
type shown []identity.Header

func (s shown) NumHeader() int           { return len(s) }
func (s shown) HeaderName(i int) []byte  { return []byte(s[i].Name) }
func (s shown) HeaderValue(i int) string { return s[i].Value }
func (shown) Args(string) []string       { return nil }
func headers(namesAndValues ...string) (list shown) {
	for i := 0; i < len(namesAndValues); i += 2 {
		list = append(list, identity.Header{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return list
}

// upstream is what the upstream gets: deletions and sets as
// ngx.req.set_header does them, by name without letter case, every repeat.
func (s shown) upstream(e identity.Edits) shown {
	left := append(shown{}, s...)
	remove := func(name string) {
		var kept shown
		for _, h := range left {
			if !sameName(h.Name, name) {
				kept = append(kept, h)
			}
		}
		left = kept
	}
	for _, name := range e.DeleteHeaders {
		remove(name)
	}
	for _, h := range e.SetHeaders {
		remove(h.Name)
		if h.Value != "" {
			left = append(left, h)
		}
	}
	return left
}

// sameName is nginx's idea of one name: ASCII letter case does not count,
// and everything else does.
func sameName(a, b string) bool {
	lower := func(s string) string {
		return strings.Map(func(c rune) rune {
			if c >= 'A' && c <= 'Z' {
				return c + 'a' - 'A'
			}
			return c
		}, s)
	}
	return lower(a) == lower(b)
}

func ref(name string) claim.Ref {
	r, ok := claim.ParseRef(name)
	if !ok {
		panic(name)
	}
	return r
}

func verified(t testing.TB, claims string) *token.Untrusted {
	t.Helper()
	v, err := strictjson.Parse([]byte(claims), strictjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &token.Untrusted{Raw: "raw.token.here", Claims: v.(map[string]any)}
}

var (
	userID = identity.ClaimHeader{Name: "X-User-Id", Claim: ref("sub"), Format: claim.Plain}
	bearer = token.Source{Kind: token.Header, Name: "authorization", Scheme: "Bearer"}
	byName = cmpopts.SortSlices(func(a, b identity.Header) bool { return a.Name < b.Name })
)

const authorization = "Bearer raw.token.here"

func TestClientsCannotSpeakUnderAnIdentityHeader(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{
		ClaimHeaders: []identity.ClaimHeader{userID}, TokenHeader: "X-Token", Strip: []string{"X-Debug"}, ForwardToken: true,
	})
	for _, c := range []struct {
		name   string
		client shown
	}{
		{"not at all", headers()},
		{"as configured", headers("X-User-Id", "admin")},
		{"in small letters", headers("x-user-id", "admin")},
		{"in mixed case", headers("x-UsEr-iD", "admin")},
		{"repeated", headers("x-user-id", "admin", "x-user-id", "root")},
		{"repeated in other cases", headers("x-user-id", "admin", "X-USER-ID", "root")},
		{"the right value first", headers("x-user-id", "ann", "x-user-id", "admin")},
		{"the right value last", headers("x-user-id", "admin", "x-user-id", "ann")},
		{"the right value alone", headers("x-user-id", "ann")},
		{"with underscores", headers("x_user_id", "admin")},
		{"with one underscore", headers("X_User-Id", "admin", "X-User_Id", "root")},
		{"under every kind of name", headers("x_user_id", "a", "X-USER-ID", "b", "x-user_id", "c", "X-User-Id", "ann")},
		{"with a letter whose small form is shorter", headers("x-to\u212aen", "forged")},
		{"under the token's header", headers("x_token", "raw.token.here", "X-TOKEN", "forged")},
		{"under a stripped header", headers("X-Debug", "1", "x_debug", "1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := append(headers("accept", "*/*", "authorization", authorization), c.client...)
			request = append(request, identity.Header{Name: "x-user", Value: "kept"})

			edits, failed := planned(plan, request, verified(t, `{"sub":"ann"}`), bearer)
			if failed != "" {
				t.Fatalf("failed by %q", failed)
			}
			want := headers("X-Token", "raw.token.here", "X-User-Id", "ann", "accept", "*/*", "authorization", authorization, "x-user", "kept")
			if diff := cmp.Diff(want, request.upstream(edits), byName); diff != "" {
				t.Errorf("with a token (-want +got):\n%s", diff)
			}

			want = headers("accept", "*/*", "authorization", authorization, "x-user", "kept")
			if diff := cmp.Diff(want, request.upstream(plan.Anonymous(request)), byName); diff != "" {
				t.Errorf("without a token (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPlanWithUnderscoresStripsDashes(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{
		ClaimHeaders: []identity.ClaimHeader{{Name: "x_user_id", Claim: ref("sub"), Format: claim.Plain}}, ForwardToken: true,
	})
	request := headers("X-User-Id", "admin", "x_user-id", "root", "X_USER_ID", "ann")
	edits, _ := planned(plan, request, verified(t, `{"sub":"ann"}`), bearer)
	if diff := cmp.Diff(headers("x_user_id", "ann"), request.upstream(edits)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The gateway deletes by the name it is given, so it must be given the
// client's own spelling, once.
func TestDeletionsNameHeadersAsShown(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{ClaimHeaders: []identity.ClaimHeader{userID}, ForwardToken: true})
	request := headers("X_User-ID", "a", "accept", "*/*", "x-user-id", "b", "x-user-id", "c")
	want := identity.Edits{DeleteHeaders: []string{"X_User-ID", "x-user-id"}}
	if diff := cmp.Diff(want, plan.Anonymous(request)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAPlanSets(t *testing.T) {
	email := func(required bool) identity.ClaimHeader {
		return identity.ClaimHeader{Name: "X-Email", Claim: ref("email"), Format: claim.Plain, Required: required}
	}
	client := headers("x-user-id", "admin", "x-email", "admin@example.com")
	for _, c := range []struct {
		name                      string
		claimHeaders              []identity.ClaimHeader
		claimsHeader, tokenHeader string
		claims                    string
		want                      shown
		failed                    string
	}{
		{name: "nothing", claims: `{"sub":"ann"}`, want: client},
		{name: "a claim", claimHeaders: []identity.ClaimHeader{userID, email(false)}, claims: `{"sub":"ann","email":"ann@example.com"}`, want: headers("X-User-Id", "ann", "X-Email", "ann@example.com")},
		{name: "a claim that is missing", claimHeaders: []identity.ClaimHeader{userID, email(false)}, claims: `{"sub":"ann"}`, want: headers("X-User-Id", "ann")},
		{name: "a claim that is null", claimHeaders: []identity.ClaimHeader{userID, email(false)}, claims: `{"sub":"ann","email":null}`, want: headers("X-User-Id", "ann")},
		{name: "a claim that is empty", claimHeaders: []identity.ClaimHeader{userID, email(false)}, claims: `{"sub":"ann","email":""}`, want: headers("X-User-Id", "ann")},
		{name: "a claim that does not fit", claimHeaders: []identity.ClaimHeader{userID, email(false)}, claims: `{"sub":"ann","email":"a\r\nX-User-Id: admin"}`, want: headers("X-User-Id", "ann")},
		{name: "a required claim", claimHeaders: []identity.ClaimHeader{userID, email(true)}, claims: `{"sub":"ann","email":"a@example.com"}`, want: headers("X-User-Id", "ann", "X-Email", "a@example.com")},
		{name: "a required claim that is missing", claimHeaders: []identity.ClaimHeader{userID, email(true)}, claims: `{"sub":"ann"}`, failed: "email"},
		{name: "a required claim that is null", claimHeaders: []identity.ClaimHeader{email(true)}, claims: `{"email":null}`, failed: "email"},
		{name: "a required claim that is empty", claimHeaders: []identity.ClaimHeader{email(true)}, claims: `{"email":""}`, failed: "email"},
		{name: "a required claim that does not fit", claimHeaders: []identity.ClaimHeader{email(true)}, claims: `{"email":{"a":1}}`, failed: "email"},
		{name: "the claims set", claimsHeader: "X-Email", claims: `{"sub":"a"}`, want: headers("x-user-id", "admin", "X-Email", "eyJzdWIiOiJhIn0")},
		{name: "the token, bare", tokenHeader: "X-Email", claims: `{}`, want: headers("x-user-id", "admin", "X-Email", "raw.token.here")},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := identity.NewPlan(identity.Settings{
				ClaimHeaders: c.claimHeaders, ClaimsHeader: c.claimsHeader, TokenHeader: c.tokenHeader, ForwardToken: true,
			})
			edits, failed := planned(plan, client, verified(t, c.claims), bearer)
			if failed != c.failed {
				t.Fatalf("failed by %q, want %q", failed, c.failed)
			}
			if failed != "" {
				if diff := cmp.Diff(identity.Edits{}, edits); diff != "" {
					t.Errorf("edits of a plan that failed:\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(c.want, client.upstream(edits), byName); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
