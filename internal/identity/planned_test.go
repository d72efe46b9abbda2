package identity_test

import (
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// planned is the whole plan for a request with a verified token.
func planned(p *identity.Plan, req token.Places, tok *token.Untrusted, found token.Source) (identity.Edits, string) {
	set, failed := p.FromToken(tok, nil)
	if failed != "" {
		return identity.Edits{}, failed
	}
	return p.Verified(req, identity.Caller{Found: found, Set: set}), ""
}
