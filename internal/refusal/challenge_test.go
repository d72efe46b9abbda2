package refusal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

func TestChallenges(t *testing.T) {
	algs := `algs="` + strings.Join(jwk.Algorithms(), " ") + `"`
	for _, tt := range []struct {
		name  string
		r     refusal.Refusal
		style refusal.Style
		want  string
	}{
		{"step-up names all that would do (RFC 9470 section 3)", refusal.Refusal{
			Kind: refusal.StepUpRequired, Description: "d", ACRValues: "gold silver", MaxAge: 5 * time.Minute,
		}, refusal.Style{}, `Bearer realm="r", error="insufficient_user_authentication", error_description="d", acr_values="gold silver", max_age="300"`},
		{
			"the metadata of the resource (RFC 9728 section 5.1)",
			refusal.Refusal{Kind: refusal.MissingToken},
			refusal.Style{ResourceMetadata: "https://api.example/m"},
			`Bearer realm="r", resource_metadata="https://api.example/m"`,
		},
		{"a rule's 403", refusal.Refusal{Kind: refusal.RuleDenied}, refusal.Style{}, ""},
		{
			"a rule's 401",
			refusal.Refusal{Kind: refusal.RuleDenied, Status: 401, Description: "not now"},
			refusal.Style{},
			`Bearer realm="r", error="access_denied", error_description="not now"`,
		},
		{"no token, DPoP alone", refusal.Refusal{Kind: refusal.MissingToken}, refusal.Style{DPoP: true, NoBearer: true}, `DPoP realm="r", ` + algs},
		{
			"no token, both schemes (RFC 9449 section 7.2)",
			refusal.Refusal{Kind: refusal.MissingToken},
			refusal.Style{DPoP: true},
			`Bearer realm="r", DPoP realm="r", ` + algs,
		},
		{
			"a bad token with the scheme DPoP",
			refusal.Refusal{Kind: refusal.Expired, DPoP: true},
			refusal.Style{DPoP: true},
			`DPoP realm="r", error="invalid_token", error_description="token expired", ` + algs,
		},
		{
			"a bad bearer token beside DPoP",
			refusal.Refusal{Kind: refusal.Expired},
			refusal.Style{DPoP: true},
			`Bearer realm="r", error="invalid_token", error_description="token expired"`,
		},
		{
			"a bad proof",
			refusal.Refusal{Kind: refusal.DPoPFailed, BadProof: true, Description: "d"},
			refusal.Style{DPoP: true, NoBearer: true},
			`DPoP realm="r", error="invalid_dpop_proof", error_description="d", ` + algs,
		},
	} {
		tt.style.Realm = "r"
		if got := header(tt.r.Answer(tt.style), "WWW-Authenticate"); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestOnlyARuleChoosesItsStatus(t *testing.T) {
	for _, kind := range refusal.Kinds() {
		got := refusal.Refusal{Kind: kind, Status: 401}.Answer(refusal.Style{}).Status
		if want := kind.Status(); got != want && kind != refusal.RuleDenied || kind == refusal.RuleDenied && got != 401 {
			t.Errorf("%s: %d", kind.Reason(), got)
		}
	}
}
