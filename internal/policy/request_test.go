package policy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// request is one request as APISIX would show it.
type request struct {
	ctx     context.Context // nil is Background
	method  string
	headers [][2]string
	args    map[string][]string
	vars    map[string]string
	asked   []string // the variables asked for
}

func (r *request) Context() context.Context {
	if r.ctx != nil {
		return r.ctx
	}
	return context.Background()
}
func (r *request) Method() string                 { return r.method }
func (r *request) HeadersShown() int              { return len(r.headers) }
func (r *request) NumHeader() int                 { return len(r.headers) }
func (r *request) HeaderName(i int) []byte        { return []byte(r.headers[i][0]) }
func (r *request) HeaderValue(i int) string       { return r.headers[i][1] }
func (r *request) Args(name string) []string      { return r.args[name] }
func (r *request) Query() map[string][]string     { return r.args }
func (*request) Path() string                     { return "/orders/7" }
func (*request) PathBytes() []byte                { return []byte("/orders/7") }
func (*request) AddResponseHeader(string, string) {}

func (*request) Body(context.Context, int) ([]byte, error) { return nil, nil }
func (*request) IP() string                                { return "10.1.2.3" }

func (*request) Edit(identity.Edits) error { return nil }

func (r *request) Var(name string) ([]byte, error) {
	r.asked = append(r.asked, name)
	value, ok := r.vars[name]
	if !ok {
		return nil, errors.New("the gateway is gone")
	}
	return []byte(value), nil
}

// get is a GET with these headers, in pairs of name and value.
func get(headers ...string) *request {
	r := &request{method: "GET"}
	for i := 0; i < len(headers); i += 2 {
		r.headers = append(r.headers, [2]string{headers[i], headers[i+1]})
	}
	return r
}

// bearing is a GET with a bearer token.
func bearing(token string) *request { return get("authorization", "Bearer "+token) }

var allAsymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// route is the configuration most tests start from: the tenant, its API, and
// every asymmetric algorithm.
func route(changes ...func(*config.Config)) *config.Config {
	conf := &config.Config{
		Issuers: []config.Issuer{{
			Issuer: tenant, JWKS: tenantSet(), Audience: []string{api}, Algorithms: allAsymmetric, SSLVerify: true,
		}},
		Leeway:       30 * time.Second,
		TokenFrom:    []token.Source{{Kind: token.Header, Name: "authorization", Scheme: "Bearer"}},
		ForwardToken: true,
		Realm:        config.DefaultRealm,
	}
	for _, change := range changes {
		change(conf)
	}
	return conf
}

// judge decides by a route, with the evidence that a gate has.
type judge struct {
	gate  *gate.Gate
	route *gate.Route
}

// Decide is the gate's decision. What it decides at once it must decide alike.
func (j judge) Decide(req gate.Request) policy.Decision {
	if d, decided := j.gate.Known(j.route, req); decided {
		return d
	}
	return j.gate.Decide(j.route, req).Decision
}

func (j judge) Walk(req gate.Request) (policy.Decision, []policy.Step) {
	return j.gate.Explain(j.route, req)
}

// denying is a judge of a route whose configuration is not valid.
func denying(why error) judge { return judge{gate.New(gate.Options{}), gate.Deny(why)} }

func compile(t testing.TB, conf *config.Config) judge {
	t.Helper()
	return compileWith(t, conf, nil)
}

// sharedCache is that of all routes here, so that every test is one of it.
var sharedCache = gate.NewCache(1 << 20)

func compileWith(t testing.TB, conf *config.Config, keysOf gate.KeysOf) judge {
	t.Helper()
	return must(judgeOf(conf, gate.Options{Cache: sharedCache, Now: func() time.Time { return clock }}, keysOf))
}

func judgeOf(conf *config.Config, opt gate.Options, keysOf gate.KeysOf) (judge, error) {
	g := gate.New(opt)
	r, err := g.Route(conf, keysOf)
	return judge{g, r}, err
}

// forwarded is the outcome of a request that is not refused.
const forwarded = "forwarded"

// outcome is a decision's reason, or forwarded.
func outcome(d policy.Decision) string {
	if _, forward := d.Forward(); forward {
		return forwarded
	}
	return d.Refusal().Kind.Reason()
}

// reason is what outcome says of a refusal of that kind.
func reason(kind refusal.Kind) string { return kind.Reason() }
