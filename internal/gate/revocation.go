package gate

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// Revocations are what was revoked.
func (g *Gate) Revocations() *revocation.Feed { return g.opt.Revocations }

// revocation answers whether a token was revoked, and as of which version of
// what was. It waits only where the process has just started.
func (g *Gate) revocation(req Request, w *work) (policy.Revocation, uint64) {
	feed := g.opt.Revocations
	g.awaitRevocations(req)
	if g.opt.RevocationsStrict && !feed.Up(g.opt.Now()) {
		return policy.RevocationNotKnown, 0
	}
	version := feed.Version() // before the look-up: what comes in meanwhile is another version
	tok, _ := w.Token()
	if version != 0 {
		if claims := w.revocable(tok); feed.RevokedToken(&claims) {
			return policy.Revoked, 0
		}
	}
	return policy.NotRevoked, version
}

// awaitRevocations waits until what was revoked before the start is known.
func (g *Gate) awaitRevocations(req Request) {
	select {
	case <-g.opt.Revocations.Ready():
	default:
		select {
		case <-g.opt.Revocations.Ready():
		case <-req.Context().Done():
		}
	}
}

// stillNotRevoked reports whether a token of which a decision is remembered was
// not revoked since.
func (g *Gate) stillNotRevoked(d *decided, now time.Time) bool {
	feed := g.opt.Revocations
	if g.opt.RevocationsStrict && !feed.Up(now) {
		return false
	}
	version := feed.Version()
	if version == d.version.Load() {
		return true
	}
	if feed.RevokedToken(&d.token) {
		return false
	}
	d.version.Store(version)
	return true
}

// revocable is what of the token that is judged is compared with what was revoked.
// A session's counts from its own beginning, which a refresh does not change, and
// which has milliseconds: its user may log in again in the second of a logout.
func (w *work) revocable(tok *token.Untrusted) revocation.Token {
	claims := revocableOf(tok)
	if begun := w.begun(); begun != 0 {
		claims.IssuedAt, claims.MissingIssuedAt = float64(begun)/1e3, false
	}
	return claims
}

// revocableOf is what of a token is compared with what was revoked.
func revocableOf(tok *token.Untrusted) revocation.Token {
	claims := revocation.Token{
		Issuer: tok.String("iss"), Subject: tok.String("sub"), SID: tok.String("sid"), JTI: tok.String("jti"),
		AuthorizedParty: tok.String("azp"), ClientID: tok.String("client_id"), MissingIssuedAt: true,
	}
	if times, err := tok.Times(); err == nil {
		var there bool
		claims.IssuedAt, there = times.IssuedAt()
		claims.MissingIssuedAt = !there
	}
	return claims
}
