package policy

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// unconfigured is the walk of a policy without configuration: it ends at once.
var unconfigured = []*Check{&Checks[0]}

func (p *Policy) stage(stage Stage) []*Check {
	if p.conf == nil {
		return unconfigured
	}
	return p.checks[stage]
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

func stepOf(c *Check, j *Judgement, r *refusal.Refusal) Step {
	switch {
	case r != nil:
		return Step{c, Refused, *r}
	case j.letPass:
		return Step{Check: c, Outcome: LetPass}
	}
	return Step{Check: c, Outcome: Passed}
}

// Trace is [Policy.Judge] for whoever wants to see the walk. When the judgement
// has ended, steps gives every check of [Checks] with its outcome.
func (p *Policy) Trace(j *Judgement, req Request, now time.Time) (steps func() []Step) {
	p.Judge(j, req, now)
	var walked []Step
	j.trace = &walked
	return func() []Step {
		all := make([]Step, len(Checks))
		for i := range Checks {
			c := &Checks[i]
			all[i] = Step{Check: c}
			if p.conf != nil && c.Asked != nil && !c.Asked(p.conf) {
				all[i].Outcome = NotAsked
			}
			for _, w := range walked {
				if w.Check == c {
					all[i] = w
				}
			}
		}
		return all
	}
}
