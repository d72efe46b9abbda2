package policy

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// EachCheck runs the checks one by one until one answers, and tells after each.
// give answers what a check needs.
func EachCheck(p *Policy, req Request, now time.Time, give func(*Judgement, Need), after func(c *Check, tok *token.Untrusted)) {
	var j Judgement
	p.Judge(&j, req, now)
	for stage := range numStages {
		for _, c := range p.stage(stage) {
			r := c.run(p, &j)
			for j.need.Kind != NeedNothing {
				need := j.need
				j.need = Need{}
				give(&j, need)
				r = c.run(p, &j)
			}
			after(c, j.tok)
			if r != nil || j.letPass {
				return
			}
		}
	}
}
