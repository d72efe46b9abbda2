package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// dpopScheme is the scheme of tokens that are bound to a key (RFC 9449 section
// 7.1).
const dpopScheme = "DPoP"

// confirmation is the token's cnf claim (RFC 7800 section 3.1).
func confirmation(tok *token.Untrusted) map[string]any {
	members, _ := tok.Claims["cnf"].(map[string]any)
	return members
}

// checkDPoP refuses a token that is bound to a key which the client did not
// prove to have (RFC 9449 section 7).
func (p *Policy) checkDPoP(s *subject) *refusal.Refusal {
	tok, cnf := s.tok, confirmation(s.tok)
	if _, there := tok.Claims["cnf"]; there && cnf == nil {
		return because(refusal.MalformedToken, errors.New("cnf is not an object"))
	}
	member, bound := cnf["jkt"]
	thumbprint, _ := member.(string)
	switch {
	case !bound && !s.byDPoP() && p.conf.DPoP != config.Require:
		return nil
	case !bound:
		return &refusal.Refusal{Kind: refusal.DPoPFailed, Description: "the token is not bound to a DPoP key"}
	case p.conf.DPoP == config.Off:
		return because(refusal.DPoPFailed, nil)
	case !s.byDPoP():
		return &refusal.Refusal{Kind: refusal.DPoPFailed, Description: "the token is bound to a DPoP key and was sent without the scheme DPoP"}
	}
	var raw string
	var proofs int
	for i := range s.req.NumHeader() {
		if fold.Equal(s.req.HeaderName(i), "dpop") {
			raw = s.req.HeaderValue(i)
			proofs++
		}
	}
	if proofs != 1 {
		return badProof("one DPoP header is required", errors.New("no proof, or more than one"))
	}
	shown, err := p.ownRequest(s.req)
	if err != nil {
		return because(refusal.Internal, err)
	}
	own, err := shown.URL()
	if err != nil {
		return badProof(err.Error(), err)
	}
	proof, err := dpop.Verify(raw, dpop.Expected{
		Method: s.req.Method(), URL: own, Token: tok.Raw, Thumbprint: thumbprint,
		Now: s.now, Leeway: p.conf.Leeway, MaxLeeway: config.MaxLeeway,
	})
	if err != nil {
		return badProof(err.Error(), err)
	}
	// Last of all: a proof that is bad anyway needs no memory.
	first, err := p.replay.First(s.req.Context(), proof, s.now)
	switch {
	case err != nil:
		return because(refusal.ProofsUnavailable, err)
	case !first:
		return badProof("the proof was used before", nil)
	}
	return nil
}

func badProof(description string, cause error) *refusal.Refusal {
	r := because(refusal.DPoPFailed, cause)
	r.BadProof, r.Description = true, description
	return r
}

// ownRequest is what the gateway says of the URL that the client sees. An error
// means that the gateway did not answer; no client can cause that.
func (p *Policy) ownRequest(req Request) (own dpop.Request, err error) {
	ask := func(name string) string {
		var value []byte
		if err == nil {
			value, err = req.Var(name)
		}
		return string(value)
	}
	// Since APISIX 3.0 request_uri is the normalised and decoded target, and
	// the client's own is here; before, this variable is not there.
	if own.Target = ask("real_request_uri"); own.Target == "" {
		own.Target = ask("request_uri")
	}
	if p.conf.DPoPBaseURL != "" {
		own.Scheme, own.Authority, _ = strings.Cut(p.conf.DPoPBaseURL, "://")
		return own, err
	}
	own.Scheme, own.Authority, own.Host = ask("scheme"), ask("http_host"), ask("host")
	return own, err
}

// checkMTLS refuses a token that is bound to a certificate which the client did
// not show (RFC 8705 section 3).
func (p *Policy) checkMTLS(s *subject) *refusal.Refusal {
	thumbprint, bound := confirmation(s.tok)["x5t#S256"]
	switch {
	case !bound && p.conf.MTLS != config.Require:
		return nil
	case !bound, p.conf.MTLS == config.Off:
		return because(refusal.MTLSFailed, nil)
	}
	// nginx verified possession of the key in the handshake; a header would
	// be the client's own word.
	cert, err := s.req.Var("ssl_client_raw_cert")
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
