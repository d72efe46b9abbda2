package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// grant is what a login allowed an application.
type grant struct {
	client       *Client
	user         *User
	params       params // of the authorization request
	sid, acr     string
	organization *Organization // nil is none
	authTime     time.Time
	began        time.Time // of the grant
	// Of the refresh tokens, under the books' lock:
	ended   bool
	depth   int       // of the present one
	rotated time.Time // when it became that
}

// code is used once (RFC 6749 section 4.1.2); used ones stay to be recognised.
type code struct {
	grant   *grant
	expires time.Time
	used    bool
}

// refreshToken is one of a grant's; the first has depth 0.
type refreshToken struct {
	grant *grant
	depth int
}

func invalidGrant(description string) *oauthFailure {
	return &oauthFailure{http.StatusBadRequest, "invalid_grant", description}
}

// token answers POST /oauth/token.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request, p params) {
	var g *grant
	var failed *oauthFailure
	presented := ""
	switch p["grant_type"] {
	case "client_credentials":
		i.machine(w, r, p)
		return
	case "authorization_code":
		g, failed = i.redeem(r, p)
	case "refresh_token":
		presented = p["refresh_token"]
		g, failed = i.renew(r, p)
	default:
		failed = &oauthFailure{http.StatusBadRequest, "unsupported_grant_type", "grant_type: give authorization_code, refresh_token or client_credentials"}
	}
	if failed != nil {
		failed.write(w, r)
		return
	}
	i.tokens(w, g, presented, p["scope"])
}

// redeem finds the grant of a code. A code that comes again ends what it brought
// (RFC 6749 section 4.1.2).
func (i *Issuer) redeem(r *http.Request, p params) (*grant, *oauthFailure) {
	c, failed := i.authenticate(r, p)
	if failed != nil {
		return nil, failed
	}
	now := i.now()
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	found := i.books.codes[p["code"]]
	switch {
	case found == nil || found.grant.client.ID != c.ID:
		return nil, invalidGrant("Invalid authorization code")
	case found.used:
		found.grant.ended = true
		return nil, invalidGrant("Invalid authorization code")
	}
	found.used = true // also where what follows fails
	asked := found.grant.params
	digest := sha256.Sum256([]byte(p["code_verifier"]))
	switch {
	case now.After(found.expires):
		return nil, invalidGrant("The authorization code has expired")
	case p["resource"] != "" && p["resource"] != asked["resource"]: // RFC 8707 section 2.2
		return nil, &oauthFailure{http.StatusBadRequest, "invalid_target", "resource: it is not the one that the code was asked for with"}
	case p["redirect_uri"] != asked["redirect_uri"]:
		return nil, invalidGrant("redirect_uri: it is not the one that the code was asked for with")
	case asked["code_challenge"] == "" && p["code_verifier"] != "":
		return nil, invalidGrant("code_verifier: the code was asked for without code_challenge")
	case asked["code_challenge"] != "" && forge.Base64URL(digest[:]) != asked["code_challenge"]:
		return nil, invalidGrant("Failed to verify code verifier")
	}
	return found.grant, nil
}

// renew finds the grant of a refresh token. With rotation only the present one
// is good, and for the client's leeway the one before it; any other that comes
// again ends them all, as Auth0's reuse detection does.
func (i *Issuer) renew(r *http.Request, p params) (*grant, *oauthFailure) {
	c, failed := i.authenticate(r, p)
	if failed != nil {
		return nil, failed
	}
	now := i.now()
	i.books.mu.Lock()
	token := i.books.refresh[p["refresh_token"]]
	reused := false
	switch {
	case token == nil || token.grant.client.ID != c.ID || token.grant.ended:
		failed = invalidGrant("Unknown or invalid refresh token.")
	case !token.grant.covers(p["scope"]):
		failed = &oauthFailure{http.StatusBadRequest, "invalid_scope", "scope: it is wider than what was granted"}
	case c.NonRotating:
	case token.depth == token.grant.depth:
		token.grant.depth++
		token.grant.rotated = now
	case token.depth == token.grant.depth-1 && now.Sub(token.grant.rotated) < time.Duration(c.Leeway)*time.Second:
	default:
		token.grant.ended, reused = true, true
		failed = invalidGrant("Unknown or invalid refresh token.")
	}
	i.books.mu.Unlock()
	if reused {
		i.count(&i.counters.Reuse)
	}
	if failed != nil {
		return nil, failed
	}
	return token.grant, nil
}

// covers reports whether a scope is no wider than what was granted (RFC 6749
// section 6).
func (g *grant) covers(scope string) bool {
	for word := range strings.FieldsSeq(scope) {
		if !g.params.has("scope", word) {
			return false
		}
	}
	return true
}

// newRefreshToken is the present refresh token of a grant, or with rotation a
// new one; "" where none was asked for.
func (i *Issuer) newRefreshToken(g *grant, client *Client, presented string) string {
	if !g.params.has("scope", "offline_access") {
		return ""
	}
	if presented != "" && client.NonRotating {
		return presented
	}
	value := "v1." + rand.Text() + rand.Text()
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	i.books.refresh[value] = &refreshToken{grant: g, depth: g.depth}
	return value
}

// revocation answers POST /oauth/revoke (RFC 7009). As with Auth0 the whole grant
// ends with one of its refresh tokens.
func (i *Issuer) revocation(w http.ResponseWriter, r *http.Request, p params) {
	c, failed := i.authenticate(r, p)
	if failed == nil && p["token"] == "" {
		failed = invalidRequest("token: give one")
	}
	if failed == nil {
		i.books.mu.Lock()
		token := i.books.refresh[p["token"]]
		switch {
		case token == nil: // RFC 7009 section 2.2: no error
		case token.grant.client.ID != c.ID:
			failed = invalidRequest("token: it was issued to another client")
		default:
			token.grant.ended = true
		}
		i.books.mu.Unlock()
	}
	if failed != nil {
		failed.write(w, r)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// EndGrants ends the refresh tokens of a user; "" is everybody.
func (i *Issuer) EndGrants(sub string) {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	for _, token := range i.books.refresh {
		if sub == "" || token.grant.user.Sub == sub {
			token.grant.ended = true
		}
	}
}

// machine is a client_credentials grant (RFC 6749 section 4.4) with Auth0's
// audience. A client that is not registered is known, and its secret right.
func (i *Issuer) machine(w http.ResponseWriter, r *http.Request, p params) {
	id := p["client_id"]
	if user, _, basic := r.BasicAuth(); basic {
		id = user
	}
	if i.client(id) != nil || p["client_assertion"] != "" {
		c, failed := i.authenticate(r, p)
		if failed != nil {
			failed.write(w, r)
			return
		}
		id = c.ID
	}
	switch {
	case id == "":
		refuse(w, http.StatusUnauthorized, "invalid_client", "client_id: give one")
	case p["audience"] == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "audience: give the API's identifier")
	default:
		scopes := strings.Fields(p["scope"])
		claims := map[string]any{
			"sub": id + "@clients", "aud": p["audience"], "azp": id,
			"gty": "client-credentials", "permissions": append([]string{}, scopes...),
		}
		if len(scopes) > 0 {
			claims["scope"] = strings.Join(scopes, " ")
		}
		i.issue(w, MintRequest{Claims: claims, ExpiresIn: machineExpiresIn})
	}
}
