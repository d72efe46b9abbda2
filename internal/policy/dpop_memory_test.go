package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/replay"
)

// TestAProofIsTakenOnceByRoutesOfAnyLeeway: a route with a greater leeway takes
// older proofs, so the memory must not go by the leeway of the route that took
// the proof first.
func TestAProofIsTakenOnceByRoutesOfAnyLeeway(t *testing.T) {
	token := boundToken(t)
	memory := replay.NewMemory()
	now := clock
	routeOf := func(leeway time.Duration) judge {
		conf := route(func(c *config.Config) { c.DPoP, c.Leeway = config.Require, leeway })
		return must(judgeOf(conf, gate.Options{Replay: memory, Now: func() time.Time { return now }}, nil))
	}
	narrow, wide := routeOf(0), routeOf(config.MaxLeeway)
	type step struct {
		at   time.Duration // since the proof was made
		on   judge
		want string
	}
	for i, steps := range [][]step{
		{{0, narrow, forwarded}, {59 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, "dpop_failed"}, {359 * time.Second, wide, "dpop_failed"}, {361 * time.Second, wide, "dpop_failed"}},
		{{0, wide, forwarded}, {1 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, "dpop_failed"}, {359 * time.Second, wide, "dpop_failed"}},
		{{61 * time.Second, narrow, "dpop_failed"}, {61 * time.Second, wide, forwarded}, {359 * time.Second, wide, "dpop_failed"}},
	} {
		proof := proofFor(token, clientsURL, fmt.Sprint("leeway", i))
		for _, s := range steps {
			now = clock.Add(s.at)
			if got := outcome(s.on.Decide(dpopRequest("authorization", "DPoP "+token, "dpop", proof))); got != s.want {
				t.Errorf("proof %d after %v: %s, want %s", i, s.at, got, s.want)
			}
		}
	}
}

// sickMemory cannot say whether a proof is new.
type sickMemory struct{ asked int }

func (m *sickMemory) First(ctx context.Context, _ dpop.Proof, _ time.Time) (bool, error) {
	m.asked++
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return false, errors.New("away")
}

// endedRequest is one that nobody waits for any more.
type endedRequest struct{ *request }

func (endedRequest) Context() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestTheMemoryOfProofsIsAskedLast: what is bad anyway is 401 while the memory
// is away; what it alone could tell is 503, and the client may try again.
func TestTheMemoryOfProofsIsAskedLast(t *testing.T) {
	memory := &sickMemory{}
	conf := route(func(c *config.Config) { c.DPoP, c.RequiredScopes = config.Allow, []string{"read"} })
	p := must(judgeOf(conf, gate.Options{Replay: memory, Now: func() time.Time { return clock }}, nil))
	bound := boundToken(t, "scope", `"read"`)
	expired := boundToken(t, "exp", at(-time.Hour))
	otherAudience := boundToken(t, "aud", `"https://another.example/"`)
	plain := good(t, "scope", `"read"`)
	proof := proofFor(bound, clientsURL, "1")
	cut := proof[:len(proof)-8]
	badHost := dpopRequest("authorization", "DPoP "+bound, "dpop", proof)
	badHost.vars["http_host"] = "api.example?"
	sent := func(token, proof string) *request { return dpopRequest("authorization", "DPoP "+token, "dpop", proof) }
	for _, tt := range []struct {
		name   string
		req    gate.Request
		reason string
		status int
		asked  int
	}{
		{"a good proof", sent(bound, proof), "dpop_failed", 503, 1},
		{"a good proof of a request that has ended", endedRequest{sent(bound, proof)}, "dpop_failed", 503, 1},
		{"no proof", dpopRequest("authorization", "DPoP "+bound), "dpop_failed", 401, 0},
		{"two proofs", dpopRequest("authorization", "DPoP "+bound, "dpop", proof, "dpop", proof), "dpop_failed", 401, 0},
		{"a proof with a broken signature", sent(bound, cut), "dpop_failed", 401, 0},
		{"a proof for another URL", sent(bound, proofFor(bound, "https://api.example/", "2")), "dpop_failed", 401, 0},
		{"a proof for another token", sent(bound, proofFor(expired, clientsURL, "3")), "dpop_failed", 401, 0},
		{"a proof without jti", sent(bound, proofFor(bound, clientsURL, "")), "dpop_failed", 401, 0},
		{"a Host that is none", badHost, "dpop_failed", 401, 0},
		{"an expired token", sent(expired, proofFor(expired, clientsURL, "4")), "expired", 401, 0},
		{"a token for another audience", sent(otherAudience, proofFor(otherAudience, clientsURL, "5")), "bad_audience", 401, 0},
		{"a bound token as bearer", dpopRequest("authorization", "Bearer "+bound, "dpop", proof), "dpop_failed", 401, 0},
		{"a token that is not bound", bearing(plain), forwarded, 0, 0},
	} {
		memory.asked = 0
		d := p.Decide(tt.req)
		if got := outcome(d); got != tt.reason || memory.asked != tt.asked {
			t.Errorf("%s: %s, and the memory was asked %d times", tt.name, got, memory.asked)
		}
		if tt.reason == forwarded {
			continue
		}
		answer := p.route.Answer(d.Refusal())
		if answer.Status != tt.status {
			t.Errorf("%s: status %d", tt.name, answer.Status)
		}
		if tt.status != 503 {
			continue
		}
		headers := fmt.Sprint(answer.Headers)
		if !strings.Contains(headers, "{Retry-After 1}") || strings.Contains(headers, "WWW-Authenticate") ||
			!strings.Contains(string(answer.Body), `"error":"temporarily_unavailable"`) {
			t.Errorf("%s: %s %s", tt.name, headers, answer.Body)
		}
	}
}
