package identity_test

import (
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// FuzzPlan holds that whatever a client sends, the upstream finds at most one
// value under an identity header's name, however it spells that name, and
// that this value is the plugin's; and that no other header is touched.
//
// The request is one header per line, "name: value".
func FuzzPlan(f *testing.F) {
	f.Add("x-user-id: admin\nX_User_Id: root", "ann", true, uint8(0))
	f.Add("cookie: session=t; a=b\nx-claims: forged", "ann", false, uint8(1))
	sources := []token.Source{
		bearer,
		{Kind: token.Cookie, Name: "session"},
		{Kind: token.Header, Name: "x-user-id"},
		{Kind: token.Query, Name: "access_token"},
	}
	plan := func(forward bool) *identity.Plan {
		return identity.NewPlan(identity.Settings{ClaimHeaders: []identity.ClaimHeader{
			{Name: "X-User-Id", Claim: ref("sub"), Format: claim.Plain},
			{Name: "x_roles", Claim: ref("roles"), Format: claim.JSON},
		}, ClaimsHeader: "X-Claims", TokenHeader: "X-Token", Strip: []string{"X-Debug"}, ForwardToken: forward})
	}
	f.Fuzz(func(t *testing.T, lines, sub string, forward bool, place uint8) {
		if len(lines) > 4096 || len(sub) > 256 {
			return // longer inputs find nothing that these do not
		}
		var request shown
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ":")
			request = append(request, identity.Header{Name: name, Value: strings.TrimSpace(value)})
		}
		tok := &token.Untrusted{Raw: "raw.token.here", Claims: map[string]any{"sub": sub}}
		claims, _ := claim.Base64.Write(tok.Claims)
		mine := map[string]string{"x-user-id": "", "x-roles": "", "x-debug": "", "x-claims": claims, "x-token": tok.Raw}
		if claim.FitsHeader(sub) {
			mine["x-user-id"] = sub
		}
		source := sources[int(place)%len(sources)]
		edits, failed := planned(plan(forward), request, tok, source)
		if failed != "" {
			t.Fatalf("no header is required, and %q failed", failed)
		}
		check(t, request, request.upstream(edits), mine, !forward, source)

		nobody := map[string]string{"x-user-id": "", "x-roles": "", "x-debug": "", "x-claims": "", "x-token": ""}
		check(t, request, request.upstream(plan(forward).Anonymous(request)), nobody, false, source)
	})
}

// check compares what was sent with what arrived. mine is every identity
// header's folded name with the plugin's value, "" for none.
func check(t *testing.T, sent, arrived shown, mine map[string]string, withheld bool, source token.Source) {
	t.Helper()
	fold := func(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }
	got := map[string][]string{}
	for _, h := range arrived {
		got[fold(h.Name)] = append(got[fold(h.Name)], h.Value)
	}
	for name, value := range mine {
		values := got[name]
		if value == "" && len(values) != 0 {
			t.Errorf("%s arrived with %q; want none", name, values)
		}
		if value != "" && (len(values) != 1 || values[0] != value) {
			t.Errorf("%s arrived with %q; want %q alone", name, values, value)
		}
	}
	others := func(list shown) (kept []identity.Header) {
		for _, h := range list {
			_, identity := mine[fold(h.Name)]
			from := source.Name
			if source.Kind == token.Cookie {
				from = "cookie"
			}
			if !identity && (!withheld || source.Kind == token.Query || !strings.EqualFold(h.Name, from)) {
				kept = append(kept, h)
			}
		}
		return kept
	}
	before, after := others(sent), others(arrived)
	if len(before) != len(after) {
		t.Fatalf("%d other headers were sent and %d arrived", len(before), len(after))
	}
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("header %q changed on its way to %q", before[i], after[i])
		}
	}
}
