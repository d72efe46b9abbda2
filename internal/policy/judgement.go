package policy

import (
	"crypto"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Judgement is one request on its way through the checks. It waits for nothing
// and remembers nothing: where a check needs more than the request,
// [Judgement.Next] says what, and whoever judges gives it and asks again. A
// Judgement may be used again, by [Policy.Judge].
type Judgement struct {
	policy *Policy
	req    Request
	now    time.Time
	stage  Stage
	at     int     // the check of the stage whose turn it is
	trace  *[]Step // nil unless somebody wants to see the walk

	found    token.Found
	looked   bool // for the token; lookErr is what came of it
	lookErr  error
	letPass  bool // the request is forwarded without a token
	recalled bool // what is remembered of the token was given

	session SessionEvidence
	asked   bool // for the session, and it was given

	tok    *token.Untrusted // untrusted until the stage Prove is over
	issuer *config.Issuer
	nth    int // of the issuer in the configuration
	key    *KeyEvidence
	signed bool // the signature is the issuer's

	variables []variable
	seen      Seen
	seenErr   error
	revoked   Revocation

	set     []identity.Header
	reports []int
	need    Need
}

type variable struct {
	name, value string
	err         error
}

// Need is what a judgement waits for. The zero Need is nothing: it has ended.
type Need struct {
	Kind     NeedKind
	Variable string     // of nginx, for NeedVariable
	Proof    dpop.Proof // for NeedProof
}

// NeedKind is the kind of a [Need].
type NeedKind uint8

// The kinds, each with what answers it.
const (
	NeedNothing    NeedKind = iota
	NeedSession             // the request's session: [Judgement.Session]
	NeedMemory              // what is remembered of the token: [Judgement.Recall], [Judgement.Parsed] or [Judgement.Unknown]
	NeedKey                 // the key that the token's header names: [Judgement.Key]
	NeedVariable            // a variable of nginx: [Judgement.Variable]
	NeedProof               // whether a DPoP proof was seen before: [Judgement.Proof]
	NeedRevocation          // whether the token was revoked: [Judgement.Revocation]
)

// KeyEvidence is what is known of the key that should verify a token.
type KeyEvidence struct {
	// Proven says that the signature was checked before, and that its key still
	// stands.
	Proven  bool
	Public  crypto.PublicKey
	Secrets [][]byte // of an issuer with client_secret, any of which may verify
	// Generation is that of the keys that Public, or Proven, is about; the
	// policy only keeps it.
	Generation uint64
	// Missing is why there is no key.
	Missing    Missing
	RetryAfter time.Duration // for KeysUnavailable
	Cause      string        // for KeysUnavailable and KeyFailed, for the log
}

// Missing is why there is no key.
type Missing uint8

// The values of [KeyEvidence].Missing.
const (
	NotMissing      Missing = iota
	KeysUnavailable         // the issuer's keys are not available
	KeyUnknown              // no key of the issuer fits
	KeyFailed               // the question itself failed
)

// Seen is what the memory of DPoP proofs says of one.
type Seen uint8

// The values of Seen.
const (
	notAsked Seen = iota
	NotSeen       // until now; it is noted
	SeenBefore
	NotKnown // the memory cannot be asked
)

// Revocation is what is known of a token's revocation.
type Revocation uint8

// The values of Revocation.
const (
	revocationNotAsked Revocation = iota
	NotRevoked
	Revoked
	RevocationNotKnown // the operator wants certainty, and there is none
)

// Judge begins the judgement of a request.
func (p *Policy) Judge(j *Judgement, req Request, now time.Time) {
	*j = Judgement{policy: p, req: req, now: now, variables: j.variables[:0]}
}

// Release lets go of the request, so that j may wait for its next use.
func (j *Judgement) Release() {
	clear(j.variables[:cap(j.variables)])
	*j = Judgement{variables: j.variables[:0]}
}

// Next runs the checks of [Checks] in their order until one answers, all have
// passed, or one needs something. The decision is one where need.Kind is
// NeedNothing.
func (j *Judgement) Next() (d Decision, need Need) {
	for ; j.stage < numStages; j.stage, j.at = j.stage+1, 0 {
		if j.stage == Read && !j.recalled {
			return Decision{}, Need{Kind: NeedMemory}
		}
		checks := j.policy.stage(j.stage)
		for ; j.at < len(checks); j.at++ {
			c := checks[j.at]
			j.need = Need{}
			r := c.run(j.policy, j)
			if j.need.Kind != NeedNothing {
				return Decision{}, j.need
			}
			if j.trace != nil {
				*j.trace = append(*j.trace, stepOf(c, j, r))
			}
			switch {
			case r != nil:
				r.DPoP = j.policy.conf != nil && j.policy.conf.DPoP != config.Off && j.byDPoP()
				return Decision{refusal: *r, reports: j.reports, session: j.ofSession()}, Need{}
			case j.letPass:
				return Decision{forward: true, edits: j.policy.plan.Anonymous(j.req)}, Need{}
			}
		}
	}
	return j.forward(j.set, j.reports), Need{}
}

func (j *Judgement) forward(set []identity.Header, reports []int) Decision {
	caller := identity.Caller{Found: j.found.Source, Set: set, AccessToken: j.accessToken()}
	return Decision{forward: true, session: j.ofSession(), edits: j.policy.plan.Verified(j.req, caller), reports: reports}
}

// Raw is the token that is judged, the request's or its session's; "" until it
// was found.
func (j *Judgement) Raw() string { return j.found.Raw }

// Now is the time of the judgement.
func (j *Judgement) Now() time.Time { return j.now }

// Generation is that of the key that proved the token.
func (j *Judgement) Generation() uint64 { return j.key.Generation }

// Token is the parsed token and which issuer of the configuration it names.
// Both are untrusted before [Judgement.Proved].
func (j *Judgement) Token() (tok *token.Untrusted, issuer int) { return j.tok, j.nth }

// Proved reports whether every check of the stage Prove passed: the issuer said
// what the token says, to this client, for now.
func (j *Judgement) Proved() bool { return j.stage > Prove && j.policy.conf != nil }

// Unknown answers NeedMemory: nothing is remembered of the token.
func (j *Judgement) Unknown() { j.recalled = true }

// Parsed answers NeedMemory: the token was parsed before.
func (j *Judgement) Parsed(tok *token.Untrusted) { j.recalled, j.tok = true, tok }

// Recall answers NeedMemory: a request with the token, and the same
// [Judgement.IDToken], was forwarded before, its keys still stand, and it was not
// revoked since. It reports whether that decides this request too.
func (j *Judgement) Recall(m *Memory) (d Decision, decided bool) {
	if m.dates.Check(j.now, j.policy.conf.Leeway, j.policy.conf.MaxTokenAge) != nil {
		return Decision{}, false
	}
	return j.forward(m.set, m.reports), true
}

// Memory is what a decision to forward leaves for further requests with the
// same token and the same [Judgement.IDToken], on the same route, as long as its
// keys stand.
type Memory struct {
	dates   token.Times
	set     []identity.Header
	reports []int
}

// Size is about what a memory takes, in bytes.
func (m *Memory) Size() int {
	size := 0
	for _, h := range m.set {
		size += len(h.Name) + len(h.Value) + 32
	}
	return size
}

// Memory is what may be remembered after a decision to forward; false where a
// check read anything that is not compared again.
func (j *Judgement) Memory() (m *Memory, ok bool) {
	if !j.Proved() || j.policy.reads(j.tok)&^repeated != 0 {
		return nil, false
	}
	dates, err := j.tok.Times()
	return &Memory{dates, j.set, j.reports}, err == nil
}

// Key answers NeedKey.
func (j *Judgement) Key(k KeyEvidence) { j.key = &k }

// Variable answers NeedVariable; an error says that the gateway did not answer.
func (j *Judgement) Variable(name string, value []byte, err error) {
	j.variables = append(j.variables, variable{name, string(value), err})
}

// Proof answers NeedProof; err is why the memory cannot be asked.
func (j *Judgement) Proof(seen Seen, err error) { j.seen, j.seenErr = seen, err }

// Revocation answers NeedRevocation.
func (j *Judgement) Revocation(r Revocation) { j.revoked = r }

// ask gives a variable of nginx. Where it was not given yet, it is asked for,
// and the check has to return.
func (j *Judgement) ask(name string) (value string, given bool, err error) {
	for _, v := range j.variables {
		if v.name == name {
			return v.value, true, v.err
		}
	}
	j.need = Need{Kind: NeedVariable, Variable: name}
	return "", false, nil
}

// byDPoP reports whether the token came with the scheme DPoP (RFC 9449 section
// 7.1).
func (j *Judgement) byDPoP() bool { return strings.EqualFold(j.found.Source.Scheme, dpopScheme) }

// look finds the request's token, once.
func (j *Judgement) look() {
	if !j.looked {
		j.looked = true
		j.found, j.lookErr = token.Extract(j.policy.sources, j.req)
	}
}

// because is a refusal with its cause, for the log.
func because(kind refusal.Kind, cause error) *refusal.Refusal {
	r := &refusal.Refusal{Kind: kind}
	if cause != nil {
		r.Cause = cause.Error()
	}
	return r
}
