package policy_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// These tables are the sentences that bind a resource server, by section. RFC
// 9449 section 7 is TestDPoP; its section 4.3 is the package dpop's.

// answered is what a client gets of a policy.
type answered struct {
	status    int
	challenge string // "" is none
	body      string
}

func answerOf(t *testing.T, conf *config.Config, req *request) answered {
	t.Helper()
	p := compile(t, conf)
	d := p.Decide(req)
	if _, forward := d.Forward(); forward {
		return answered{status: 200}
	}
	r := d.Refusal()
	a := p.route.Answer(r)
	got := answered{status: a.Status, body: string(a.Body)}
	for _, h := range a.Headers {
		if h.Name == "WWW-Authenticate" {
			if got.challenge != "" {
				t.Error("two WWW-Authenticate headers")
			}
			got.challenge = h.Value
		}
	}
	return got
}

var authParam = regexp.MustCompile(`([a-z_]+)="([^"\\]*)"`)

// params are the parameters of a challenge; one that is there twice is an error.
func params(t *testing.T, challenge string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range authParam.FindAllStringSubmatch(challenge, -1) {
		if _, twice := all[m[1]]; twice {
			t.Errorf("%s is there twice: %s", m[1], challenge)
		}
		all[m[1]] = m[2]
	}
	return all
}

func TestRFC6750Section3(t *testing.T) {
	scoped := route(func(c *config.Config) { c.RequiredScopes = []string{"read:orders", "write:orders"} })
	for _, tt := range []struct {
		sentence string
		conf     *config.Config
		req      *request
		status   int
		err      string // "" is none
	}{
		{"3: no credentials: WWW-Authenticate is included; 3.1: and no error code", route(), get(), 401, ""},
		{"3: credentials of another scheme are none", route(), get("authorization", "Basic YTpi"), 401, ""},
		{"3: a token that does not enable access: WWW-Authenticate is included", route(), bearing("opaque"), 401, "invalid_token"},
		{"3.1: invalid_token is 401: expired", route(), bearing(good(t, "exp", at(-time.Hour))), 401, "invalid_token"},
		{"3.1: invalid_token is 401: malformed", route(), bearing("a.b.c"), 401, "invalid_token"},
		{"3.1: invalid_token is 401: invalid for other reasons", route(), bearing(good(t, "aud", `"x"`)), 401, "invalid_token"},
		{"3.1: insufficient_scope is 403", scoped, bearing(good(t, "scope", `"read:orders"`)), 403, "insufficient_scope"},
	} {
		a := answerOf(t, tt.conf, tt.req)
		p := params(t, a.challenge)
		if a.status != tt.status || p["error"] != tt.err {
			t.Errorf("%s: %+v", tt.sentence, a)
		}
		if !strings.HasPrefix(a.challenge, "Bearer ") || p["realm"] == "" {
			t.Errorf("3: the scheme is Bearer, followed by one parameter or more: %s", a.challenge)
		}
		for name, v := range p {
			for _, c := range v {
				if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
					t.Errorf("3: %s has a character that is not allowed: %q", name, v)
				}
			}
		}
	}
	a := answerOf(t, scoped, bearing(good(t)))
	if scope := params(t, a.challenge)["scope"]; scope != "read:orders write:orders" {
		t.Errorf("3: scope is a list, separated by spaces, of what would do: %q", scope)
	}
	a = answerOf(t, route(), get("authorization", "Bearer a", "authorization", "Bearer b"))
	if a.status != 400 || !strings.Contains(a.body, `"invalid_request"`) {
		t.Errorf("3.1: invalid_request is 400: more than one method or repeated: %+v", a)
	}
}

func TestRFC9068Section4(t *testing.T) {
	conf := route(func(c *config.Config) { c.Issuers[0].TokenProfile = config.ProfileRFC9068 })
	full := []string{"client_id", `"spa"`, "jti", `"1"`}
	token := func(alg string, key any, jose string, changes ...string) string {
		return sign(t, alg, key, header(alg, "rsa", jose), claims(append(full, changes...)...))
	}
	rs := func(jose string, changes ...string) string { return token("RS256", keys().rsa, jose, changes...) }
	const access = `"typ":"at+jwt"`
	for _, tt := range []struct {
		sentence, token string
		taken           bool
	}{
		{"typ is at+jwt", rs(access), true},
		{"typ is application/at+jwt", rs(`"typ":"application/at+jwt"`), true},
		{"any other typ is rejected", rs(`"typ":"JWT"`), false},
		{"no typ is rejected", sign(t, "RS256", keys().rsa, header("RS256", "rsa"), claims(full...)), false},
		{"an encrypted token that is not expected is rejected", "a.b.c.d.e", false},
		{"iss matches exactly", rs(access, "iss", `"`+strings.TrimSuffix(tenant, "/")+`"`), false},
		{"iss is required", rs(access, "iss", ""), false},
		{"aud holds an identifier of this server", rs(access, "aud", `["x","`+api+`"]`), true},
		{"aud without it is rejected", rs(access, "aud", `"x"`), false},
		{"aud is required", rs(access, "aud", ""), false},
		{"the signature is validated", rs(access) + "A", false},
		{"with the alg of the header only where it is expected: none is rejected", base64url(`{"alg":"none",`+access+`}`) + "." + base64url(claims(full...)) + ".", false},
		{"with keys of the authorization server", token("RS256", keys().attacker, access), false},
		{"the time is before exp", rs(access, "exp", at(-time.Minute)), false},
		{"with leeway of at most a few minutes", rs(access, "exp", at(-20*time.Second)), true},
		{"exp is required", rs(access, "exp", ""), false},
		{"sub is required (section 2.2)", rs(access, "sub", ""), false},
		{"client_id is required (section 2.2)", rs(access, "client_id", ""), false},
		{"iat is required (section 2.2)", rs(access, "iat", ""), false},
		{"jti is required (section 2.2)", rs(access, "jti", ""), false},
	} {
		a := answerOf(t, conf, bearing(tt.token))
		if (a.status == 200) != tt.taken {
			t.Errorf("%s: %+v", tt.sentence, a)
		}
		if !tt.taken && (a.status != 401 || params(t, a.challenge)["error"] != "invalid_token") {
			t.Errorf("errors are those of RFC 6750 section 3.1, with invalid_token: %s: %+v", tt.sentence, a)
		}
	}
}

func TestRFC9470Section3(t *testing.T) {
	both := route(func(c *config.Config) {
		c.ACRValues, c.MaxAuthAge, c.RequiredScopes = []string{"gold", "silver"}, 5*time.Minute, []string{"pay"}
	})
	weak := answerOf(t, both, bearing(good(t, "acr", `"bronze"`)))
	p := params(t, weak.challenge)
	if weak.status != 401 || p["error"] != "insufficient_user_authentication" {
		t.Errorf("the error code is insufficient_user_authentication, in a challenge as RFC 6750 section 3 has it: %+v", weak)
	}
	if p["acr_values"] != "gold silver" {
		t.Errorf("acr_values is separated by spaces, in order of preference: %q", p["acr_values"])
	}
	if p["max_age"] != "300" {
		t.Errorf("max_age is a whole number of seconds: %q", p["max_age"])
	}
	for name, token := range map[string]string{
		"the acr of section 6.1": good(t, "acr", `"bronze"`, "auth_time", at(0)),
		"the auth_time of 6.1":   good(t, "acr", `"gold"`, "auth_time", at(-time.Hour)),
		"neither is there":       good(t),
	} {
		if a := answerOf(t, both, bearing(token)); a.status != 401 {
			t.Errorf("%s does not meet the requirements: %+v", name, a)
		}
	}
	// Section 4 binds clients; what it asks for is met by the tokens that a
	// client then gets.
	stepped := answerOf(t, both, bearing(good(t, "acr", `"silver"`, "auth_time", at(-time.Minute), "scope", `"pay"`)))
	if stepped.status != 200 {
		t.Errorf("a token that meets them is taken: %+v", stepped)
	}
	// Authentication is asked for before scope: one round trip more would
	// change nothing.
	if got := compile(t, both).Decide(bearing(good(t))).Refusal().Kind; got != refusal.StepUpRequired {
		t.Error(got.Reason())
	}
}
