package policy

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// checkForm parses the token, unless it was parsed before.
func (p *Policy) checkForm(j *Judgement) *refusal.Refusal {
	if j.tok == nil {
		var err error
		if j.tok, err = token.Parse(j.found.Raw); err != nil {
			return because(refusal.MalformedToken, err)
		}
	}
	if nth, ok := p.issuers[j.tok.String("iss")]; ok {
		j.nth, j.issuer = nth, &p.conf.Issuers[nth]
	}
	return nil
}

// checkAlgorithm: the algorithm and the type are an issuer's own; where the
// issuer is unknown, those of no issuer decide, and in the order of the table.
func (p *Policy) checkAlgorithm(j *Judgement) *refusal.Refusal {
	if p.anyIssuer(j.issuer, func(i *config.Issuer) bool { return slices.Contains(i.Algorithms, j.tok.Alg) }) {
		return nil
	}
	return because(refusal.AlgNotAllowed, nil)
}

func (p *Policy) checkType(j *Judgement) *refusal.Refusal {
	if p.anyIssuer(j.issuer, func(i *config.Issuer) bool { return typFits(i.TokenProfile, j.tok.Typ) }) {
		return nil
	}
	return because(refusal.TypNotAllowed, nil)
}

func (p *Policy) checkIssuer(j *Judgement) *refusal.Refusal {
	if j.issuer == nil {
		return because(refusal.UnknownIssuer, nil)
	}
	return nil
}

// anyIssuer asks the token's own issuer, or, where it has none here, all.
func (p *Policy) anyIssuer(iss *config.Issuer, ask func(*config.Issuer) bool) bool {
	if iss != nil {
		return ask(iss)
	}
	for i := range p.conf.Issuers {
		if ask(&p.conf.Issuers[i]) {
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

// checkKeys asks for the key.
func (p *Policy) checkKeys(j *Judgement) *refusal.Refusal {
	if j.key == nil {
		j.need = Need{Kind: NeedKey}
		return nil
	}
	if j.key.Missing == KeysUnavailable {
		return &refusal.Refusal{Kind: refusal.KeysUnavailable, RetryAfter: j.key.RetryAfter, Cause: j.key.Cause}
	}
	return nil
}

func (p *Policy) checkKey(j *Judgement) *refusal.Refusal {
	switch j.key.Missing {
	case NotMissing:
		return nil
	case KeyUnknown:
		return because(refusal.UnknownKey, nil)
	}
	return &refusal.Refusal{Kind: refusal.Internal, Cause: j.key.Cause}
}

// checkSignature verifies the token, unless that was done before. config keeps
// HS algorithms and public keys apart: beside secrets the token's is an HS one.
func (p *Policy) checkSignature(j *Judgement) *refusal.Refusal {
	tok := j.tok
	switch {
	case j.key.Proven,
		j.key.Public != nil && jwk.Verify(tok.Alg, tok.SigningInput, tok.Signature, j.key.Public) == nil:
		j.signed = true
		return nil
	}
	for _, secret := range j.key.Secrets {
		if jwk.VerifyMAC(tok.Alg, tok.SigningInput, tok.Signature, secret) == nil {
			j.signed = true
			return nil
		}
	}
	return because(refusal.BadSignature, nil)
}

// checkRevoked asks whether the token was revoked.
func (p *Policy) checkRevoked(j *Judgement) *refusal.Refusal {
	switch j.revoked {
	case NotRevoked:
		return nil
	case Revoked:
		return because(refusal.Revoked, nil)
	case RevocationNotKnown:
		return &refusal.Refusal{Kind: refusal.RevocationsUnavailable, RetryAfter: revocationsRetry}
	}
	j.need = Need{Kind: NeedRevocation}
	return nil
}

// revocationsRetry is when to ask again where nobody knows what was revoked.
const revocationsRetry = 5 * time.Second

// checkDates holds exp, nbf and iat against the clock, and the claims that RFC
// 9068 section 2.2 requires; iss and aud have their own checks.
func (p *Policy) checkDates(j *Judgement) *refusal.Refusal {
	switch err := j.tok.CheckTimes(j.now, p.conf.Leeway, p.conf.MaxTokenAge); {
	case errors.Is(err, token.ErrExpired):
		return because(refusal.Expired, nil)
	case errors.Is(err, token.ErrNotYetValid):
		return because(refusal.NotYetValid, nil)
	case errors.Is(err, token.ErrTooOld):
		return because(refusal.TooOld, nil)
	case err != nil:
		return because(refusal.MalformedToken, err)
	}
	if j.issuer.TokenProfile != config.ProfileRFC9068 {
		return nil
	}
	for _, name := range []string{"sub", "client_id", "jti"} {
		if j.tok.String(name) == "" {
			return because(refusal.MalformedToken, errors.New(name+" is missing"))
		}
	}
	if _, there := j.tok.Claims["iat"]; !there {
		return because(refusal.MalformedToken, errors.New("iat is missing"))
	}
	return nil
}
