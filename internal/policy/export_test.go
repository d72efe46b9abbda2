package policy

import "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"

// EachCheck runs the checks one by one until one answers, and tells after each.
func EachCheck(p *Policy, req Request, after func(c *Check, tok *token.Untrusted)) {
	s := &subject{req: req, now: p.clock()}
	for stage := range numStages {
		for _, c := range p.stage(stage) {
			r := c.run(p, s)
			after(c, s.tok)
			if r != nil || s.letPass {
				return
			}
		}
	}
}
