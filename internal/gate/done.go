package gate

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// Decided is one decision, for whoever traces them. It holds nothing of the
// token.
type Decided struct {
	Begin time.Time
	Took  time.Duration
	Route string // as the log names it
	// Reason is "forwarded", or why not; Status is that of the refusal, or 0.
	Reason string
	Status int
	// Traceparent is the client's, as it came (W3C Trace Context); "" where there
	// is none.
	Traceparent string
}

// done makes the edits of a decision to forward, and records what came of it.
func (g *Gate) done(r *Route, w *work, req Request, d policy.Decision) policy.Decision {
	if edits, forward := d.Forward(); forward {
		if err := req.Edit(edits); err != nil {
			d = policy.Refuse(refusal.Refusal{Kind: refusal.Internal, Cause: err.Error()})
		}
	}
	g.record(r, w, req, d)
	return d
}

// record counts and times a decision, says in the log what an operator should
// know, and hands it to who traces.
func (g *Gate) record(r *Route, w *work, req Request, d policy.Decision) {
	of, made := g.records.record(r), g.spanFrom(w.Now())
	for _, i := range d.Reports() {
		of.reports[min(i, maxRules-1)].Add(1)
		g.logReport(of, i, made.end)
	}
	if _, forward := d.Forward(); forward {
		of.forwarded.add(1)
		g.ended(of, req, made, string(Forwarded), 0)
		return
	}
	refused := d.Refusal()
	of.refused[slot(refused.Kind)].Add(1)
	g.logRefused(of, req, &w.Judgement, refused, made.end)
	g.ended(of, req, made, refused.Kind.Reason(), refused.HTTPStatus())
}

// span is from when to when a decision was made. The clock is read once for the
// log and the duration: on some machines that is a call of the kernel.
type span struct {
	begin, end time.Time
	took       time.Duration
}

// spanFrom is from then to now.
func (g *Gate) spanFrom(begin time.Time) span {
	took := g.since(begin)
	return span{begin, begin.Add(took), took}
}

// recordAnswer is record for an answer of login's.
func (g *Gate) recordAnswer(r *Route, req Request, a login.Answer, begin time.Time) {
	of, made := g.records.record(r), g.spanFrom(begin)
	for i, reason := range reasons {
		if reason == a.Reason {
			of.answers[i].Add(1)
			g.logAnswer(of, req, a, &of.limits.answers[i], made.end)
		}
	}
	g.ended(of, req, made, a.Reason, a.Status)
}

// ended times what has ended, and hands it to who traces.
func (g *Gate) ended(of *routeRecords, req Request, made span, reason string, status int) {
	g.records.histogram(outcomeOf(status)).Observe(made.took)
	if g.opt.Trace != nil {
		g.opt.Trace(Decided{Begin: made.begin, Took: made.took, Route: of.label, Reason: reason, Status: status, Traceparent: header(req, "traceparent")})
	}
}

// recordPanic is record where nothing of the request can be relied on.
func (g *Gate) recordPanic(r *Route, d policy.Decision) {
	of := g.records.record(r)
	of.refused[slot(d.Refusal().Kind)].Add(1)
	g.logRefused(of, nil, nil, d.Refusal(), g.opt.Now())
}

// header is the first header of a name; "" where there is none.
func header(req Request, name string) string {
	for i := range req.NumHeader() {
		if string(req.HeaderName(i)) == name {
			return req.HeaderValue(i)
		}
	}
	return ""
}

// whyUnavailable says in the log why an issuer's keys are not there.
func whyUnavailable(e *jwks.UnavailableError) string {
	if e.Last == "" {
		return "the issuer's keys were not fetched yet"
	}
	return "the last fetch of the issuer's keys failed: " + e.Last
}
