package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

func TestStepUp(t *testing.T) {
	mfa := func(c *config.Config) { c.RequireMFA = true }
	acr := func(c *config.Config) { c.ACRValues = []string{"gold", "silver"} }
	lately := func(c *config.Config) { c.MaxAuthAge = 5 * time.Minute }
	for _, tt := range []struct {
		name      string
		change    func(*config.Config)
		claims    []string
		forwarded bool
	}{
		{"amr holds mfa", mfa, []string{"amr", `["pwd","mfa"]`}, true},
		{"amr without mfa", mfa, []string{"amr", `["pwd"]`}, false},
		{"amr is a string", mfa, []string{"amr", `"xmfay"`}, false},
		{"no amr", mfa, nil, false},
		{"acr is one of them", acr, []string{"acr", `"silver"`}, true},
		{"another acr", acr, []string{"acr", `"bronze"`}, false},
		{"an acr that holds one", acr, []string{"acr", `"gold silver"`}, false},
		{"acr is a list", acr, []string{"acr", `["gold"]`}, false},
		{"no acr", acr, nil, false},
		{"authenticated just now", lately, []string{"auth_time", at(-time.Minute)}, true},
		{"within the leeway", lately, []string{"auth_time", at(-5*time.Minute - 30*time.Second)}, true},
		{"too long ago", lately, []string{"auth_time", at(-5*time.Minute - 31*time.Second)}, false},
		{"in the future", lately, []string{"auth_time", at(31 * time.Second)}, false},
		{"a string", lately, []string{"auth_time", `"` + at(0) + `"`}, false},
		{"infinite", lately, []string{"auth_time", `1e999`}, false},
		{"no auth_time", lately, nil, false},
	} {
		d := compile(t, route(tt.change)).Decide(bearing(good(t, tt.claims...)))
		if _, forward := d.Forward(); forward != tt.forwarded {
			t.Errorf("%s: forwarded %v", tt.name, forward)
		}
		if r := d.Refusal(); !tt.forwarded && r.Kind != refusal.StepUpRequired {
			t.Errorf("%s: %s", tt.name, r.Kind.Reason())
		}
	}
	d := compile(t, route(mfa, acr, lately)).Decide(bearing(good(t)))
	if r := d.Refusal(); r.ACRValues != "gold silver" || r.MaxAge != 5*time.Minute {
		t.Errorf("the challenge does not name all that is required: %+v", r)
	}
	d = compile(t, route(mfa)).Decide(bearing(good(t)))
	if r := d.Refusal(); r.ACRValues != "http://schemas.openid.net/pape/policies/2007/06/multi-factor" {
		t.Errorf("the challenge does not say how to ask Auth0 for a second factor: %+v", r)
	}
}

func rules(all ...config.Rule) func(*config.Config) {
	return func(c *config.Config) { c.Rules = all }
}

func cel(text string) *rule.Expression { return must(rule.Compile(text)) }

func TestRules(t *testing.T) {
	const private = "alice-private-value"
	token := good(t, "department", `"`+private+`"`)
	for _, tt := range []struct {
		name    string
		rules   []config.Rule
		status  int // 0: forwarded
		reports []int
	}{
		{"all hold", []config.Rule{{Expression: cel(`claims.sub == "auth0|alice"`)}, {Expression: cel(`request.path == "/orders/7"`)}}, 0, nil},
		{"about the request", []config.Rule{{Expression: cel(`request.headers["authorization"].size() == 1 && request.method == "GET" && request.ip == "10.1.2.3"`)}}, 0, nil},
		{"the first that fails answers", []config.Rule{{Expression: cel(`true`)}, {Expression: cel(`false`), Status: 401}, {Expression: cel(`false`), Status: 403}}, 401, nil},
		{"a missing field denies", []config.Rule{{Expression: cel(`claims.nope != "x"`), Status: 403}}, 403, nil},
		{"an error denies", []config.Rule{{Expression: cel(`int(claims.department) > 0`), Status: 403}}, 403, nil},
		{"no bool denies", []config.Rule{{Expression: cel(`claims.department`), Status: 403}}, 403, nil},
		{"report_only never denies", []config.Rule{{Expression: cel(`false`), ReportOnly: true}, {Expression: cel(`true`), ReportOnly: true}, {Expression: cel(`claims.nope`), ReportOnly: true}}, 0, []int{0, 2}},
		{"reports stand beside a refusal", []config.Rule{{Expression: cel(`false`), ReportOnly: true}, {Expression: cel(`false`), Status: 403}}, 403, []int{0}},
	} {
		p := compile(t, route(rules(tt.rules...)))
		d := p.Decide(bearing(token))
		_, forward := d.Forward()
		r := d.Refusal()
		if forward != (tt.status == 0) || !slices.Equal(d.Reports(), tt.reports) {
			t.Errorf("%s: forwarded %v, reports %v", tt.name, forward, d.Reports())
		}
		if answer := p.route.Answer(r); !forward && (r.Kind != refusal.RuleDenied || answer.Status != tt.status || strings.Contains(string(answer.Body)+r.Cause, private)) {
			t.Errorf("%s: %s %d %s %q", tt.name, r.Kind.Reason(), answer.Status, answer.Body, r.Cause)
		}
	}
}

func TestSecrets(t *testing.T) {
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 64)
	t.Setenv("FIRST", first)
	t.Setenv("SECOND", second)
	open := func(name string) *secret.Secret { return must(secret.Open("$env://"+name, secret.Options{Now: clock})) }
	p := compileWith(t, route(func(c *config.Config) {
		i := &c.Issuers[0]
		i.JWKS, i.Algorithms, i.Secrets = nil, []string{"HS256", "HS512"}, []*secret.Secret{open("FIRST"), open("SECOND")}
	}), nil)
	for _, tt := range []struct {
		name, token string
		forwarded   bool
		kind        refusal.Kind
	}{
		{"the first secret", sign(t, "HS256", []byte(first), header("HS256", ""), claims()), true, 0},
		{"the second", sign(t, "HS512", []byte(second), header("HS512", "any"), claims()), true, 0},
		{"another", sign(t, "HS256", []byte(first+"x"), header("HS256", ""), claims()), false, refusal.BadSignature},
		{"an empty one", sign(t, "HS256", []byte{}, header("HS256", ""), claims()), false, refusal.BadSignature},
		{"an algorithm that is not listed", sign(t, "HS384", []byte(first), header("HS384", ""), claims()), false, refusal.AlgNotAllowed},
		{"a public key's", good(t), false, refusal.AlgNotAllowed},
		{"expired", sign(t, "HS256", []byte(first), header("HS256", ""), claims("exp", at(-time.Hour))), false, refusal.Expired},
	} {
		d := p.Decide(bearing(tt.token))
		if _, forward := d.Forward(); forward != tt.forwarded || d.Refusal().Kind != tt.kind {
			t.Errorf("%s: forwarded %v, %s", tt.name, forward, d.Refusal().Kind.Reason())
		}
	}
}
