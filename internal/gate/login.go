package gate

import (
	"net/http"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	sessionRetry = 5 * time.Second // after which a session that nobody could look up is asked for again
	// justBegun is how long after its login a session whose token is not good is
	// not sent to log in again by itself: the issuer would send it straight
	// back, and the browser would go round and round.
	justBegun = 10 * time.Second
)

// work is one request on its way through the gate.
type work struct {
	policy.Judgement
	lines []string // of the header Cookie

	session    *session.Session // of the request, where the policy asked for it
	asked      bool             // for it, and session is the answer
	setCookies []string
	failure    error // of the session
	stays      bool  // the browser has just logged in and is not sent to do it again
}

// release lets go of the request.
func (w *work) release() {
	clear(w.lines[:cap(w.lines)])
	lines := w.lines[:0]
	w.Judgement.Release()
	*w = work{Judgement: w.Judgement, lines: lines}
}

// cookieLines are the lines of the request's Cookie header.
func (w *work) cookieLines(req Request) []string {
	w.lines = w.lines[:0]
	for i := range req.NumHeader() {
		if fold.Equal(req.HeaderName(i), "cookie") {
			w.lines = append(w.lines, req.HeaderValue(i))
		}
	}
	return w.lines
}

// take notes what the request's cookies came to. What is set later takes the
// place of what would have been set before: both are the same cookies.
func (w *work) take(found login.Found, err error) {
	w.session, w.asked, w.failure = found.Session, true, err
	if len(found.SetCookies) > 0 {
		w.setCookies = found.SetCookies
	}
}

// begun is when the session whose token is judged began, in Unix milliseconds; 0
// where it is the request's own token.
func (w *work) begun() int64 {
	if w.session == nil {
		return 0
	}
	return w.session.Begun.UnixMilli()
}

// evidence is what the policy is told of a session that was found.
func (g *Gate) evidence(r *Route, s *session.Session) policy.SessionEvidence {
	e := policy.SessionEvidence{State: policy.SessionThere, Token: s.AccessToken, IDToken: s.IDToken}
	if r.login.JudgeIDToken {
		e.Token = s.IDToken
	}
	if r.login.ForwardAccessToken {
		e.AccessToken = s.AccessToken
	}
	return e
}

// knownSession gives the policy the request's session, if that is known at once
// and nothing has to be done about it: no refresh, no cookie, no page.
func (g *Gate) knownSession(r *Route, req Request, w *work) bool {
	s, known := r.flow.sessions.Known(w.cookieLines(req), w.Now())
	switch {
	case !known:
		return false
	case s == nil:
		w.Session(policy.SessionEvidence{})
		return true
	case !r.flow.Settled(s, w.Now()) || r.flow.CrossSite(req):
		return false
	}
	w.session = s
	w.Session(g.evidence(r, s)) // without the claims: only a remembered decision is taken
	return true
}

// session answers the policy's question for the request's session.
func (g *Gate) session(r *Route, req Request, w *work) policy.SessionEvidence {
	if r.flow == nil {
		return policy.SessionEvidence{}
	}
	if !w.asked {
		w.take(r.flow.Session(req.Context(), req, w.Now()))
		if cause := w.failure; cause != nil {
			return policy.SessionEvidence{State: policy.SessionUnavailable, RetryAfter: sessionRetry, Cause: cause.Error()}
		}
	}
	switch {
	case w.session == nil:
		return policy.SessionEvidence{}
	case r.flow.CrossSite(req):
		return policy.SessionEvidence{State: policy.CrossSite}
	}
	e := g.evidence(r, w.session)
	if r.readsIDToken && e.IDToken != "" {
		e.IDClaims = g.idClaims(e.IDToken)
	}
	return e
}

// withLogin decides a request of a route with login.
func (g *Gate) withLogin(r *Route, req Request, w *work) Verdict {
	g.awaitRevocations(req)
	now := g.opt.Now()
	if req.HeadersShown() < policy.MaxHeadersShown && r.flow.OwnBytes(req.PathBytes()) {
		a := r.flow.Serve(req.Context(), req, now)
		if req.Path() == r.login.CallbackPath {
			g.logins.returned(a)
		}
		return g.answered(a)
	}
	d := g.judge(r, req, w, now)
	if s := w.session; s != nil && notGood(d) {
		first := d
		d = g.renew(r, req, w, now)
		if d.Refusal().Kind == refusal.MissingToken && now.Sub(s.Begun) < justBegun && mayLogIn(r, req) {
			d, w.stays = first, true
		}
	}
	return g.reply(r, req, w, d, now)
}

// notGood reports whether a decision says that the token of the request's
// session is not good, which is not that it may not.
func notGood(d policy.Decision) bool {
	if _, forward := d.Forward(); forward {
		return false
	}
	kind := d.Refusal().Kind
	return kind == refusal.MissingToken || d.OfSession() && kind.Status() == http.StatusUnauthorized && kind != refusal.StepUpRequired
}

// renew judges anew with what the issuer gives for a session whose token is not
// good, and without a session where that is nothing better.
func (g *Gate) renew(r *Route, req Request, w *work, now time.Time) policy.Decision {
	w.take(r.flow.Renew(req.Context(), req, w.session, now))
	if w.failure != nil {
		return policy.Refuse(refusal.Refusal{Kind: refusal.SessionUnavailable, RetryAfter: sessionRetry, Cause: w.failure.Error()})
	}
	d := g.judge(r, req, w, now)
	if w.session == nil || !notGood(d) {
		return d
	}
	w.take(r.flow.End(req.Context(), req, w.session), nil)
	return g.judge(r, req, w, now)
}

// mayLogIn reports whether a request without a session is sent to log in.
func mayLogIn(r *Route, req Request) bool { return r.sendsToLogin && login.Navigation(req) }

// reply makes of a decision what the client or the upstream gets.
func (g *Gate) reply(r *Route, req Request, w *work, d policy.Decision, now time.Time) Verdict {
	if edits, forward := d.Forward(); forward {
		if err := req.Edit(edits); err == nil {
			for _, c := range w.setCookies {
				req.AddResponseHeader("Set-Cookie", c)
			}
			if len(w.setCookies) > 0 {
				req.AddResponseHeader("Cache-Control", "no-store")
			}
			g.count(d)
			return Verdict{Decision: d}
		} else {
			d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: err.Error()})
		}
	}
	if a, own := g.loginInstead(r, req, w, d, now); own {
		return g.answered(a.WithCookies(w.setCookies))
	}
	refused := d.Refusal()
	a := r.Answer(refused)
	if ofSession := d.OfSession() || w.stays; ofSession && login.AcceptsHTML(req) {
		page := refused.Page()
		if refused.Kind == refusal.StepUpRequired { // the login that was asked for came back without it
			a.Status, page.Title = http.StatusForbidden, http.StatusText(http.StatusForbidden)
		}
		a = login.AsPage(a, page.Title, page.Description)
	}
	g.count(d)
	if len(w.setCookies) == 0 && !d.OfSession() {
		return Verdict{Decision: d}
	}
	own := login.Answer{Answer: a, Reason: refused.Kind.Reason()}.WithCookies(w.setCookies)
	return Verdict{Decision: d, own: &own}
}

// loginInstead is login's answer in place of a refusal, where there is one.
func (g *Gate) loginInstead(r *Route, req Request, w *work, d policy.Decision, now time.Time) (login.Answer, bool) {
	switch refused := d.Refusal(); {
	case w.failure != nil:
		return r.flow.Failure(req, w.failure), true
	case refused.Kind == refusal.MissingToken && mayLogIn(r, req) && !w.stays:
		return r.flow.Redirect(req.Context(), req, rawURI(req), now), true
	case refused.Kind == refusal.StepUpRequired && d.OfSession() && login.Navigation(req):
		ask := login.StepUp{ACRValues: refused.ACRValues, MaxAge: refused.MaxAge}
		return r.flow.StepUp(req.Context(), req, w.session, ask, rawURI(req), now)
	case refused.Kind == refusal.CrossSiteRequest && login.AcceptsHTML(req):
		return r.flow.RefuseCrossSite(req), true
	}
	return login.Answer{}, false
}

// rawURI is the path and query that the client asked for, as it wrote them.
func rawURI(req Request) string {
	for _, name := range []string{"real_request_uri", "request_uri"} {
		if value, err := req.Var(name); err == nil && len(value) > 0 {
			return string(value)
		}
	}
	return "/"
}

// answered counts an answer of login's.
func (g *Gate) answered(a login.Answer) Verdict {
	g.logins.answered(a)
	g.opt.Logger.Debug("answered by login", "reason", a.Reason, "status", a.Status, "cause", a.Cause)
	return Verdict{own: &a}
}
