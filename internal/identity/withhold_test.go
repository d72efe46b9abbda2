package identity_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

func TestWithholdingTheToken(t *testing.T) {
	cookie := token.Source{Kind: token.Cookie, Name: "session"}
	for _, c := range []struct {
		name     string
		found    token.Source
		strip    []string
		client   shown
		want     shown
		wantArgs []string
	}{
		{
			name: "from Authorization", found: bearer,
			client: headers("Authorization", authorization, "accept", "*/*", "x-authorization", "kept"),
			want:   headers("accept", "*/*", "x-authorization", "kept"),
		},
		{
			name: "from Authorization in two spellings", found: bearer,
			client: headers("authorization", authorization, "AUTHORIZATION", "Basic YTpi"),
			want:   headers(),
		},
		{
			name: "from a bare header", found: token.Source{Kind: token.Header, Name: "x-access-token"},
			client: headers("X-Access-Token", "raw.token.here", "authorization", "Basic YTpi"),
			want:   headers("authorization", "Basic YTpi"),
		},
		{
			name: "from a cookie, the others kept in order", found: cookie,
			client: headers("cookie", "theme=dark; session=raw.token.here; lang=en"),
			want:   headers("cookie", "theme=dark; lang=en"),
		},
		{
			name: "from a cookie that is alone", found: cookie,
			client: headers("Cookie", "session=raw.token.here", "accept", "*/*"),
			want:   headers("accept", "*/*"),
		},
		{
			name: "from one of several Cookie headers", found: cookie,
			client: headers("cookie", "theme=dark", "Cookie", "session=raw.token.here", "cookie", "lang=en"),
			want:   headers("cookie", "theme=dark; lang=en"),
		},
		{
			name: "from a cookie whose name others only start with", found: cookie,
			client: headers("cookie", "session2=a; session=raw.token.here; Session=b; s=session=c"),
			want:   headers("cookie", "session2=a; Session=b; s=session=c"),
		},
		{
			name: "from a cookie, other cookies' values untouched", found: cookie,
			client: headers("cookie", `a="x y"; b=1=2=; session=raw.token.here; c`),
			want:   headers("cookie", `a="x y"; b=1=2=; c`),
		},
		{
			name: "from a cookie where the whole header is stripped", found: cookie, strip: []string{"Cookie"},
			client: headers("cookie", "theme=dark; session=raw.token.here"),
			want:   headers(),
		},
		{
			name: "from the query", found: token.Source{Kind: token.Query, Name: "access_token"},
			client:   headers("accept", "*/*", "cookie", "access_token=kept"),
			want:     headers("accept", "*/*", "cookie", "access_token=kept"),
			wantArgs: []string{"access_token"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			withheld, failed := planned(identity.NewPlan(identity.Settings{Strip: c.strip}), c.client, verified(t, `{}`), c.found)
			if failed != "" {
				t.Fatalf("failed by %q", failed)
			}
			if diff := cmp.Diff(c.want, c.client.upstream(withheld), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.wantArgs, withheld.DeleteArgs); diff != "" {
				t.Errorf("arguments deleted (-want +got):\n%s", diff)
			}

			forwarded, _ := planned(identity.NewPlan(identity.Settings{ForwardToken: true}), c.client, verified(t, `{}`), c.found)
			if diff := cmp.Diff(identity.Edits{}, forwarded); diff != "" {
				t.Errorf("edits of a forwarded token:\n%s", diff)
			}
		})
	}
}

// A token that came in a header which carries the caller's identity goes, and
// the plugin's value stays.
func TestWithholdingFromAnIdentityHeader(t *testing.T) {
	plan := identity.NewPlan(identity.Settings{ClaimHeaders: []identity.ClaimHeader{userID}})
	request := headers("x-user-id", "raw.token.here")
	edits, _ := planned(plan, request, verified(t, `{"sub":"ann"}`), token.Source{Kind: token.Header, Name: "x-user-id"})
	if diff := cmp.Diff(headers("X-User-Id", "ann"), request.upstream(edits)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFold(t *testing.T) {
	for _, name := range []string{"X-User-Id", "x_user_id", "X_USER-ID", "x-user_Id"} {
		if got := fold.Name(name); got != "x-user-id" {
			t.Errorf("%s folds to %s", name, got)
		}
	}
	if fold.Name("X-User.Id") == fold.Name("X-User-Id") {
		t.Error("a dot folds to a dash")
	}
}
