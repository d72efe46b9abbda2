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
func (p *Policy) checkDPoP(j *Judgement) *refusal.Refusal {
	cnf := confirmation(j.tok)
	if _, there := j.tok.Claims["cnf"]; there && cnf == nil {
		return because(refusal.MalformedToken, errors.New("cnf is not an object"))
	}
	member, bound := cnf["jkt"]
	thumbprint, _ := member.(string)
	switch {
	case !bound && !j.byDPoP() && p.conf.DPoP != config.Require:
		return nil
	case !bound:
		return &refusal.Refusal{Kind: refusal.DPoPFailed, Description: "the token is not bound to a DPoP key"}
	case p.conf.DPoP == config.Off:
		return because(refusal.DPoPFailed, nil)
	case !j.byDPoP():
		return &refusal.Refusal{Kind: refusal.DPoPFailed, Description: "the token is bound to a DPoP key and was sent without the scheme DPoP"}
	}
	// Last of all, once the proof is good: a bad one needs no memory.
	switch j.seen {
	case notAsked:
		return p.checkProof(j, thumbprint)
	case NotSeen:
		return nil
	case SeenBefore:
		return badProof("the proof was used before", nil)
	}
	return because(refusal.ProofsUnavailable, j.seenErr)
}

// checkProof verifies the request's proof, and asks whether it was seen before.
func (p *Policy) checkProof(j *Judgement, thumbprint string) *refusal.Refusal {
	var raw string
	var proofs int
	for i := range j.req.NumHeader() {
		if fold.Equal(j.req.HeaderName(i), "dpop") {
			raw = j.req.HeaderValue(i)
			proofs++
		}
	}
	if proofs != 1 {
		return badProof("one DPoP header is required", errors.New("no proof, or more than one"))
	}
	shown, err := p.ownRequest(j)
	switch {
	case err != nil:
		return because(refusal.Internal, err)
	case j.need.Kind != NeedNothing:
		return nil
	}
	own, err := shown.URL()
	if err != nil {
		return badProof(err.Error(), err)
	}
	proof, err := dpop.Verify(raw, dpop.Expected{
		Method: j.req.Method(), URL: own, Token: j.tok.Raw, Thumbprint: thumbprint,
		Now: j.now, Leeway: p.conf.Leeway, MaxLeeway: config.MaxLeeway,
	})
	if err != nil {
		return badProof(err.Error(), err)
	}
	j.need = Need{Kind: NeedProof, Proof: proof}
	return nil
}

func badProof(description string, cause error) *refusal.Refusal {
	r := because(refusal.DPoPFailed, cause)
	r.BadProof, r.Description = true, description
	return r
}

// ownRequest is what the gateway says of the URL that the client sees, as far as
// it was asked. An error means that the gateway did not answer; no client can
// cause that.
func (p *Policy) ownRequest(j *Judgement) (own dpop.Request, err error) {
	given := true
	ask := func(name string) (value string) {
		if err == nil && given {
			value, given, err = j.ask(name)
		}
		return value
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
func (p *Policy) checkMTLS(j *Judgement) *refusal.Refusal {
	thumbprint, bound := confirmation(j.tok)["x5t#S256"]
	switch {
	case !bound && p.conf.MTLS != config.Require:
		return nil
	case !bound, p.conf.MTLS == config.Off:
		return because(refusal.MTLSFailed, nil)
	}
	// nginx verified possession of the key in the handshake; a header would
	// be the client's own word.
	cert, given, err := j.ask("ssl_client_raw_cert")
	switch {
	case err != nil:
		return because(refusal.Internal, err)
	case !given:
		return nil
	}
	block, _ := pem.Decode([]byte(cert))
	if block == nil {
		return because(refusal.MTLSFailed, nil)
	}
	sum := sha256.Sum256(block.Bytes)
	if thumbprint != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return because(refusal.MTLSFailed, nil)
	}
	return nil
}
