package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	issuer   = "https://issuer.example/"
	audience = "api"
)

var now = time.Unix(1_800_000_000, 0)

// document is a configuration with the keys of [forge.RSA], and more members.
func document(more string) []byte {
	keys := forge.JWKS(forge.JWK(forge.RSA(), "kid", "k"))
	return fmt.Appendf(nil, `{"issuer":%q,"audience":%q,"jwks":%s,"claim_headers":{"X-User-Id":"sub"}%s}`, issuer, audience, keys, more)
}

func token(changes ...string) string {
	return forge.Sign("RS256", forge.RSA(), forge.Header("RS256", "k"), forge.Claims(issuer, audience, now, changes...))
}

// request is a request with a bearer token, or none.
type request struct {
	token  string
	query  map[string][]string
	vars   map[string]string
	broken func() // called where the request is looked at
	cannot error  // what an edit meets
	asked  int
	edits  *identity.Edits
	value  string
}

func (r *request) Context() context.Context       { return context.Background() }
func (r *request) Method() string                 { return "GET" }
func (r *request) Path() string                   { return "/" }
func (*request) PathBytes() []byte                { return []byte("/") }
func (*request) AddResponseHeader(string, string) {}

func (*request) Body(context.Context, int) ([]byte, error) { return nil, nil }
func (r *request) IP() string                              { return "" }
func (r *request) HeadersShown() int                       { return r.NumHeader() }
func (r *request) HeaderName(int) []byte                   { return []byte("authorization") }
func (r *request) HeaderValue(int) string                  { return "Bearer " + r.token }
func (r *request) Args(name string) []string               { return r.query[name] }
func (r *request) Query() map[string][]string              { return r.query }

func (r *request) NumHeader() int {
	if r.broken != nil {
		r.broken()
	}
	if r.token == "" {
		return 0
	}
	return 1
}

func (r *request) Var(name string) ([]byte, error) {
	r.asked++
	return []byte(r.vars[name]), nil
}

func (r *request) Edit(e identity.Edits) error {
	if r.cannot == nil {
		r.edits = &e
	}
	return r.cannot
}

func newGate(t *testing.T, cache *gate.Cache) (*gate.Gate, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	g := gate.New(gate.Options{
		Cache: cache, Now: func() time.Time { return now },
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	t.Cleanup(g.Close)
	return g, &log
}

func reason(d policy.Decision) string {
	if _, forward := d.Forward(); forward {
		return "forwarded"
	}
	return d.Refusal().Kind.Reason()
}

// TestWhatIsDecidedAtOnce: no token and too many need nothing, a token is known
// once it was decided, and whatever has to be computed or asked is declined.
func TestWhatIsDecidedAtOnce(t *testing.T) {
	good, expired := token(), token("exp", "1")
	bound := token("cnf", `{"jkt":"`+forge.Thumbprint(forge.P256())+`"}`)
	for _, tt := range []struct {
		name  string
		more  string
		req   func() *request
		first string // what Known says of the first request; "" is declined
		then  string // and once Decide has decided one like it
	}{
		{"no token", ``, func() *request { return &request{} }, "missing_token", "missing_token"},
		{"no token, and that passes", `,"unauth_action":"pass"`, func() *request { return &request{} }, "forwarded", "forwarded"},
		{"a good token", ``, func() *request { return &request{token: good} }, "", "forwarded"},
		{"a good token without its scope", `,"required_scopes":["s"]`, func() *request { return &request{token: good} }, "", ""},
		{"an expired token", ``, func() *request { return &request{token: expired} }, "", ""},
		{"an opaque token", ``, func() *request { return &request{token: "x"} }, "", ""},
		{"a bound token", `,"dpop":"allow"`, func() *request { return &request{token: bound} }, "", ""},
		{"a rule about the request", `,"rules":[{"expression":"request.method == 'GET'"}]`, func() *request { return &request{token: good} }, "", ""},
		{
			"a query token that is withheld", `,"token_from":[{"query":"t"}],"forward_token":false`,
			func() *request { return &request{query: map[string][]string{"t": {good}}} }, "", "",
		},
		{"a configuration that is not valid", `,"unknown":1`, func() *request { return &request{} }, "config_invalid", "config_invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newGate(t, gate.NewCache(1<<20))
			r := g.Compile(document(tt.more))
			for _, want := range []string{tt.first, tt.then} {
				req := tt.req()
				d, decided := g.Known(r, req)
				switch {
				case decided != (want != ""), decided && reason(d) != want:
					t.Errorf("decided %v, %s, want %q", decided, reason(d), want)
				case req.asked > 0, !decided && req.edits != nil:
					t.Errorf("asked %d times, edits %v, decided %v", req.asked, req.edits, decided)
				}
				g.Decide(r, tt.req())
			}
		})
	}
}

// TestAtOnceOrNotTheVerdictIsTheSame.
func TestAtOnceOrNotTheVerdictIsTheSame(t *testing.T) {
	g, _ := newGate(t, gate.NewCache(1<<20))
	alone, _ := newGate(t, nil)
	r, uncached := g.Compile(document("")), alone.Compile(document(""))
	good := token()
	for range 3 {
		d, decided := g.Known(r, &request{token: good})
		if !decided {
			d = g.Decide(r, &request{token: good}).Decision
		}
		want, _ := alone.Decide(uncached, &request{token: good}).Forward()
		if got, forward := d.Forward(); !forward || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("decided at once %v: %+v, want %+v", decided, got, want)
		}
	}
}

// TestWhateverGoesWrongInsideDenies, is counted as refused and says nothing of
// the token.
func TestWhateverGoesWrongInsideDenies(t *testing.T) {
	good := token()
	for name, req := range map[string]*request{
		"a request that cannot be read": {token: good, broken: func() { panic("broken") }},
		"an edit that cannot be made":   {token: good, cannot: errors.New("no such edit")},
	} {
		g, log := newGate(t, gate.NewCache(1<<20))
		r := g.Compile(document(""))
		g.Decide(r, &request{token: good}) // known from here on
		if d, decided := g.Known(r, req); !decided || reason(d) != "internal_error" {
			t.Errorf("%s, at once: %v, %s", name, decided, reason(d))
		}
		if d := g.Decide(r, req).Decision; reason(d) != "internal_error" {
			t.Errorf("%s: %s", name, reason(d))
		}
		if n := g.Decisions(); n["internal_error"] != 2 || n["forwarded"] != 1 {
			t.Errorf("%s: counted %v", name, n)
		}
		if !strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), good) {
			t.Errorf("%s: the log says %s", name, log)
		}
	}
}

func TestARouteThatNobodyCompiledDenies(t *testing.T) {
	g, _ := newGate(t, nil)
	for name, r := range map[string]*gate.Route{"nil": nil, "zero": {}, "denying": gate.Deny(errors.New("not valid"))} {
		if d := g.Decide(r, &request{token: token()}).Decision; reason(d) != "config_invalid" {
			t.Errorf("%s: %s", name, reason(d))
		}
		if d, decided := g.Known(r, &request{token: token()}); !decided || reason(d) != "config_invalid" {
			t.Errorf("%s, at once: %v %s", name, decided, reason(d))
		}
		if a := r.Answer(policy.Decision{}.Refusal()); a.Status != 500 {
			t.Errorf("%s answers %d", name, a.Status)
		}
	}
}

// TestARouteWhoseSecretIsNotThereYetIsReadAgain, and one with a mistake is not.
func TestARouteWhoseSecretIsNotThereYetIsReadAgain(t *testing.T) {
	g, _ := newGate(t, nil)
	file := filepath.Join(t.TempDir(), "secret")
	hmac := func(more string) []byte {
		return fmt.Appendf(nil, `{"issuer":%q,"audience":"api","algorithms":["HS256"],"client_secret":"$file://%s"%s}`, issuer, file, more)
	}
	for _, document := range [][]byte{document(""), document(`,"unknown":1`), hmac(`,"unknown":1`)} {
		if again := g.Compile(document).RetryAfter(); again != 0 {
			t.Errorf("%s is read again after %v", document, again)
		}
	}
	if r := g.Compile(hmac("")); r.Err() == nil || r.RetryAfter() <= 0 {
		t.Errorf("%v, read again after %v", r.Err(), r.RetryAfter())
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := g.Compile(hmac("")); r.Err() != nil || r.RetryAfter() != 0 {
		t.Errorf("%v, read again after %v", r.Err(), r.RetryAfter())
	}
}

// TestExplainRemembersNothing: it makes every check, also for a known token, and
// leaves nothing that a later request could be decided by.
func TestExplainRemembersNothing(t *testing.T) {
	g, _ := newGate(t, gate.NewCache(1<<20))
	r := g.Compile(document(""))
	good := token()
	for range 2 {
		d, steps := g.Explain(r, &request{token: good})
		if reason(d) != "forwarded" || steps[len(steps)-1].Outcome != policy.Passed {
			t.Errorf("%s, %+v", reason(d), steps[len(steps)-1])
		}
		if _, decided := g.Known(r, &request{token: good}); decided {
			t.Error("explaining a request decided the next one")
		}
	}
	if n := g.Decisions()["forwarded"]; n != 0 {
		t.Errorf("explained requests are counted: %d", n)
	}
}

func TestAKnownTokenIsDecidedWithoutAllocating(t *testing.T) {
	g, _ := newGate(t, gate.NewCache(1<<20))
	r := g.Compile(document(""))
	req := &silent{request{token: token()}}
	value := "Bearer " + req.token
	req.value = value
	g.Decide(r, req)
	if n := testing.AllocsPerRun(100, func() { g.Known(r, req) }); n > 0 && !underRace {
		t.Errorf("%v allocations", n)
	}
}

// silent allocates nothing itself.
type silent struct{ request }

func (*silent) HeaderName(int) []byte     { return authorization }
func (s *silent) HeaderValue(int) string  { return s.value }
func (*silent) Edit(identity.Edits) error { return nil }

var authorization = []byte("authorization")
