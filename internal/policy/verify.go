package policy

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// checkForm parses the token, unless it was parsed and verified before.
func (p *Policy) checkForm(s *subject) *refusal.Refusal {
	if s.before = p.lookUp(s.found.Raw); s.before != nil {
		s.tok = s.before.tok
	} else {
		var err error
		runtime.Gosched() // let those go first whose tokens are known
		if s.tok, err = token.Parse(s.found.Raw); err != nil {
			return because(refusal.MalformedToken, err)
		}
	}
	s.issuer = p.issuers[s.tok.String("iss")]
	return nil
}

// checkAlgorithm: the algorithm and the type are an issuer's own; where the
// issuer is unknown, those of no issuer decide, and in the order of the table.
func (p *Policy) checkAlgorithm(s *subject) *refusal.Refusal {
	if p.anyIssuer(s.issuer, func(i *issuer) bool { return slices.Contains(i.Algorithms, s.tok.Alg) }) {
		return nil
	}
	return because(refusal.AlgNotAllowed, nil)
}

func (p *Policy) checkType(s *subject) *refusal.Refusal {
	if p.anyIssuer(s.issuer, func(i *issuer) bool { return typFits(i.TokenProfile, s.tok.Typ) }) {
		return nil
	}
	return because(refusal.TypNotAllowed, nil)
}

func (p *Policy) checkIssuer(s *subject) *refusal.Refusal {
	if s.issuer == nil {
		return because(refusal.UnknownIssuer, nil)
	}
	return nil
}

// anyIssuer asks the token's own issuer, or, where it has none here, all.
func (p *Policy) anyIssuer(iss *issuer, ask func(*issuer) bool) bool {
	if iss != nil {
		return ask(iss)
	}
	for _, i := range p.issuers {
		if ask(i) {
			return true
		}
	}
	return false
}

func typFits(profile config.TokenProfile, typ string) bool {
	// Media types compare without case (RFC 7515 section 4.1.9).
	access := strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
	switch profile {
	case config.ProfileAuth0:
		return access || typ == "" || strings.EqualFold(typ, "JWT")
	case config.ProfileRFC9068:
		return access
	case config.ProfileAny:
		return true
	}
	return false
}

// lazyContext creates the request's context on first use. A deadline starts a
// timer, and most requests find their key in memory and never wait.
type lazyContext struct{ req Request }

func (c lazyContext) Deadline() (time.Time, bool) { return c.req.Context().Deadline() }
func (c lazyContext) Done() <-chan struct{}       { return c.req.Context().Done() }
func (c lazyContext) Err() error                  { return c.req.Context().Err() }
func (c lazyContext) Value(key any) any           { return c.req.Context().Value(key) }

var _ context.Context = lazyContext{}

// checkKeys asks for the key, unless what was proved before still holds. Every
// request waits for itself: one that gives up fails no other.
func (p *Policy) checkKeys(s *subject) *refusal.Refusal {
	keys := s.issuer.keys
	if keys == nil {
		return nil // the secrets are in the configuration
	}
	if s.before != nil && s.before.keys == keys && s.before.stands(s.now) {
		s.proof, s.proven = s.before.proof, true
		return nil
	}
	s.key, s.keyErr = keys.Key(lazyContext{s.req}, s.tok.Kid, s.tok.HasKid, s.tok.Alg)
	if unavailable, ok := errors.AsType[*jwks.UnavailableError](s.keyErr); ok {
		return &refusal.Refusal{Kind: refusal.KeysUnavailable, RetryAfter: unavailable.RetryAfter}
	}
	return nil
}

func (p *Policy) checkKey(s *subject) *refusal.Refusal {
	switch {
	case s.keyErr == nil:
		return nil
	case errors.Is(s.keyErr, jwks.ErrUnknownKey):
		return because(refusal.UnknownKey, nil)
	}
	return because(refusal.Internal, s.keyErr)
}

func (p *Policy) checkSignature(s *subject) *refusal.Refusal {
	switch {
	case s.proven:
		return nil
	case s.issuer.keys == nil:
		// config keeps HS algorithms and public keys apart: the token's is an
		// HS one.
		for _, secret := range s.issuer.Secrets {
			if jwk.VerifyMAC(s.tok.Alg, s.tok.SigningInput, s.tok.Signature, secret.Value(s.now)) == nil {
				return nil
			}
		}
		return because(refusal.BadSignature, nil)
	}
	// Whoever waited for the key may find that another request did the rest.
	if again := p.lookUp(s.found.Raw); again != nil && again.keys == s.issuer.keys && again.generation == s.key.Generation {
		s.tok, s.proof, s.proven = again.tok, again.proof, true
		return nil
	}
	runtime.Gosched() // as in checkForm: this is the most that a request costs
	if jwk.Verify(s.tok.Alg, s.tok.SigningInput, s.tok.Signature, s.key.Public) != nil {
		return because(refusal.BadSignature, nil)
	}
	times, _ := s.tok.Times() // dates that cannot be read have the next check
	s.proof = proof{times, s.issuer.keys, s.key.Generation}
	return nil
}

// checkDates holds exp, nbf and iat against the clock, and the claims that RFC
// 9068 section 2.2 requires; iss and aud have their own checks.
func (p *Policy) checkDates(s *subject) *refusal.Refusal {
	switch err := s.tok.CheckTimes(s.now, p.conf.Leeway, p.conf.MaxTokenAge); {
	case errors.Is(err, token.ErrExpired):
		return because(refusal.Expired, nil)
	case errors.Is(err, token.ErrNotYetValid):
		return because(refusal.NotYetValid, nil)
	case errors.Is(err, token.ErrTooOld):
		return because(refusal.TooOld, nil)
	case err != nil:
		return because(refusal.MalformedToken, err)
	}
	if s.issuer.TokenProfile != config.ProfileRFC9068 {
		return nil
	}
	for _, name := range []string{"sub", "client_id", "jti"} {
		if s.tok.String(name) == "" {
			return because(refusal.MalformedToken, errors.New(name+" is missing"))
		}
	}
	if _, there := s.tok.Claims["iat"]; !there {
		return because(refusal.MalformedToken, errors.New("iat is missing"))
	}
	return nil
}

func because(kind refusal.Kind, cause error) *refusal.Refusal {
	r := &refusal.Refusal{Kind: kind}
	if cause != nil {
		r.Cause = cause.Error()
	}
	return r
}
