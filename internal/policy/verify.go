package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

func (p *Policy) verify(req Request, raw string) (*token.Untrusted, *refusal.Refusal) {
	untrusted, err := token.Parse(raw)
	if err != nil {
		return nil, because(refusal.MalformedToken, err)
	}
	name := untrusted.String("iss")
	iss := p.issuers[name]
	// The algorithm and the type are an issuer's own; where the issuer is
	// unknown, those of no issuer decide, and in the order of the contract.
	if !p.anyIssuer(iss, func(i *issuer) bool { return slices.Contains(i.Algorithms, untrusted.Alg) }) {
		return nil, because(refusal.AlgNotAllowed, nil)
	}
	if !p.anyIssuer(iss, func(i *issuer) bool { return typFits(i.TokenProfile, untrusted.Typ) }) {
		return nil, because(refusal.TypNotAllowed, nil)
	}
	if iss == nil {
		return nil, because(refusal.UnknownIssuer, nil)
	}
	key, err := iss.keys.Key(req.Context(), untrusted.Kid, untrusted.HasKid, untrusted.Alg)
	if err != nil {
		return nil, keyRefusal(err)
	}
	method := jwt.GetSigningMethod(untrusted.Alg)
	if method == nil || method.Verify(untrusted.SigningInput, untrusted.Signature, key.Public) != nil {
		return nil, because(refusal.BadSignature, nil)
	}
	return untrusted, p.verifyClaims(req, iss, untrusted)
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

func (p *Policy) verifyClaims(req Request, iss *issuer, tok *token.Untrusted) *refusal.Refusal {
	switch err := tok.CheckTimes(p.now(), p.conf.Leeway, p.conf.MaxTokenAge); {
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
	return p.checkBinding(req, tok)
}

// checkBinding refuses a token that is bound to a key the client did not
// prove (RFC 7800 section 3.1, RFC 9449 section 6, RFC 8705 section 3).
func (p *Policy) checkBinding(req Request, tok *token.Untrusted) *refusal.Refusal {
	cnf, there := tok.Claims["cnf"]
	members, ok := cnf.(map[string]any)
	if there && !ok {
		return because(refusal.MalformedToken, errors.New("cnf is not an object"))
	}
	if _, bound := members["jkt"]; bound {
		return because(refusal.DPoPFailed, nil)
	}
	thumbprint, bound := members["x5t#S256"]
	switch {
	case !bound && p.conf.MTLS != config.Require:
		return nil
	case !bound, p.conf.MTLS == config.Off:
		return because(refusal.MTLSFailed, nil)
	}
	// nginx verified possession of the key in the handshake; a header would
	// be the client's own word.
	cert, err := req.Var("ssl_client_raw_cert")
	if err != nil {
		return because(refusal.Internal, err)
	}
	block, _ := pem.Decode(cert)
	if block == nil {
		return because(refusal.MTLSFailed, nil)
	}
	sum := sha256.Sum256(block.Bytes)
	if thumbprint != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return because(refusal.MTLSFailed, nil)
	}
	return nil
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
