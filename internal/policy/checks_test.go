package policy_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// watched is a request that notes whether anything of it was looked at.
type watched struct {
	request
	touched bool
}

func (w *watched) note() *request                  { w.touched = true; return &w.request }
func (w *watched) Context() context.Context        { return w.request.Context() } // says nothing about the request
func (w *watched) Method() string                  { return w.note().Method() }
func (w *watched) HeadersShown() int               { return w.note().HeadersShown() }
func (w *watched) NumHeader() int                  { return w.note().NumHeader() }
func (w *watched) HeaderName(i int) []byte         { return w.note().HeaderName(i) }
func (w *watched) HeaderValue(i int) string        { return w.note().HeaderValue(i) }
func (w *watched) Args(name string) []string       { return w.note().Args(name) }
func (w *watched) Query() map[string][]string      { return w.note().Query() }
func (w *watched) Path() string                    { return w.note().Path() }
func (w *watched) IP() string                      { return w.note().IP() }
func (w *watched) Var(name string) ([]byte, error) { return w.note().Var(name) }

// TestWhatACheckReadsIsWhatItSays: a decision is remembered with its token by
// what the table says, so a check that looks at the request and does not say
// so would give one request's verdict to another.
func TestWhatACheckReadsIsWhatItSays(t *testing.T) {
	rules := func(expression string) func(*config.Config) {
		return func(c *config.Config) {
			c.Rules = []config.Rule{{Expression: must(rule.Compile(expression)), Status: 403}}
		}
	}
	byDPoPScheme := token.Source{Kind: token.Header, Name: "authorization", Scheme: "DPoP"}
	cert, thumbprint := certificate("the client's")
	seen := map[string]bool{} // the checks that looked at the request
	for name, c := range map[string]struct {
		change func(*config.Config)
		scheme string
		claims []string
	}{
		"nothing asked":                     {},
		"a rule about claims":               {change: rules(`claims.sub == "auth0|alice"`)},
		"a rule about the request":          {change: rules(`request.method == "GET"`)},
		"a rule about its path":             {change: rules(`request.path.startsWith("/")`)},
		"a rule that shadows request":       {change: rules(`[1].all(request, .request.method == "GET")`)},
		"dpop off, bound":                   {claims: []string{"cnf", `{"jkt":"x"}`}},
		"dpop off, by its scheme":           {change: func(c *config.Config) { c.TokenFrom = append(c.TokenFrom, byDPoPScheme) }, scheme: "DPoP"},
		"dpop allowed, not bound":           {change: func(c *config.Config) { c.DPoP = config.Allow }},
		"dpop allowed, bound":               {change: func(c *config.Config) { c.DPoP = config.Allow }, scheme: "DPoP", claims: []string{"cnf", `{"jkt":"x"}`}},
		"dpop required":                     {change: func(c *config.Config) { c.DPoP = config.Require }},
		"a certificate allowed, not bound":  {change: func(c *config.Config) { c.MTLS = config.Allow }},
		"a certificate allowed, bound":      {change: func(c *config.Config) { c.MTLS = config.Allow }, claims: []string{"cnf", `{"x5t#S256":"` + thumbprint + `"}`}},
		"a certificate required, not bound": {change: func(c *config.Config) { c.MTLS = config.Require }},
		"much asked": {change: func(c *config.Config) {
			c.Organizations, c.AllowedClients, c.RequireMFA = []string{"o"}, []string{"k"}, true
			c.RequiredScopes, c.RequiredPermissions = []string{"s"}, []string{"p"}
			c.ClaimSchema = must(rule.CompileSchema(map[string]any{"required": []any{"sub"}}))
		}, claims: []string{"org_name", `"O"`, "azp", `"k"`, "amr", `["mfa"]`, "scope", `"s"`, "permissions", `["p"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := c.scheme
			if scheme == "" {
				scheme = "Bearer"
			}
			req := &watched{request: *get("authorization", scheme+" "+good(t, c.claims...))}
			req.vars = map[string]string{rawCertificate: cert, "scheme": "http", "http_host": "a", "request_uri": "/", "real_request_uri": "/"}
			conf := route()
			if c.change != nil {
				c.change(conf)
			}
			policy.EachCheck(policy.Compile(conf), req, clock, evidence(req), func(check *policy.Check, tok *token.Untrusted) {
				var says policy.Reads
				if check.Reads != nil {
					says = check.Reads(conf, tok)
				}
				if req.touched && says&policy.ReadsRequest == 0 {
					t.Errorf("check %s, %s, looked at the request", check.Number, check.Name)
				}
				if req.touched {
					seen[check.Number] = true
				}
				req.touched = false
			})
		})
	}
	for _, number := range []string{"1", "2", "13", "13a", "17"} {
		if !seen[number] {
			t.Errorf("check %s never looked at a request: nothing here tests it", number)
		}
	}
}

// TestTheWalkIsTheOneThatWasWalked: each row that fails says so itself, the
// ones before it passed or were not asked, and those behind were not reached.
func TestTheWalkIsTheOneThatWasWalked(t *testing.T) {
	for _, c := range checks {
		s := newScene()
		c.fail(s)
		d, steps := s.walk(t)
		at := slices.IndexFunc(steps, func(step policy.Step) bool { return step.Outcome == policy.Refused })
		if at < 0 {
			t.Errorf("%s: no step failed", c.reason)
			continue
		}
		failed := steps[at]
		if failed.Check.Number != c.number || failed.Refusal.Kind != c.kind || d.Refusal().Kind != c.kind {
			t.Errorf("%s: check %s failed with %s, want %s", c.reason, failed.Check.Number, failed.Refusal.Kind.Reason(), c.number)
		}
		for i, step := range steps {
			switch {
			case i < at && step.Outcome != policy.Passed && step.Outcome != policy.NotAsked,
				i > at && step.Outcome != policy.NotReached && step.Outcome != policy.NotAsked:
				t.Errorf("%s: check %s has outcome %d", c.reason, step.Check.Number, step.Outcome)
			}
		}
	}
}

// TestARefusalIsOneOfItsCheck: the table says why a check may refuse, and
// documents and explain go by it.
func TestARefusalIsOneOfItsCheck(t *testing.T) {
	for _, c := range checks {
		row := slices.IndexFunc(policy.Checks, func(check policy.Check) bool {
			return check.Number == c.number && slices.Contains(check.Kinds, c.kind)
		})
		if row < 0 {
			t.Errorf("no row %s of the table refuses with %s", c.number, c.reason)
		}
	}
	for _, kind := range refusal.Kinds() {
		if kind != refusal.Internal && !slices.ContainsFunc(policy.Checks, func(c policy.Check) bool { return slices.Contains(c.Kinds, kind) }) {
			t.Errorf("no check refuses with %s", kind.Reason())
		}
	}
}

// TestASignedTokenWithoutDatesFailsAtItsDates and not where its form is read:
// by then its signature was good.
func TestASignedTokenWithoutDatesFailsAtItsDates(t *testing.T) {
	_, steps := compile(t, route()).Walk(bearing(good(t, "exp", "")))
	for _, step := range steps {
		want := policy.Passed
		switch step.Check.Number {
		case "11":
			want = policy.Refused
		case "4", "8", "9", "10":
		default:
			continue
		}
		if step.Outcome != want {
			t.Errorf("check %s: outcome %d, want %d", step.Check.Number, step.Outcome, want)
		}
	}
}

// TestATokenByTheSchemeDPoPIsRefusedColdAndKnown where the route has dpop off
// and reads that scheme all the same.
func TestATokenByTheSchemeDPoPIsRefusedColdAndKnown(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now, func(c *config.Config) {
		c.TokenFrom = append(c.TokenFrom, token.Source{Kind: token.Header, Name: "authorization", Scheme: "DPoP"})
	})
	raw := good(t)
	for range 3 {
		if got := outcome(p.Decide(get("authorization", "DPoP "+raw))); got != "dpop_failed" {
			t.Errorf("by DPoP: %s", got)
		}
		if got := outcome(p.Decide(bearing(raw))); got != forwarded {
			t.Errorf("by Bearer: %s", got)
		}
	}
}

// evidence answers what a judgement needs, from a request's variables and the
// tenant's keys.
func evidence(req *watched) func(j *policy.Judgement, need policy.Need) {
	return func(j *policy.Judgement, need policy.Need) {
		switch need.Kind {
		case policy.NeedNothing:
		case policy.NeedMemory:
			j.Unknown()
		case policy.NeedSession:
			j.Session(policy.SessionEvidence{})
		case policy.NeedKey:
			j.Key(policy.KeyEvidence{Public: &keys().rsa.PublicKey})
		case policy.NeedVariable:
			value, err := req.Var(need.Variable)
			j.Variable(need.Variable, value, err)
		case policy.NeedProof:
			j.Proof(policy.NotSeen, nil)
		case policy.NeedRevocation:
			j.Revocation(policy.NotRevoked)
		default:
			panic("the policy asks for what this test does not have")
		}
	}
}

func TestTheZeroPolicyDenies(t *testing.T) {
	for name, p := range map[string]judge{"zero": {gate.New(gate.Options{}), &gate.Route{}}, "deny": denying(errors.New("why"))} {
		if got := outcome(p.Decide(bearing(good(t)))); got != "config_invalid" {
			t.Errorf("%s: %s", name, got)
		}
		if d, steps := p.Walk(bearing(good(t))); outcome(d) != "config_invalid" || steps[0].Outcome != policy.Refused {
			t.Errorf("%s: the walk ends with %s, %+v", name, outcome(d), steps[0])
		}
	}
}

// A verdict about the age of an authentication does not outlive it.
func TestAnAgeIsNotRemembered(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now, func(c *config.Config) { c.MaxAuthAge = time.Minute })
	req := bearing(good(t, "auth_time", at(0)))
	if got := outcome(p.Decide(req)); got != forwarded {
		t.Fatal(got)
	}
	now = now.Add(2 * time.Minute)
	if got := outcome(p.Decide(req)); got != "step_up_required" {
		t.Errorf("two minutes later: %s", got)
	}
}
