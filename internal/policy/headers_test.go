package policy_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
)

func TestClaimHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		format claim.Format
		value  string // JSON; "" leaves the claim out
		want   string // "" is no header
	}{
		"a string":                       {claim.Plain, `"alice"`, "alice"},
		"a string of other letters":      {claim.Plain, `"Zoë"`, "Zoë"},
		"a number as in the token":       {claim.Plain, `1.50e2`, "1.50e2"},
		"a number beyond 2^53":           {claim.Plain, `9007199254740993`, "9007199254740993"},
		"a boolean":                      {claim.Plain, `false`, "false"},
		"a list":                         {claim.Plain, `["a",1,true]`, "a,1,true"},
		"a list with separators":         {claim.Plain, `["a,b","50%","%2C"]`, "a%2Cb,50%25,%252C"},
		"an empty list":                  {claim.Plain, `[]`, ""},
		"a list with a list":             {claim.Plain, `[["a"]]`, ""},
		"a list with null":               {claim.Plain, `["a",null]`, ""},
		"an object":                      {claim.Plain, `{"a":1}`, ""},
		"null":                           {claim.Plain, `null`, ""},
		"missing":                        {claim.Plain, ``, ""},
		"an empty string":                {claim.Plain, `""`, ""},
		"a line break":                   {claim.Plain, `"a\r\nX-Admin: 1"`, ""},
		"a line break in a list":         {claim.Plain, `["a","b\n"]`, ""},
		"a zero byte":                    {claim.Plain, `"a\u0000"`, ""},
		"DEL":                            {claim.Plain, `"a\u007f"`, ""},
		"a space at the end":             {claim.Plain, `"a "`, ""},
		"json: a string":                 {claim.JSON, `"a\nb<&>"`, `"a\nb<&>"`},
		"json: an object":                {claim.JSON, `{ "a" : [ 1.0, null ] }`, `{"a":[1.0,null]}`},
		"json: null":                     {claim.JSON, `null`, ""},
		"json: missing":                  {claim.JSON, ``, ""},
		"base64: an object":              {claim.Base64, `{ "a" : "~~?" }`, base64url(`{"a":"~~?"}`)},
		"base64: a string with anything": {claim.Base64, `"a\r\n\u0000"`, base64url(`"a\r\n\u0000"`)},
		"base64: null":                   {claim.Base64, `null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, required := range []bool{false, true} {
				conf := route(func(conf *config.Config) {
					conf.ClaimHeaders = []identity.ClaimHeader{{Name: "X-Claim", Claim: ref("x"), Format: c.format, Required: required}}
				})
				d := compile(t, conf).Decide(bearing(good(t, "x", c.value)))
				edits, _ := d.Forward()
				want, wantHeaders := forwarded, []identity.Header{{Name: "X-Claim", Value: c.want}}
				if c.want == "" {
					wantHeaders = nil
					if required {
						want = "claim_header_failed"
					}
				}
				if diff := cmp.Diff(wantHeaders, edits.SetHeaders); outcome(d) != want || diff != "" {
					t.Errorf("required %v: %s, want %s; headers (-want +got):\n%s", required, outcome(d), want, diff)
				}
			}
		})
	}
}

func TestTheUpstreamGetsThePluginsValuesOnly(t *testing.T) {
	conf := route(func(c *config.Config) {
		c.ClaimHeaders = []identity.ClaimHeader{
			{Name: "X-Country", Claim: ref("/address/country")},
			{Name: "X-Email", Claim: ref("email")},
			{Name: "X-User-Id", Claim: ref("sub")},
		}
		c.ClaimsHeader, c.TokenHeader, c.StripHeaders = "X-Claims", "X-Token", []string{"X-Role"}
		c.ForwardToken = false
	})
	token := good(t, "address", `{"country":"DE"}`)
	req := bearing(token)
	for _, name := range []string{"x-user-id", "X_USER_ID", "x-email", "x_role", "x-claims", "x-token", "x-country", "accept"} {
		req.headers = append(req.headers, [2]string{name, "spoofed"}, [2]string{name, "twice"})
	}
	edits, forward := compile(t, conf).Decide(req).Forward()
	if !forward {
		t.Fatal("is not forwarded")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var gotClaims, wantClaims any
	want := identity.Edits{
		DeleteHeaders: []string{"x-user-id", "X_USER_ID", "x-email", "x_role", "x-claims", "x-token", "x-country", "authorization"},
		SetHeaders:    []identity.Header{{Name: "X-Country", Value: "DE"}, {Name: "X-User-Id", Value: "auth0|alice"}, {Name: "X-Claims"}, {Name: "X-Token", Value: token}},
	}
	for i, h := range edits.SetHeaders {
		if h.Name == "X-Claims" {
			edits.SetHeaders[i].Value = ""
			text, err := base64.RawURLEncoding.DecodeString(h.Value)
			if err != nil || json.Unmarshal(text, &gotClaims) != nil || json.Unmarshal(payload, &wantClaims) != nil {
				t.Fatalf("X-Claims is not the claims set: %v", err)
			}
		}
	}
	if diff := cmp.Diff(want, edits); diff != "" {
		t.Errorf("edits (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantClaims, gotClaims); diff != "" {
		t.Errorf("X-Claims (-want +got):\n%s", diff)
	}
}
