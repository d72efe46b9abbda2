package inspect_test

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var judgedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	tenant   = "https://tenant.eu.auth0.com/"
	clientID = "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
)

// explained is the walk of a token through a configuration with the keys of the
// tests.
func explained(t *testing.T, document, raw string, show inspect.Claims) string {
	t.Helper()
	conf, err := config.Parse([]byte(document), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range conf.Issuers {
		conf.Issuers[i].JWKS, conf.Issuers[i].DiscoveryURL = keySet(), ""
	}
	g := gate.New(gate.Options{Now: func() time.Time { return judgedAt }})
	defer g.Close()
	r, err := g.Route(conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := &inspect.Request{Verb: "GET", URL: must(url.Parse("https://api.example.com/orders"))}
	for one := range strings.FieldsSeq(raw) {
		req.Carry(conf, one)
	}
	x := inspect.Explain(t.Context(), inspect.Case{Config: conf, Gate: g, Route: r, Request: req, Now: judgedAt, Claims: show})
	var out strings.Builder
	if err := x.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// signed is a good token with changes.
func signed(issuer string, changes ...string) string {
	changes = append([]string{"sub", `"auth0|hidden"`, "scope", `"read:hidden"`}, changes...)
	return forge.Sign("RS256", rsaKey, forge.Header("RS256", "r"), forge.Claims(issuer, "https://api.example.com", judgedAt, changes...))
}

func TestExplainSaysWhyAndWhatToDo(t *testing.T) {
	const plain = `{"domain":"tenant.eu.auth0.com","audience":"https://api.example.com"}`
	with := func(more string) string { return strings.TrimSuffix(plain, "}") + "," + more + "}" }
	for _, tt := range []struct {
		name, conf, token string
		want              []string
	}{
		{"a slash", plain, signed("https://tenant.eu.auth0.com"), []string{
			"FAILED unknown_issuer", "the token's iss is nearly https://tenant.eu.auth0.com/: they differ only by the slash at the end",
			"what to do: write the issuer in the configuration exactly as the token has it",
		}},
		{"capitals", plain, signed("https://Tenant.eu.auth0.com/"), []string{"they differ by capital letters"}},
		{"http", plain, signed("http://tenant.eu.auth0.com/"), []string{"they differ by http and https"}},
		{"no scheme", plain, signed("tenant.eu.auth0.com"), []string{"they differ by https:// before the name"}},
		{"another tenant", plain, signed("https://hidden.eu.auth0.com/"), []string{"they are two Auth0 tenants", "the application logs in at another tenant"}},
		{"another region", plain, signed("https://tenant.us.auth0.com/"), []string{"of one name in two regions"}},
		{"a custom domain", plain, signed("https://login.hidden.example/"), []string{"may be its custom domain", "Auth0 writes the domain into iss that the application used"}},
		{"another issuer", `{"issuer":"https://idp.example/","audience":"a"}`, signed("https://hidden.example/x"), []string{"the token's iss is not https://idp.example/"}},
		{"an algorithm", `{"domain":"tenant.eu.auth0.com","audience":"a","algorithms":["PS256","ES256"]}`, signed(tenant), []string{
			`FAILED alg_not_allowed`, `the token is signed with "RS256"; the configuration allows PS256, ES256`, `write "algorithms": ["RS256"]`,
		}},
		{"an HS algorithm", plain, forge.Sign("HS256", []byte(secretOf("x")), forge.Header("HS256", ""), forge.Claims(tenant, "a", judgedAt)), []string{
			`signed with "HS256"; the configuration allows RS256`, "choose RS256 as the Signing Algorithm in Auth0",
		}},
		{"an unknown key", plain, forge.Sign("RS256", rsaKey, forge.Header("RS256", "old"), forge.Claims(tenant, "a", judgedAt)), []string{
			"FAILED unknown_key", `the token names the key "old"`, `the issuer's keys for RS256 are "r"`, `keys for other algorithms are "e"`,
		}},
		{"a signature", plain, signed(tenant) + "AA", []string{"FAILED bad_signature", `the key "r" did not make this signature`}},
		{"expired", plain, signed(tenant, "exp", forge.Seconds(judgedAt.Add(-2*time.Hour-3*time.Minute))), []string{"FAILED expired", "expired 2h3m ago"}},
		{"days ago", plain, signed(tenant, "exp", forge.Seconds(judgedAt.Add(-75*time.Hour))), []string{"expired 3d3h ago"}},
		{"a clock", plain, signed(tenant, "iat", forge.Seconds(judgedAt.Add(2*time.Minute))), []string{"FAILED not_yet_valid", "iat is 2m ahead of this clock; leeway is 30s"}},
		{"age", with(`"max_token_age":"10m"`), signed(tenant, "iat", forge.Seconds(judgedAt.Add(-time.Hour))), []string{"FAILED too_old", "issued 1h ago; max_token_age is 10m"}},
		{"an opaque token", plain, "hidden-opaque", []string{"FAILED malformed_token", "an opaque token, not a JWT", "send audience=https://api.example.com", "Default Audience"}},
		{"an encrypted token", plain, "a.b.c.d.e", []string{"an encrypted token (JWE)", "switch Token Encryption off"}},
		{"half a token", plain, "a.b", []string{"not three parts", "it may have been cut"}},
		{"an ID token", plain, signed(tenant, "aud", `"`+clientID+`"`, "nonce", `"hidden"`), []string{
			"note: this looks like an ID token, since it has the claim nonce", "FAILED bad_audience", "send the access token and not the ID token",
		}},
		{"an ID token by its audience", plain, signed(tenant, "aud", `"`+clientID+`"`, "scope", ""), []string{"since its aud is an application's client id"}},
		{"for userinfo", plain, signed(tenant, "aud", `"`+tenant+`userinfo"`), []string{"/userinfo alone; wanted: https://api.example.com"}},
		{"for the Management API", plain, signed(tenant, "aud", `"`+tenant+`api/v2/"`), []string{"the token is for Auth0's Management API"}},
		{"for another API", plain, signed(tenant, "aud", `"https://hidden.example"`), []string{"the token is for another API; wanted: https://api.example.com"}},
		{"an audience's slash", plain, signed(tenant, "aud", `"https://api.example.com/"`), []string{"the token's aud is nearly https://api.example.com: they differ only by the slash"}},
		{"no token", plain, "", []string{"FAILED missing_token", "looked for in the header authorization with the scheme Bearer"}},
		{"two tokens", plain, "a.b.c d.e.f", []string{"FAILED multiple_tokens", "what to do: send one token, in one place"}},
		{"no organization", with(`"organizations":["org_a"]`), signed(tenant), []string{"FAILED wrong_organization", "the token is of no organization"}},
		{"an organization's name", with(`"organizations":["acme"]`), signed(tenant, "org_id", `"org_hidden"`), []string{"Allow Organization Names"}},
		{"another client", with(`"allowed_clients":["a"]`), signed(tenant, "azp", `"hidden"`), []string{"the token's azp is not one of allowed_clients"}},
		{"a scope", with(`"required_scopes":["write:orders"]`), signed(tenant), []string{"FAILED insufficient_scope", "required_scopes: the token lacks write:orders"}},
		{"permissions", with(`"required_permissions":["p"]`), signed(tenant), []string{"required_permissions: the token lacks p", "the token has no claim permissions", "Enable RBAC"}},
		{"an absent claim", with(`"claims":{"tier":"gold"}`), signed(tenant), []string{"FAILED claim_mismatch", "the token has no claim tier", "setCustomClaim"}},
		{"a claim of ID tokens", with(`"claims":{"email_verified":true}`), signed(tenant), []string{"Auth0 puts email_verified into ID tokens and not into access tokens"}},
		{"a claim that no Action can set", with(`"claims":{"roles":{"contains":"admin"}}`), signed(tenant), []string{
			"Auth0 drops a custom claim of the name roles", `setCustomClaim("https://example.com/roles", …)`, "write that name in the configuration",
		}},
		{"no second factor", with(`"require_mfa":true`), signed(tenant), []string{
			"FAILED step_up_required", "the token has no claim amr", "Auth0 puts amr, acr and auth_time into ID tokens alone", `setCustomClaim("https://example.com/amr", …)`,
		}},
		{"no class and no time of the login", with(`"acr_values":["a"],"max_auth_age":"1h"`), signed(tenant), []string{"the token has no claim acr, auth_time"}},
		{"another second factor", with(`"require_mfa":true`), signed(tenant, "amr", `["pwd"]`), []string{"FAILED step_up_required", "multi-factor authentication is required"}},
		{"a claim of another type", with(`"claims":{"email_verified":"true"}`), signed(tenant, "email_verified", "true"), []string{
			"the claim is a boolean, and the configuration wants a string", `true and "true" are different values`,
		}},
		{"a claim with a namespace", with(`"claims":{"email_verified":true}`), signed(tenant, "https://example.com/email_verified", "true"), []string{
			`it has "https://example.com/email_verified"`,
		}},
		{"a claim inside of another", with(`"claims":{"realm_access.roles":{"contains":"a"}}`), signed(tenant, "realm_access", `{"roles":["hidden"]}`), []string{
			`it has "/realm_access/roles" inside of another claim`,
		}},
		{"another value", with(`"claims":{"tier":"gold"}`), signed(tenant, "tier", `"hidden"`), []string{"the claim has another value; --show-claims shows it"}},
		{"a rule", with(`"rules":[{"expression":"true"},{"expression":"claims.sub == 'x'","message":"only x"}]`), signed(tenant), []string{
			"FAILED rule_denied", "rules[1] is false", "only x",
		}},
		{"a rule that fails", with(`"rules":[{"expression":"claims.nothing == 'x'"}]`), signed(tenant), []string{"rules[0] could not be evaluated"}},
		{"a good token", with(`"claim_headers":{"X-User-Id":"sub"},"claims_header":"X-Claims"`), signed(tenant), []string{
			"forwarded", `the key "r"`, "expires in 1h", "set header X-User-Id: (the claim sub)", "set header X-Claims: (all claims)",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := explained(t, tt.conf, tt.token, inspect.HideClaims)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in:\n%s", want, out)
				}
			}
			for _, secret := range []string{"hidden", clientID} {
				if strings.Contains(out, secret) {
					t.Errorf("%q, which only the token says, is in:\n%s", secret, out)
				}
			}
			for part := range strings.SplitSeq(tt.token, ".") {
				if len(part) > 20 && strings.Contains(out, part) {
					t.Errorf("a part of the token is in:\n%s", out)
				}
			}
		})
	}
}

func TestExplainShowsClaimsBesideWhatWasWantedWhereThatIsAskedFor(t *testing.T) {
	out := explained(t, `{"domain":"tenant.eu.auth0.com","audience":"https://api.example.com","required_scopes":["read:hidden"],
		"organizations":["acme"],"max_auth_age":"1h","require_mfa":true,"acr_values":["a"],"claims":{"tier":{"one_of":["gold"]}}}`,
		signed(tenant, "org_name", `"acme"`, "amr", `["pwd"]`), inspect.ShowClaims)
	for _, want := range []string{
		`found:  org_name "acme"`, "wanted: acme",
		`found:  amr ["pwd"]`, "wanted: amr with mfa, acr one of a, auth_time at most 1h ago", "FAILED step_up_required",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

func TestExplainDoesNotAdviseToShowWhatItShows(t *testing.T) {
	conf, token := `{"domain":"tenant.eu.auth0.com","audience":"https://api.example.com","claims":{"tier":"gold"}}`, signed(tenant, "tier", `"silver"`)
	const advice = "--show-claims shows it"
	if out := explained(t, conf, token, inspect.HideClaims); !strings.Contains(out, advice) {
		t.Errorf("%q is not in:\n%s", advice, out)
	}
	if out := explained(t, conf, token, inspect.ShowClaims); strings.Contains(out, advice) || !strings.Contains(out, "silver") {
		t.Errorf("the claim is shown, and %q is advice all the same:\n%s", advice, out)
	}
}

func TestATokenIsTakenAsItIsPasted(t *testing.T) {
	for _, tt := range []struct {
		given, raw string
		noted      bool
	}{
		{"a.b.c", "a.b.c", false},
		{" a.b.c\n", "a.b.c", false},
		{`"a.b.c"`, "a.b.c", false},
		{"Bearer a.b.c", "a.b.c", true},
		{"authorization: bearer  a.b.c", "a.b.c", true},
		{"DPoP a.b.c", "a.b.c", true},
		{"", "", false},
	} {
		if raw, note := inspect.Pasted(tt.given); raw != tt.raw || (note != "") != tt.noted {
			t.Errorf("%q: %q, %q", tt.given, raw, note)
		}
	}
}

func TestExplainOfAConfigurationWithErrorsEndsAtItsFirstCheck(t *testing.T) {
	g := gate.New(gate.Options{Now: func() time.Time { return judgedAt }, Logger: slog.New(slog.DiscardHandler)})
	defer g.Close()
	req := &inspect.Request{Verb: "GET", URL: must(url.Parse("https://api.example.com/orders"))}
	x := inspect.Explain(t.Context(), inspect.Case{Gate: g, Route: g.Compile([]byte(`{"issuer":1}`)), Request: req, Now: judgedAt})
	if x.Forward || x.Answer.Status != 500 || x.Reason != "config_invalid" {
		t.Errorf("got %+v", x)
	}
	for n, c := range x.Checks {
		if want := map[bool]string{true: "refused", false: "not_reached"}[n == 0]; c.Outcome != want {
			t.Errorf("check %d is %s", n+1, c.Outcome)
		}
	}
}

func TestExplainSaysWhetherTheTokenWasLookedUpAmongWhatWasRevoked(t *testing.T) {
	conf := must(config.Parse([]byte(`{"domain":"tenant.eu.auth0.com","audience":"https://api.example.com"}`), config.Options{}))
	conf.Issuers[0].JWKS, conf.Issuers[0].DiscoveryURL = keySet(), ""
	g := gate.New(gate.Options{Now: func() time.Time { return judgedAt }})
	defer g.Close()
	req := &inspect.Request{Verb: "GET", URL: must(url.Parse("https://api.example.com/orders"))}
	req.Carry(conf, signed(tenant))
	for knows, says := range map[inspect.RevocationKnowledge]string{inspect.RevocationsUnknown: "not looked up", inspect.RevocationsKnown: "not among what was revoked"} {
		x := inspect.Explain(t.Context(), inspect.Case{Config: conf, Gate: g, Route: must(g.Route(conf, nil)), Request: req, Now: judgedAt, Revocations: knows})
		var out strings.Builder
		if err := x.WriteText(&out); err != nil || !strings.Contains(out.String(), says) {
			t.Errorf("%v: %q is not in:\n%s", err, says, out.String())
		}
	}
}
