package policy_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// withLogin gives a route login.
func withLogin(changes ...func(*config.Config)) *config.Config {
	conf := route(changes...)
	if conf.Login == nil {
		conf.Login = &config.Login{ClientID: "web", Session: config.LoginSession{Cookie: "__Host-auth0_session"}}
	}
	return conf
}

// walk is a judgement whose evidence is given by hand.
type walk struct {
	session  policy.SessionEvidence
	asked    int // for the session
	remember *policy.Memory
	recalled bool

	decision policy.Decision
	memory   *policy.Memory
	idToken  string
}

// through judges a request.
func (w *walk) through(conf *config.Config, req policy.Request) string {
	p := policy.Compile(conf)
	var j policy.Judgement
	p.Judge(&j, req, clock)
	for {
		d, need := j.Next()
		switch need.Kind {
		case policy.NeedNothing:
			w.decision, w.idToken = d, j.IDToken()
			w.memory, _ = j.Memory()
			return outcome(d)
		case policy.NeedSession:
			w.asked++
			j.Session(w.session)
		case policy.NeedMemory:
			if w.remember != nil {
				if d, ok := j.Recall(w.remember); ok {
					w.decision, w.recalled, w.idToken = d, true, j.IDToken()
					return outcome(d)
				}
			}
			j.Unknown()
		case policy.NeedKey:
			j.Key(policy.KeyEvidence{Public: &keys().rsa.PublicKey})
		case policy.NeedVariable:
			j.Variable(need.Variable, nil, nil)
		case policy.NeedProof:
			j.Proof(policy.NotSeen, nil)
		case policy.NeedRevocation:
			j.Revocation(policy.NotRevoked)
		default:
			panic("the policy asks for what this test does not have")
		}
	}
}

// live is a session with a token.
func live(token string) policy.SessionEvidence {
	return policy.SessionEvidence{State: policy.SessionThere, Token: token}
}

func preflight() *request {
	r := get("origin", "https://app.example", "access-control-request-method", "PUT")
	r.method = http.MethodOptions
	return r
}

// TestTheRequestsOwnTokenWinsOverItsSession: nobody asks for the session then,
// whatever the token is worth; nor where there is no login, nor for a pre-flight.
func TestTheRequestsOwnTokenWinsOverItsSession(t *testing.T) {
	alice, bob := good(t), good(t, "sub", `"auth0|bob"`)
	as := func(action config.UnauthAction) func(*config.Config) {
		return func(c *config.Config) { c.UnauthAction = action }
	}
	noLogin := func(c *config.Config) { c.Login = nil }
	for _, c := range []struct {
		name    string
		change  func(*config.Config)
		req     *request
		session policy.SessionEvidence
		want    string
		asked   int
		sub     string
	}{
		{"a session alone", as(config.UnauthAuth), get(), live(bob), forwarded, 1, "auth0|bob"},
		{"a session, and unauth_action deny", as(config.UnauthDeny), get(), live(bob), forwarded, 1, "auth0|bob"},
		{"a session, and unauth_action pass", as(config.UnauthPass), get(), live(bob), forwarded, 1, "auth0|bob"},
		{"a session and a token", as(config.UnauthAuth), bearing(alice), live(bob), forwarded, 0, "auth0|alice"},
		{"a session and an expired token", as(config.UnauthAuth), bearing(good(t, "exp", at(-time.Hour))), live(bob), "expired", 0, ""},
		{"a session and a malformed token", as(config.UnauthPass), bearing("x"), live(bob), "malformed_token", 0, ""},
		{"a session and two tokens", as(config.UnauthAuth), get("authorization", "Bearer "+alice, "authorization", "Bearer "+alice), live(bob), "multiple_tokens", 0, ""},
		{"a session and another scheme", as(config.UnauthAuth), get("authorization", "Basic dTpw"), live(bob), forwarded, 1, "auth0|bob"},
		{"no session", as(config.UnauthAuth), get(), policy.SessionEvidence{}, "missing_token", 1, ""},
		{"no session, deny", as(config.UnauthDeny), get(), policy.SessionEvidence{}, "missing_token", 1, ""},
		{"no session, pass", as(config.UnauthPass), get(), policy.SessionEvidence{}, forwarded, 1, ""},
		{"a session without a token", as(config.UnauthAuth), get(), live(""), "missing_token", 1, ""},
		{"a pre-flight", as(config.UnauthAuth), preflight(), live(bob), "missing_token", 0, ""},
		{"a pre-flight that passes", func(c *config.Config) { c.BypassCORSPreflight = true }, preflight(), live(bob), forwarded, 0, ""},
		{"a pre-flight, pass", as(config.UnauthPass), preflight(), live(bob), forwarded, 0, ""},
		{"no login", noLogin, get(), live(bob), "missing_token", 0, ""},
		{"a session whose token is expired", as(config.UnauthAuth), get(), live(good(t, "exp", at(-time.Hour))), "expired", 1, ""},
		{"a session whose token is expired, pass", as(config.UnauthPass), get(), live(good(t, "exp", at(-time.Hour))), "expired", 1, ""},
		{"a session of another audience", as(config.UnauthAuth), get(), live(good(t, "aud", `"https://other/"`)), "bad_audience", 1, ""},
		{"a session of another key", as(config.UnauthAuth), get(), live(sign(t, "RS256", keys().attacker, header("RS256", "rsa"), claims())), "bad_signature", 1, ""},
		{"a session with alg none", as(config.UnauthAuth), get(), live(sign(t, "none", nil, header("none", ""), claims())), "alg_not_allowed", 1, ""},
		{"a session whose token is bound", as(config.UnauthAuth), get(), live(good(t, "cnf", `{"jkt":"x"}`)), "dpop_failed", 1, ""},
		{"a session without the scope", func(c *config.Config) { c.RequiredScopes = []string{"s"} }, get(), live(bob), "insufficient_scope", 1, ""},
		{"a session to be stepped up", func(c *config.Config) { c.RequireMFA = true }, get(), live(bob), "step_up_required", 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := withLogin(func(c *config.Config) {
				c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-User-Id", Claim: ref("sub")}}
			})
			c.change(conf)
			w := walk{session: c.session}
			if got := w.through(conf, c.req); got != c.want || w.asked != c.asked {
				t.Errorf("%s, asked %d times; want %s, %d", got, w.asked, c.want, c.asked)
			}
			edits, _ := w.decision.Forward()
			var want []identity.Header
			if c.sub != "" {
				want = []identity.Header{{Name: "X-User-Id", Value: c.sub}}
			}
			if diff := cmp.Diff(want, edits.SetHeaders); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if ofSession := c.asked == 1 && c.session.Token != ""; w.decision.OfSession() != ofSession {
				t.Errorf("of a session: %v", w.decision.OfSession())
			}
		})
	}
}

func TestWhatASessionCannotSayIsRefused(t *testing.T) {
	for _, action := range []config.UnauthAction{config.UnauthDeny, config.UnauthPass, config.UnauthAuth} {
		conf := withLogin(func(c *config.Config) { c.UnauthAction = action })
		away := walk{session: policy.SessionEvidence{State: policy.SessionUnavailable, Token: good(t), RetryAfter: 7 * time.Second, Cause: "redis"}}
		got := away.through(conf, get())
		if r := away.decision.Refusal(); got != "session_unavailable" || r.Kind != refusal.SessionUnavailable || r.RetryAfter != 7*time.Second || r.Cause != "redis" {
			t.Errorf("%d: %s, %+v", action, got, r)
		}
		other := walk{session: policy.SessionEvidence{State: policy.CrossSite, Token: good(t)}}
		if got := other.through(conf, get()); got != "cross_site_request" || other.decision.OfSession() {
			t.Errorf("%d: %s", action, got)
		}
	}
}

// TestForwardingTheAccessTokenOfASession, also where the ID token is judged.
func TestForwardingTheAccessTokenOfASession(t *testing.T) {
	conf := withLogin(func(c *config.Config) {
		c.Login = &config.Login{ForwardAccessToken: true, Session: config.LoginSession{Cookie: "sid"}}
	})
	session := live(good(t))
	session.AccessToken = "the.access.token"
	w := walk{session: session}
	req := get("authorization", "Basic dTpw", "cookie", "a=1; sid=x; __Host-auth0_txn_3=y")
	if got := w.through(conf, req); got != forwarded {
		t.Fatal(got)
	}
	edits, _ := w.decision.Forward()
	want := identity.Edits{
		DeleteHeaders: []string{"authorization", "cookie"},
		SetHeaders:    []identity.Header{{Name: "authorization", Value: "Bearer the.access.token"}, {Name: "cookie", Value: "a=1"}},
	}
	if diff := cmp.Diff(want, edits); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	own := walk{session: session}
	if got := own.through(conf, bearing(good(t))); got != forwarded {
		t.Fatal(got)
	}
	if edits, _ := own.decision.Forward(); !cmp.Equal(edits, identity.Edits{}) {
		t.Errorf("with a token of its own: %+v", edits)
	}
}

func idTokenRule(text string) func(*config.Config) {
	return func(c *config.Config) {
		c.Rules = []config.Rule{{Expression: must(rule.Compile(text)), Status: 403}}
	}
}

// TestRulesAndHeadersSeeTheIDTokenOfASession and never that of a request with a
// token of its own.
func TestRulesAndHeadersSeeTheIDTokenOfASession(t *testing.T) {
	email := func(required bool) func(*config.Config) {
		return func(c *config.Config) {
			c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-Email", Claim: ref("email"), From: identity.IDToken, Required: required}}
		}
	}
	session := live(good(t, "email", `"of the access token"`))
	session.IDToken, session.IDClaims = "raw", map[string]any{"email": "a@example.com"}
	bare := live(good(t))
	own := bearing(good(t, "email", `"of the token"`))
	for _, c := range []struct {
		name    string
		change  func(*config.Config)
		req     *request
		session policy.SessionEvidence
		want    string
	}{
		{"a rule that holds", idTokenRule(`id_token.email == "a@example.com"`), get(), session, forwarded},
		{"a rule that does not", idTokenRule(`id_token.email == "of the access token"`), get(), session, "rule_denied"},
		{"a rule, and no ID token", idTokenRule(`id_token.email == "a@example.com"`), get(), bare, "rule_denied"},
		{"a rule, and a token of its own", idTokenRule(`id_token.email != ""`), own, session, "rule_denied"},
		{"an empty map", idTokenRule(`id_token.size() == 0`), own, session, forwarded},
		{"a header", email(true), get(), session, forwarded + " a@example.com"},
		{"a header that is missing", email(false), get(), bare, forwarded},
		{"a header that is required and missing", email(true), get(), bare, "claim_header_failed"},
		{"a header, and a token of its own", email(false), own, session, forwarded},
		{"claims are the judged token's alone", func(c *config.Config) {
			c.ClaimSchema = must(rule.CompileSchema(map[string]any{"properties": map[string]any{"email": map[string]any{"const": "of the access token"}}}))
		}, get(), session, forwarded},
	} {
		w := walk{session: c.session}
		got := w.through(withLogin(c.change), c.req)
		edits, _ := w.decision.Forward()
		for _, h := range edits.SetHeaders {
			got += " " + h.Value
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestADecisionIsRememberedForOneIDToken: it names the ID token that it depends
// on, and one that reads none is the same for all.
func TestADecisionIsRememberedForOneIDToken(t *testing.T) {
	session := live(good(t))
	session.IDToken, session.IDClaims = "raw", map[string]any{"email": "a@example.com"}
	for _, c := range []struct {
		name    string
		change  func(*config.Config)
		idToken string
		memory  bool
	}{
		{"nothing reads it", idTokenRule(`claims.sub != ""`), "", true},
		{"a rule reads it", idTokenRule(`id_token.email != ""`), "raw", true},
		{"a header reads it", func(c *config.Config) {
			c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-Email", Claim: ref("email"), From: identity.IDToken}}
		}, "raw", true},
		{"a rule reads the request too", idTokenRule(`id_token.email != "" && request.method == "GET"`), "raw", false},
	} {
		conf := withLogin(c.change)
		w := walk{session: session}
		if got := w.through(conf, get()); got != forwarded || w.idToken != c.idToken || (w.memory != nil) != c.memory {
			t.Errorf("%s: %s, depends on %q, remembered %v", c.name, got, w.idToken, w.memory != nil)
		}
		if policy.Compile(conf).Remembers() != c.memory {
			t.Errorf("%s: the policy says that it remembers %v", c.name, !c.memory)
		}
		if w.memory == nil {
			continue
		}
		again := walk{session: session, remember: w.memory}
		req := get("cookie", "__Host-auth0_session=x")
		if got := again.through(conf, req); got != forwarded || !again.recalled || !again.decision.OfSession() || again.idToken != c.idToken {
			t.Errorf("%s, again: %s, recalled %v, depends on %q", c.name, got, again.recalled, again.idToken)
		}
		if edits, _ := again.decision.Forward(); fmt.Sprint(edits.DeleteHeaders) != "[cookie]" {
			t.Errorf("%s, again: %+v", c.name, edits)
		}
		own := walk{session: session}
		if own.through(conf, bearing(good(t))); own.idToken != "" {
			t.Errorf("%s: a token of its own depends on %q", c.name, own.idToken)
		}
	}
}

// TestAKnownSessionIsJudgedWithoutAllocating beside its cookies' edits.
func TestAKnownSessionIsJudgedWithoutAllocating(t *testing.T) {
	conf := withLogin()
	w := walk{session: live(good(t))}
	if got := w.through(conf, get()); got != forwarded {
		t.Fatal(got)
	}
	p, session := policy.Compile(conf), w.session
	var j policy.Judgement
	var req policy.Request = get()
	if n := testing.AllocsPerRun(100, func() {
		p.Judge(&j, req, clock)
		if _, need := j.Next(); need.Kind != policy.NeedSession {
			t.Fatal(need.Kind)
		}
		j.Session(session)
		if _, need := j.Next(); need.Kind != policy.NeedMemory {
			t.Fatal(need.Kind)
		}
		if _, ok := j.Recall(w.memory); !ok {
			t.Fatal("not recalled")
		}
		j.Release()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
