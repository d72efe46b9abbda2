package policy_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
)

func TestClaimHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		format config.Format
		value  string // JSON; "" leaves the claim out
		want   string // "" is no header
	}{
		"a string":                       {config.Plain, `"alice"`, "alice"},
		"a string of other letters":      {config.Plain, `"Zoë"`, "Zoë"},
		"a number as in the token":       {config.Plain, `1.50e2`, "1.50e2"},
		"a number beyond 2^53":           {config.Plain, `9007199254740993`, "9007199254740993"},
		"a boolean":                      {config.Plain, `false`, "false"},
		"a list":                         {config.Plain, `["a",1,true]`, "a,1,true"},
		"a list with separators":         {config.Plain, `["a,b","50%","%2C"]`, "a%2Cb,50%25,%252C"},
		"an empty list":                  {config.Plain, `[]`, ""},
		"a list with a list":             {config.Plain, `[["a"]]`, ""},
		"a list with null":               {config.Plain, `["a",null]`, ""},
		"an object":                      {config.Plain, `{"a":1}`, ""},
		"null":                           {config.Plain, `null`, ""},
		"missing":                        {config.Plain, ``, ""},
		"an empty string":                {config.Plain, `""`, ""},
		"a line break":                   {config.Plain, `"a\r\nX-Admin: 1"`, ""},
		"a line break in a list":         {config.Plain, `["a","b\n"]`, ""},
		"a zero byte":                    {config.Plain, `"a\u0000"`, ""},
		"DEL":                            {config.Plain, `"a\u007f"`, ""},
		"a space at the end":             {config.Plain, `"a "`, ""},
		"json: a string":                 {config.JSON, `"a\nb<&>"`, `"a\nb<&>"`},
		"json: an object":                {config.JSON, `{ "a" : [ 1.0, null ] }`, `{"a":[1.0,null]}`},
		"json: null":                     {config.JSON, `null`, ""},
		"json: missing":                  {config.JSON, ``, ""},
		"base64: an object":              {config.Base64, `{ "a" : "~~?" }`, base64url(`{"a":"~~?"}`)},
		"base64: a string with anything": {config.Base64, `"a\r\n\u0000"`, base64url(`"a\r\n\u0000"`)},
		"base64: null":                   {config.Base64, `null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, required := range []bool{false, true} {
				conf := route(func(conf *config.Config) {
					conf.ClaimHeaders = []config.ClaimHeader{{Header: "X-Claim", Claim: "x", Format: c.format, Required: required}}
				})
				d := compile(t, conf).Decide(bearing(good(t, "x", c.value)))
				edits, _ := d.Forward()
				want, wantHeaders := goesOn, []identity.Header{{Name: "X-Claim", Value: c.want}}
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
		c.ClaimHeaders = []config.ClaimHeader{
			{Header: "X-Country", Claim: "/address/country"},
			{Header: "X-Email", Claim: "email"},
			{Header: "X-User-Id", Claim: "sub"},
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
		t.Fatal("does not go on")
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
