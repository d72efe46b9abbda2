package policy

import (
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

// verify parses and verifies the token, or finds that this was done before; s
// has it then.
func (p *Policy) verify(s *subject) *refusal.Refusal {
	known := p.look(s.found.Raw)
	var untrusted *token.Untrusted
	if known != nil {
		untrusted = known.tok
	} else {
		var err error
		runtime.Gosched() // let those go first whose tokens are known
		if untrusted, err = token.Parse(s.found.Raw); err != nil {
			return because(refusal.MalformedToken, err)
		}
	}
	name := untrusted.String("iss")
	iss := p.issuers[name]
	// The algorithm and the type are an issuer's own; where the issuer is
	// unknown, those of no issuer decide, and in the order of the contract.
	if !p.anyIssuer(iss, func(i *issuer) bool { return slices.Contains(i.Algorithms, untrusted.Alg) }) {
		return because(refusal.AlgNotAllowed, nil)
	}
	if !p.anyIssuer(iss, func(i *issuer) bool { return typFits(i.TokenProfile, untrusted.Typ) }) {
		return because(refusal.TypNotAllowed, nil)
	}
	if iss == nil {
		return because(refusal.UnknownIssuer, nil)
	}
	if known != nil && known.keys == iss.keys && known.stands(s.now) {
		s.proof = known.proof
		if r := p.verifyClaims(s, iss, untrusted); r != nil {
			return r
		}
		s.tok = untrusted
		return nil
	}
	check := iss.verifySignature
	if p.cache != nil {
		check = iss.verifyOnce
	}
	generation, r := check(s, untrusted)
	if r != nil {
		return r
	}
	if r := p.verifyClaims(s, iss, untrusted); r != nil {
		return r
	}
	s.tok = untrusted
	if iss.keys != nil && p.cache != nil {
		times, _ := untrusted.Times() // they were read a moment ago
		s.proof = proof{times, iss.keys, generation}
		p.cache.tokens.Set(s.found.Raw, &verified{s.proof, untrusted})
	}
	return nil
}

// patience is a request's context that is made only for who waits: a deadline
// has a timer, and hardly any request waits for a key.
type patience struct{ req Request }

func (p patience) Deadline() (time.Time, bool) { return p.req.Context().Deadline() }
func (p patience) Done() <-chan struct{}       { return p.req.Context().Done() }
func (p patience) Err() error                  { return p.req.Context().Err() }
func (p patience) Value(key any) any           { return p.req.Context().Value(key) }

// verifySignature tells which generation of keys proved it; 0 for a secret.
func (i *issuer) verifySignature(s *subject, t *token.Untrusted) (uint64, *refusal.Refusal) {
	if i.keys == nil {
		// config keeps HS algorithms and public keys apart: t.Alg is an HS one.
		for _, secret := range i.Secrets {
			if jwk.VerifyMAC(t.Alg, t.SigningInput, t.Signature, secret.Value(s.now)) == nil {
				return 0, nil
			}
		}
		return 0, because(refusal.BadSignature, nil)
	}
	key, err := i.keys.Key(patience{s.req}, t.Kid, t.HasKid, t.Alg)
	if err != nil {
		return 0, keyRefusal(err)
	}
	runtime.Gosched() // as in verify: this is the most that a request costs
	if jwk.Verify(t.Alg, t.SigningInput, t.Signature, key.Public) != nil {
		return 0, because(refusal.BadSignature, nil)
	}
	return key.Generation, nil
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

func (p *Policy) verifyClaims(s *subject, iss *issuer, tok *token.Untrusted) *refusal.Refusal {
	switch err := tok.CheckTimes(s.now, p.conf.Leeway, p.conf.MaxTokenAge); {
	case errors.Is(err, token.ErrExpired):
		return because(refusal.Expired, nil)
	case errors.Is(err, token.ErrNotYetValid):
		return because(refusal.NotYetValid, nil)
	case errors.Is(err, token.ErrTooOld):
		return because(refusal.TooOld, nil)
	case err != nil:
		return because(refusal.MalformedToken, err)
	}
	if iss.TokenProfile == config.ProfileRFC9068 {
		// RFC 9068 section 2.2; iss and aud have their own checks.
		for _, name := range []string{"sub", "client_id", "jti"} {
			if tok.String(name) == "" {
				return because(refusal.MalformedToken, errors.New(name+" is missing"))
			}
		}
		if _, there := tok.Claims["iat"]; !there {
			return because(refusal.MalformedToken, errors.New("iat is missing"))
		}
	}
	if !audienceFits(iss, tok) {
		return because(refusal.BadAudience, nil)
	}
	return p.checkBinding(s, tok)
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

func keyRefusal(err error) *refusal.Refusal {
	if unavailable := (*jwks.UnavailableError)(nil); errors.As(err, &unavailable) {
		return &refusal.Refusal{Kind: refusal.KeysUnavailable, RetryAfter: unavailable.RetryAfter}
	}
	if errors.Is(err, jwks.ErrUnknownKey) {
		return because(refusal.UnknownKey, nil)
	}
	return because(refusal.Internal, err)
}

func because(kind refusal.Kind, cause error) *refusal.Refusal {
	r := &refusal.Refusal{Kind: kind}
	if cause != nil {
		r.Cause = cause.Error()
	}
	return r
}
