package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var dpopKey = forge.OtherP256

// boundToken is bound to dpopKey.
func boundToken(t *testing.T, changes ...string) string {
	return good(t, append([]string{"cnf", `{"jkt":"` + jwk.Thumbprint(dpopKey().Public()) + `"}`}, changes...)...)
}

// proofFor is a proof of dpopKey for a GET of htu, with its jti.
func proofFor(token, htu, jti string) string {
	return forge.Proof{Key: dpopKey(), Method: "GET", URL: htu, Token: token, ID: jti, At: clock}.String()
}

const clientsURL = "https://api.example/orders/7"

// dpopRequest is what a client of clientsURL sends.
func dpopRequest(headers ...string) *request {
	r := get(headers...)
	r.vars = shownBy("/orders/7?page=2", "api.example", "api.example")
	return r
}

// TestDPoP is RFC 9449 section 7 and the first and the last check of section
// 4.3; the others are held by the package dpop.
func TestDPoP(t *testing.T) {
	bound, plain := boundToken(t), good(t)
	proof := func(jti string) string { return proofFor(bound, clientsURL, jti) }
	const failed, badProof = "invalid_token", "invalid_dpop_proof"
	for name, tt := range map[string]struct {
		mode    config.Mode
		headers []string
		want    string // the error code, or forwarded
	}{
		"bound, with its proof":                 {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", proof("a")}, forwarded},
		"required: bound, with its proof":       {config.Require, []string{"authorization", "DPoP " + bound, "dpop", proof("b")}, forwarded},
		"the scheme in any letter case":         {config.Require, []string{"authorization", "dpop " + bound, "DPoP", proof("c")}, forwarded},
		"off: bound, as bearer":                 {config.Off, []string{"authorization", "Bearer " + bound}, failed},
		"off: bound, as bearer with a proof":    {config.Off, []string{"authorization", "Bearer " + bound, "dpop", proof("d")}, failed},
		"off: the scheme DPoP is no token":      {config.Off, []string{"authorization", "DPoP " + bound, "dpop", proof("e")}, "missing_token"},
		"bound, as bearer (section 7.2)":        {config.Allow, []string{"authorization", "Bearer " + bound}, failed},
		"bound, as bearer with a proof":         {config.Allow, []string{"authorization", "Bearer " + bound, "dpop", proof("f")}, failed},
		"allowed: a bearer token":               {config.Allow, []string{"authorization", "Bearer " + plain}, forwarded},
		"required: a bearer token":              {config.Require, []string{"authorization", "Bearer " + plain}, failed},
		"not bound, with the scheme DPoP (7.1)": {config.Allow, []string{"authorization", "DPoP " + plain, "dpop", proof("g")}, failed},
		"no proof":                              {config.Allow, []string{"authorization", "DPoP " + bound}, badProof},
		"two proofs (check 1)":                  {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", proof("h"), "DPoP", proof("i")}, badProof},
		"two proofs in one header":              {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", proof("j") + ", " + proof("k")}, badProof},
		"an empty proof":                        {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", ""}, badProof},
		"a proof for another URL":               {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", proofFor(bound, "https://api.example/other", "l")}, badProof},
		"a proof for another token":             {config.Allow, []string{"authorization", "DPoP " + bound, "dpop", proofFor(plain, clientsURL, "m")}, badProof},
		"two tokens by two schemes":             {config.Allow, []string{"authorization", "DPoP " + bound, "authorization", "Bearer " + plain, "dpop", proof("n")}, "invalid_request"},
		"the X-Forwarded headers do not count":  {config.Allow, []string{"authorization", "DPoP " + bound, "x-forwarded-host", "evil.example", "x-forwarded-proto", "http", "dpop", proofFor(bound, "http://evil.example/orders/7", "o")}, badProof},
	} {
		p := compile(t, route(func(c *config.Config) { c.DPoP = tt.mode }))
		d := p.Decide(dpopRequest(tt.headers...))
		if _, forward := d.Forward(); forward {
			if tt.want != forwarded {
				t.Errorf("%s: forwarded", name)
			}
			continue
		}
		r := d.Refusal()
		answer := p.route.Answer(r)
		if !strings.Contains(string(answer.Body), `"error":"`+tt.want+`"`) {
			t.Errorf("%s: %d %s (%s)", name, answer.Status, answer.Body, r.Cause)
		}
		challenge := answer.Headers[1].Value
		asked := tt.mode == config.Require || tt.mode == config.Allow && strings.HasPrefix(strings.ToLower(tt.headers[1]), "dpop ")
		if answer.Status == 401 && asked && !strings.HasPrefix(challenge, "DPoP ") {
			t.Errorf("%s: challenge %s", name, challenge)
		}
		if strings.Contains(challenge+string(answer.Body)+r.Cause, "/orders") {
			t.Errorf("%s: the answer repeats the request: %s", name, challenge)
		}
	}
}

func TestAProofIsTakenOnce(t *testing.T) {
	token := boundToken(t)
	p := compile(t, route(func(c *config.Config) { c.DPoP = config.Require }))
	req := func(jti string) *request {
		return dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, clientsURL, jti))
	}
	for _, step := range []struct{ jti, want string }{{"1", forwarded}, {"1", "dpop_failed"}, {"2", forwarded}, {"1", "dpop_failed"}} {
		if got := outcome(p.Decide(req(step.jti))); got != step.want {
			t.Errorf("jti %s: %s, want %s", step.jti, got, step.want)
		}
	}
}

func TestTheGatewayIsAskedOnlyForBoundTokens(t *testing.T) {
	token := boundToken(t)
	for _, tt := range []struct {
		name  string
		base  string
		req   *request
		asked []string
		want  string
	}{
		{"bound", "", dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, clientsURL, "1")), []string{"real_request_uri", "scheme", "http_host", "host"}, forwarded},
		{"bound, with a public base URL", "https://public.example", dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, "https://public.example/orders/7", "2")), []string{"real_request_uri"}, forwarded},
		{"not bound", "", dpopRequest("authorization", "Bearer "+good(t)), nil, forwarded},
		{"no proof", "", dpopRequest("authorization", "DPoP "+token), nil, "dpop_failed"},
		{"the gateway does not answer", "", get("authorization", "DPoP "+token, "dpop", proofFor(token, clientsURL, "3")), []string{"real_request_uri"}, "internal_error"},
	} {
		p := compile(t, route(func(c *config.Config) { c.DPoP, c.DPoPBaseURL = config.Allow, tt.base }))
		if got := outcome(p.Decide(tt.req)); got != tt.want || !slices.Equal(tt.req.asked, tt.asked) {
			t.Errorf("%s: %s, asked %v", tt.name, got, tt.req.asked)
		}
	}
}
