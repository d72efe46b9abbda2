package inspect

import (
	"context"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Case is a request to explain, and who judges it.
type Case struct {
	Config  *config.Config // nil is one that has errors, and Route then denies
	Gate    *gate.Gate
	Route   *gate.Route
	Request gate.Request
	Now     time.Time // as the gate's clock says
	// Fetch asks issuers why keys are not there; nil asks nobody.
	Fetch Fetcher
	// Others are configurations whose sessions the request's may be by mistake.
	Others []*config.Config
	// Claims says whether claims of the token are shown. The token never is.
	Claims Claims
	// Revocations says whether the gate knows what was revoked.
	Revocations RevocationKnowledge
}

// RevocationKnowledge says whether a gate knows what was revoked.
type RevocationKnowledge uint8

// The values of RevocationKnowledge.
const (
	RevocationsUnknown RevocationKnowledge = iota // as of a command, which no runner tells
	RevocationsKnown
)

// Claims says whether claims of the token are shown.
type Claims bool

// The values of Claims.
const (
	HideClaims Claims = false
	ShowClaims Claims = true
)

// Explanation is the walk of a request through the table of checks.
type Explanation struct {
	Notes   []string // about the token as a whole
	Session []string // what the request's cookies are, with login
	Login   []string // what login makes of the outcome
	// SentToLogin says that the client is sent to the issuer's login page (302) and
	// gets no other answer.
	SentToLogin bool
	Own         bool // login answers the path itself: there are no checks and no answer
	Checks      []ExplainedCheck
	Reports     []string // of rules with report_only
	Forward     bool
	Edits       []string       // where the request is forwarded
	Answer      refusal.Answer // where it is not
	Reason      string         // where it is not
}

// ExplainedCheck is one check and how it ended.
type ExplainedCheck struct {
	Number  int    `json:"number"` // from 1
	Name    string `json:"name"`
	Outcome string `json:"outcome"` // passed, refused, let_pass, not_asked or not_reached
	Reason  string `json:"reason,omitempty"`
	// Details say what was found, and after a refusal what to do.
	Details []string `json:"details,omitempty"`
	Found   string   `json:"found,omitempty"`
	Wanted  string   `json:"wanted,omitempty"`
}

var outcomeNames = map[policy.Outcome]string{
	policy.NotReached: "not_reached", policy.NotAsked: "not_asked", policy.Passed: "passed", policy.LetPass: "let_pass", policy.Refused: "refused",
}

// Explain judges the request as the runner would and says how every check
// ended.
func Explain(ctx context.Context, c Case) *Explanation {
	if c.Config == nil {
		return explainDenied(c)
	}
	if answer, asked := c.Route.Metadata(c.Request); asked {
		return &Explanation{
			Notes:  []string{"this is the path of the route's protected resource metadata, which is answered before any check of a token"},
			Answer: answer,
		}
	}
	var found *session.Session
	x := &Explanation{}
	if l := c.Config.Login; l != nil {
		if said := ownAnswer(l, c.Request); said != "" {
			return &Explanation{Own: true, Login: []string{said}}
		}
		found, x.Session = sessionOf(c)
	}
	d, steps := c.Gate.ExplainSession(c.Route, c.Request, found)
	s := newSubject(ctx, c, found)
	x.Notes = s.notes()
	if c.Config.Login != nil {
		x.Login = s.login(d)
		if found != nil && s.elsewhere {
			x.Session = append(x.Session, "the request has a token of its own, which wins: nobody looks at the session")
		}
	}
	for n, step := range steps {
		explained := ExplainedCheck{Number: n + 1, Name: step.Check.Name, Outcome: outcomeNames[step.Outcome]}
		switch step.Outcome {
		case policy.Refused:
			explained.Reason = step.Refusal.Kind.Reason()
			explained.Details = s.refused(step.Refusal)
		case policy.Passed:
			explained.Details = s.passed(step.Check)
		}
		if c.Claims == ShowClaims && (step.Outcome == policy.Refused || step.Outcome == policy.Passed) {
			explained.Found, explained.Wanted = s.compare(step.Check)
		}
		x.Checks = append(x.Checks, explained)
	}
	for _, i := range d.Reports() {
		x.Reports = append(x.Reports, item("rules", i)+" has report_only and would have denied")
	}
	edits, forward := d.Forward()
	if x.Forward = forward; forward {
		x.Edits = s.edits(edits)
		return x
	}
	if x.SentToLogin = c.Config.Login != nil && s.sentToLogin(d); x.SentToLogin {
		x.Reason = login.ReasonRedirect
		return x
	}
	x.Answer, x.Reason = c.Route.Answer(d.Refusal()), d.Refusal().Kind.Reason()
	return x
}

// explainDenied is the walk of a route that denies every request. Nothing but the
// configuration is looked at.
func explainDenied(c Case) *Explanation {
	d, steps := c.Gate.Explain(c.Route, c.Request)
	x := &Explanation{Answer: c.Route.Answer(d.Refusal()), Reason: d.Refusal().Kind.Reason()}
	for n, step := range steps {
		x.Checks = append(x.Checks, ExplainedCheck{Number: n + 1, Name: step.Check.Name, Outcome: outcomeNames[step.Outcome]})
		if step.Outcome == policy.Refused {
			x.Checks[n].Reason = x.Reason
		}
	}
	return x
}

// subject is the case with its token, which is untrusted: it is read to say
// what is wrong with it.
type subject struct {
	Case
	ctx    context.Context
	tok    *token.Untrusted // without claims where there is none to read
	read   bool             // there is one
	issuer *config.Issuer   // the token's, if it is configured; else the first

	session   *session.Session // of the request; nil is none
	elsewhere bool             // the request has a token that is not the session's
}

func newSubject(ctx context.Context, c Case, found *session.Session) *subject {
	s := &subject{Case: c, ctx: ctx, tok: &token.Untrusted{}, issuer: &c.Config.Issuers[0], session: found}
	sources := c.Config.TokenFrom
	if c.Config.DPoP != config.Off {
		sources = append(sources[:len(sources):len(sources)], token.Source{Kind: token.Header, Name: "authorization", Scheme: "DPoP"})
	}
	raw := ""
	switch given, err := token.Extract(sources, c.Request); {
	case err != nil: // two
		return s
	case given.Raw != "":
		raw, s.elsewhere = given.Raw, true
	case found == nil:
		return s
	case c.Config.Login.JudgeIDToken:
		raw = found.IDToken
	default:
		raw = found.AccessToken
	}
	tok, err := token.Parse(raw)
	if err != nil {
		return s
	}
	s.tok, s.read = tok, true
	for i := range c.Config.Issuers {
		if c.Config.Issuers[i].Issuer == tok.String("iss") {
			s.issuer = &c.Config.Issuers[i]
		}
	}
	return s
}

// notes are about the token as a whole.
func (s *subject) notes() []string {
	if l := s.Config.Login; l != nil && l.JudgeIDToken {
		return nil
	}
	if sign := s.idToken(); sign != "" {
		return []string{"this looks like an ID token, since " + sign + ": it tells an application who logged in. An API wants the access token of the same answer"}
	}
	return nil
}

// idToken is by what the token looks like an ID token (OpenID Connect Core 1.0
// section 2), or "".
func (s *subject) idToken() string {
	for _, name := range []string{"nonce", "at_hash", "c_hash"} {
		if _, there := s.tok.Claims[name]; there {
			return "it has the claim " + name
		}
	}
	_, scoped := s.tok.Claims["scope"]
	_, authorized := s.tok.Claims["azp"]
	if aud := s.tok.String("aud"); aud != "" && !scoped && !authorized && isClientID(aud) {
		return "its aud is an application's client id"
	}
	return ""
}

// isClientID reports whether a text looks like a client id of Auth0.
func isClientID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) == 32
}

// edits are what happens to the request's headers and arguments, with the claims
// that headers carry.
func (s *subject) edits(edits identity.Edits) (lines []string) {
	for _, name := range edits.DeleteHeaders {
		lines = append(lines, "delete header "+name)
	}
	for _, h := range edits.SetHeaders {
		lines = append(lines, "set header "+h.Name+": "+s.headerValue(h))
	}
	for _, name := range edits.DeleteArgs {
		lines = append(lines, "delete argument "+name)
	}
	return lines
}

func (s *subject) headerValue(h identity.Header) string {
	if strings.EqualFold(h.Name, s.Config.TokenHeader) {
		return "(the token)"
	}
	for _, carried := range s.Config.ClaimHeaders {
		if strings.EqualFold(carried.Name, h.Name) {
			if s.Claims == ShowClaims {
				return h.Value
			}
			if carried.From == identity.IDToken {
				return "(the claim " + carried.Claim.String() + " of the ID token)"
			}
			return "(the claim " + carried.Claim.String() + ")"
		}
	}
	if strings.EqualFold(h.Name, s.Config.ClaimsHeader) {
		if s.Claims == ShowClaims {
			return h.Value
		}
		return "(all claims)"
	}
	switch l := s.Config.Login; {
	case l != nil && l.ForwardAccessToken && strings.EqualFold(h.Name, "authorization"):
		return "(Bearer and the session's access token)"
	case l != nil && strings.EqualFold(h.Name, "cookie"):
		return "(what the client sent, without the token and the cookies of login)"
	}
	return "(what the client sent, without the token)"
}
