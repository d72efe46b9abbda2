package policy

import (
	"strings"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// subject is one request while it is judged: what the checks so far found out.
type subject struct {
	req   Request
	now   time.Time
	trace *[]Step // nil unless somebody wants to see the walk

	found   token.Found
	looked  bool // for the token; lookErr is what came of it
	lookErr error
	letPass bool // the request is forwarded without a token

	tok    *token.Untrusted // untrusted until the stage Prove is over
	before *verified        // what is remembered of the token, or nil
	issuer *issuer
	proven bool // before still holds: neither key nor signature is needed
	key    jwks.Key
	keyErr error
	proof  proof // what the standing of the token depends on from now on

	set     []identity.Header
	reports []int
}

// subjects are used again: a decision keeps nothing of one, and a known token
// costs no memory.
var subjects = sync.Pool{New: func() any { return &subject{} }}

func (s *subject) release() {
	*s = subject{}
	subjects.Put(s)
}

// unconfigured is the walk of a policy without configuration: it ends at once.
var unconfigured = []*Check{&Checks[0]}

func (p *Policy) stage(stage Stage) []*Check {
	if p.conf == nil {
		return unconfigured
	}
	return p.checks[stage]
}

// walk runs the checks of one stage, and reports whether that ended the walk
// with a decision.
func (p *Policy) walk(s *subject, stage Stage) (d Decision, ended bool) {
	for _, c := range p.stage(stage) {
		r := c.run(p, s)
		if s.trace != nil {
			*s.trace = append(*s.trace, stepOf(c, s, r))
		}
		switch {
		case r != nil:
			r.DPoP = p.conf != nil && p.conf.DPoP != config.Off && s.byDPoP()
			return Decision{refusal: *r, reports: s.reports}, true
		case s.letPass:
			return Decision{forward: true, edits: p.plan.Anonymous(s.req)}, true
		}
	}
	return Decision{}, false
}

// Outcome is how a check ended.
type Outcome uint8

// The outcomes.
const (
	NotReached Outcome = iota // an earlier check answered
	NotAsked                  // the configuration does not ask for it
	Passed
	LetPass // the request is forwarded without a token
	Refused
)

// Step is one check of a walk.
type Step struct {
	Check   *Check
	Outcome Outcome
	Refusal refusal.Refusal // where Outcome is Refused
}

func stepOf(c *Check, s *subject, r *refusal.Refusal) Step {
	switch {
	case r != nil:
		return Step{c, Refused, *r}
	case s.letPass:
		return Step{Check: c, Outcome: LetPass}
	}
	return Step{Check: c, Outcome: Passed}
}

// Walk is [Policy.Decide] with every check and its outcome, in the order of
// [Checks]. It remembers nothing and looks nothing remembered up, so that every
// check that is asked for is made.
func (p *Policy) Walk(req Request) (Decision, []Step) {
	var walked []Step
	alone := *p
	alone.cache = nil
	d := alone.decide(&subject{req: req, now: alone.clock(), trace: &walked})
	steps := make([]Step, len(Checks))
	for i := range Checks {
		c := &Checks[i]
		steps[i] = Step{Check: c}
		if p.conf != nil && c.Asked != nil && !c.Asked(p.conf) {
			steps[i].Outcome = NotAsked
		}
		for _, w := range walked {
			if w.Check == c {
				steps[i] = w
			}
		}
	}
	return d, steps
}

func (p *Policy) clock() time.Time {
	if p.now == nil {
		return time.Now()
	}
	return p.now()
}

// byDPoP reports whether the token came with the scheme DPoP (RFC 9449 section
// 7.1).
func (s *subject) byDPoP() bool { return strings.EqualFold(s.found.Source.Scheme, dpopScheme) }

// look finds the request's token, once.
func (s *subject) look(sources []token.Source) {
	if !s.looked {
		s.looked = true
		s.found, s.lookErr = token.Extract(sources, s.req)
	}
}

func (p *Policy) checkConfiguration(*subject) *refusal.Refusal {
	if p.conf == nil {
		return because(refusal.ConfigInvalid, nil)
	}
	return nil
}

// MaxHeadersShown is how many header entries APISIX shows a plugin; from there
// on it hides the rest (ngx.req.get_headers in apisix/core/request.lua).
const MaxHeadersShown = 100

func (p *Policy) checkHeaderCount(s *subject) *refusal.Refusal {
	if s.req.HeadersShown() >= MaxHeadersShown {
		return because(refusal.TooManyHeaders, nil)
	}
	return nil
}

// passPreflight lets a CORS pre-flight without any token pass.
func (p *Policy) passPreflight(s *subject) *refusal.Refusal {
	s.look(p.sources)
	s.letPass = s.lookErr == nil && s.found.Raw == "" && isPreflight(s.req)
	return nil
}

// isPreflight recognises a CORS pre-flight (Fetch standard, "CORS-preflight
// request") by its method and both headers.
func isPreflight(req Request) bool {
	var origin, method bool
	for i := range req.NumHeader() {
		name := req.HeaderName(i)
		origin = origin || fold.Equal(name, "Origin")
		method = method || fold.Equal(name, "Access-Control-Request-Method")
	}
	return req.Method() == "OPTIONS" && origin && method
}

func (p *Policy) checkOneToken(s *subject) *refusal.Refusal {
	s.look(p.sources)
	switch s.lookErr {
	case nil:
		return nil
	case token.ErrUnclear:
		return &refusal.Refusal{
			Kind:        refusal.MultipleTokens,
			Description: "the token's header must be its scheme, one space and the token, and nothing else",
		}
	}
	return because(refusal.MultipleTokens, nil)
}

func (p *Policy) checkTokenThere(s *subject) *refusal.Refusal {
	if s.found.Raw != "" {
		return nil
	}
	if s.letPass = p.conf.PassUnauthenticated; s.letPass {
		return nil
	}
	return because(refusal.MissingToken, nil)
}
