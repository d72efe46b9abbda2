package gate

import (
	"context"
	"errors"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// lazyContext creates the request's context on first use. A deadline starts a
// timer, and most requests find their key in memory and never wait.
type lazyContext struct{ req Request }

func (c lazyContext) Deadline() (time.Time, bool) { return c.req.Context().Deadline() }
func (c lazyContext) Done() <-chan struct{}       { return c.req.Context().Done() }
func (c lazyContext) Err() error                  { return c.req.Context().Err() }
func (c lazyContext) Value(key any) any           { return c.req.Context().Value(key) }

var _ context.Context = lazyContext{}

// key finds the key that should verify the token, or that it was verified
// before. Every request waits for itself: one that gives up fails no other.
func (g *Gate) key(r *Route, req Request, j *policy.Judgement, before *verified) policy.KeyEvidence {
	tok, nth := j.Token()
	keys := r.issuers[nth].keys
	if keys == nil {
		var evidence policy.KeyEvidence
		for _, secret := range r.issuers[nth].secrets {
			evidence.Secrets = append(evidence.Secrets, secret.Value(g.opt.Now()))
		}
		return evidence
	}
	if before != nil && before.stands(keys, g.opt.Now()) {
		return policy.KeyEvidence{Proven: true, Generation: before.generation}
	}
	key, err := keys.Key(lazyContext{req}, tok.Kid, tok.HasKid, tok.Alg)
	if unavailable, ok := errors.AsType[*jwks.UnavailableError](err); ok {
		return policy.KeyEvidence{Missing: policy.KeysUnavailable, RetryAfter: unavailable.RetryAfter}
	}
	switch {
	case errors.Is(err, jwks.ErrUnknownKey):
		return policy.KeyEvidence{Missing: policy.KeyUnknown}
	case err != nil:
		return policy.KeyEvidence{Missing: policy.KeyFailed, Cause: err.Error()}
	}
	// Whoever waited for the key may find that another request did the rest.
	if before = g.lookUp(j.Raw()); before != nil && before.proof == (proof{keys, key.Generation}) {
		return policy.KeyEvidence{Proven: true, Generation: key.Generation}
	}
	return policy.KeyEvidence{Public: key.Public, Generation: key.Generation}
}

// recall decides by what is remembered of the request's token, if its keys
// still stand and it was not revoked since.
func (g *Gate) recall(r *Route, w *work) (policy.Decision, bool) {
	if g.cache == nil || !r.remembers {
		return policy.Decision{}, false
	}
	d, there := g.cache.decisions.GetIfPresent(keyOf(r, w))
	if !there || !d.stands(d.keys, w.Now()) || !g.stillNotRevoked(d, w.Now()) {
		return policy.Decision{}, false
	}
	return w.Recall(d.Memory)
}

// lookUp is the token, if it was verified before; with which keys, the caller
// has to compare.
func (g *Gate) lookUp(raw string) *verified {
	if g.cache == nil {
		return nil
	}
	v, _ := g.cache.tokens.GetIfPresent(raw)
	return v
}

// remember notes a token that was proved, and the decision to forward if that
// depends on nothing that is not compared again. Nothing else enters the cache,
// so that bad tokens cannot push good ones out. Secrets have no generation:
// what they proved is proved anew each time.
func (g *Gate) remember(r *Route, w *work, d policy.Decision, version uint64) {
	j := &w.Judgement
	if g.cache == nil || !j.Proved() {
		return
	}
	tok, nth := j.Token()
	by := proof{r.issuers[nth].keys, j.Generation()}
	if by.keys == nil {
		return
	}
	if known := g.lookUp(j.Raw()); known == nil || known.proof != by {
		g.cache.tokens.Set(j.Raw(), &verified{by, tok})
	}
	if _, forward := d.Forward(); !forward {
		return
	}
	if memory, ok := j.Memory(); ok {
		entry := &decided{proof: by, Memory: memory, token: w.revocable(tok)}
		entry.version.Store(version)
		g.cache.decisions.Set(keyOf(r, w), entry)
	}
}

// idClaims are the claims of a session's ID token, which the login checked. One
// that cannot be read has none.
func (g *Gate) idClaims(raw string) map[string]any {
	if g.cache != nil {
		if claims, known := g.cache.idTokens.GetIfPresent(raw); known {
			return claims
		}
	}
	tok, err := token.Parse(raw)
	if err != nil {
		return nil
	}
	if g.cache != nil {
		g.cache.idTokens.Set(raw, tok.Claims)
	}
	return tok.Claims
}
