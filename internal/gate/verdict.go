package gate

import (
	"errors"
	"sync/atomic"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// Verdict is what comes of one request: a decision of the policy, or an answer
// of login's. The zero Verdict is a refusal.
type Verdict struct {
	policy.Decision
	own *login.Answer // in place of the decision's
}

// Answer is what the client gets; false is that the request is forwarded. A
// header may stand in it several times, as Set-Cookie does.
func (v Verdict) Answer(r *Route) (refusal.Answer, bool) {
	if v.own != nil {
		return v.own.Answer, true
	}
	if _, forward := v.Forward(); forward {
		return refusal.Answer{}, false
	}
	return r.Answer(v.Refusal()), true
}

// Reason is the label of the verdict in metrics and logs.
func (v Verdict) Reason() string {
	if v.own != nil {
		return v.own.Reason
	}
	if _, forward := v.Forward(); forward {
		return "forwarded"
	}
	return v.Refusal().Kind.Reason()
}

// reasons are those of login's own answers.
var reasons = [...]string{
	login.ReasonRedirect, login.ReasonCompleted, login.ReasonFailed, login.ReasonLogout, login.ReasonBackchannel,
	login.ReasonBackchannelFailed, login.ReasonCrossSite, login.ReasonUnavailable,
}

// logins are what a gate counts of logins and sessions.
type logins struct {
	answers                        [len(reasons)]atomic.Uint64
	completed, failed, unavailable atomic.Uint64 // callbacks
	refreshed                      atomic.Uint64
	storeDown                      atomic.Bool
}

// answered counts an answer of login's.
func (l *logins) answered(a login.Answer) {
	for i, reason := range reasons {
		if reason == a.Reason {
			l.answers[i].Add(1)
		}
	}
}

// returned counts what came of a callback. One that finds the browser logged in
// already, after the back button, is no login.
func (l *logins) returned(a login.Answer) {
	switch {
	case a.Reason == login.ReasonCompleted && a.Cause == "":
		l.completed.Add(1)
	case a.Reason == login.ReasonFailed:
		l.failed.Add(1)
	case a.Reason == login.ReasonUnavailable:
		l.unavailable.Add(1)
	}
}

// Logins counts the logins that came back from the issuer, by what came of
// them: completed, failed or unavailable.
func (g *Gate) Logins() map[string]uint64 {
	return map[string]uint64{
		"completed": g.logins.completed.Load(), "failed": g.logins.failed.Load(), "unavailable": g.logins.unavailable.Load(),
	}
}

// SessionsRefreshed is how often the issuer gave new tokens for a session.
func (g *Gate) SessionsRefreshed() uint64 { return g.logins.refreshed.Load() }

// SessionStoreUp reports whether the Redis of sessions answered when it was last
// asked. It is true where sessions stand in cookies.
func (g *Gate) SessionStoreUp() bool { return !g.logins.storeDown.Load() }

func isUnavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }
