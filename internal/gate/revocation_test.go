package gate_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
)

func revoking(t *testing.T, opt revocation.Options, strict gate.Options) *gate.Gate {
	t.Helper()
	opt.Logger = slog.New(slog.DiscardHandler)
	opt.Now = func() time.Time { return now }
	strict.Now, strict.Logger, strict.Cache, strict.Revocations = opt.Now, opt.Logger, gate.NewCache(1<<20), revocation.Open(opt)
	g := gate.New(strict)
	t.Cleanup(g.Close)
	return g
}

// TestARevokedTokenStopsColdAndKnown: a decision that is remembered ends with
// the revocation, and comes back with its being taken back.
func TestARevokedTokenStopsColdAndKnown(t *testing.T) {
	g := revoking(t, revocation.Options{}, gate.Options{})
	r := g.Compile(document(""))
	known, other := token("jti", `"j1"`), token("jti", `"j2"`)
	for _, raw := range []string{known, other} {
		if got := reason(g.Decide(r, &request{token: raw}).Decision); got != "forwarded" {
			t.Fatal(got)
		}
	}
	tok := known
	e, err := g.Revocations().Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Kind: revocation.JTI, Value: "j1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, decided := g.Known(r, &request{token: tok}); decided {
		t.Error("the remembered decision stands")
	}
	if got := reason(g.Decide(r, &request{token: tok}).Decision); got != "revoked" {
		t.Errorf("cold: %s", got)
	}
	for range 2 { // the first look-up notes that there is nothing new
		if d, decided := g.Known(r, &request{token: other}); !decided || reason(d) != "forwarded" {
			t.Errorf("another token: %s, decided %v", reason(d), decided)
		}
	}
	if _, err := g.Revocations().TakeBack(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if got := reason(g.Decide(r, &request{token: tok}).Decision); got != "forwarded" {
		t.Errorf("taken back: %s", got)
	}
}

// TestARevokedTokenIsUnknownWhereNobodyCanHear: without the operator's word for
// it requests are judged by what is known, with it they are denied.
func TestARevokedTokenIsUnknownWhereNobodyCanHear(t *testing.T) {
	for strict, want := range map[bool]string{false: "forwarded", true: "revocations_unavailable"} {
		g := revoking(t, revocation.Options{Redis: redis.Unavailable(errors.New("away"))}, gate.Options{RevocationsStrict: strict})
		r := g.Compile(document(""))
		for range 2 {
			if got := reason(g.Decide(r, &request{token: token()}).Decision); got != want {
				t.Errorf("strict %v: %s", strict, got)
			}
		}
		if _, decided := g.Known(r, &request{token: token()}); decided == strict {
			t.Errorf("strict %v: decided at once: %v", strict, decided)
		}
	}
}
