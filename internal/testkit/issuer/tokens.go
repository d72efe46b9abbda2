package issuer

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"maps"
	"net/http"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// tokens writes the token endpoint's good answer (RFC 6749 section 5.1, Core
// section 3.1.3.3). presented is the refresh token that was redeemed, "" for a
// code; scope narrows what was granted, "" is all.
func (i *Issuer) tokens(w http.ResponseWriter, g *grant, presented, scope string) {
	if scope == "" {
		scope = g.params["scope"]
	}
	client := g.client
	if now := i.client(client.ID); now != nil {
		client = now // its lifetimes may have changed since the login
	}
	access, err := i.accessToken(g, client, scope)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	answer := map[string]any{
		"access_token": access, "token_type": "Bearer", "scope": scope, "expires_in": client.AccessTokenLifetime,
	}
	if (params{"scope": scope}).has("scope", "openid") {
		id, err := i.idToken(g, client, access, presented != "")
		if err != nil {
			refuse(w, http.StatusInternalServerError, "server_error", err.Error())
			return
		}
		if id != "" {
			answer["id_token"] = id
		}
	}
	if refresh := i.newRefreshToken(g, client, presented); refresh != "" {
		answer["refresh_token"] = refresh
	}
	if f, _ := i.fault("token_answer"); f.Fault == "members" {
		overlay(answer, f.Claims)
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

// accessToken is a JWT for the audience that was asked for, or the resource (RFC
// 8707), as Auth0 takes it in its compatibility profile; without either it is an
// opaque text.
func (i *Issuer) accessToken(g *grant, client *Client, scope string) (token string, err error) {
	token = rand.Text()
	if audience := cmp.Or(g.params["audience"], g.params["resource"]); audience != "" {
		claims := map[string]any{
			"sub": g.user.Sub, "aud": audience, "azp": client.ID, "scope": scope,
			"permissions": append([]string{}, g.user.Permissions...), "jti": rand.Text(),
		}
		if (params{"scope": scope}).has("scope", "openid") {
			claims["aud"] = []string{audience, i.url + "userinfo"}
		}
		g.organize(claims)
		maps.Copy(claims, g.user.AccessClaims)
		token, err = i.spoilt("access_token", spoiling{
			request: MintRequest{Claims: claims, ExpiresIn: client.AccessTokenLifetime}, client: client,
		})
	}
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	i.books.access[token] = g
	return token, err
}

// idToken is made as Core section 2 says. One that a refresh brings has no nonce
// (section 12.2). It is "" where a fault leaves it out.
func (i *Issuer) idToken(g *grant, client *Client, access string, refreshed bool) (string, error) {
	claims := map[string]any{"sub": g.user.Sub, "aud": client.ID, "sid": g.sid}
	if nonce := g.params["nonce"]; nonce != "" && !refreshed {
		claims["nonce"] = nonce
	}
	if g.params["max_age"] != "" {
		claims["auth_time"] = g.authTime.Unix()
	}
	if g.acr != "" {
		claims["acr"], claims["amr"] = g.acr, []string{"mfa"}
	}
	maps.Copy(claims, g.user.shown(g.params["scope"]))
	g.organize(claims)
	request := MintRequest{Claims: claims, Omit: []string{"azp"}, ExpiresIn: client.IDTokenLifetime, Alg: client.IDTokenAlg}
	if strings.HasPrefix(request.Alg, "HS") {
		request.Secret = client.Secret
	}
	claims["at_hash"] = atHash(request.Alg, access)
	return i.spoilt("id_token", spoiling{request: request, client: client, access: access})
}

// atHash is the left half of the access token's hash (Core section 3.1.3.6).
func atHash(alg, access string) string {
	switch {
	case strings.HasSuffix(alg, "384"):
		sum := sha512.Sum384([]byte(access))
		return forge.Base64URL(sum[:24])
	case strings.HasSuffix(alg, "512"), strings.HasPrefix(alg, "Ed"):
		sum := sha512.Sum512([]byte(access))
		return forge.Base64URL(sum[:32])
	}
	sum := sha256.Sum256([]byte(access))
	return forge.Base64URL(sum[:16])
}

func (g *grant) organize(claims map[string]any) {
	if g.organization != nil {
		claims["org_id"], claims["org_name"] = g.organization.ID, g.organization.Name
	}
}

// scopeClaims are the claims that a scope asks for (Core section 5.4).
var scopeClaims = map[string]string{
	"name": "profile", "nickname": "profile", "family_name": "profile", "given_name": "profile", "picture": "profile",
	"updated_at": "profile", "email": "email", "email_verified": "email",
}

// shown are the claims that a scope lets an application see; one that is no
// standard claim it always sees.
func (u *User) shown(scope string) map[string]any {
	claims := map[string]any{}
	for name, value := range u.Claims {
		asks, standard := scopeClaims[name]
		if !standard || (params{"scope": scope}).has("scope", asks) {
			claims[name] = value
		}
	}
	return claims
}

// userInfo answers /userinfo (Core section 5.3).
func (i *Issuer) userInfo(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i.books.mu.Lock()
	g := i.books.access[token]
	i.books.mu.Unlock()
	if g == nil || !g.params.has("scope", "openid") {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := g.user.shown(g.params["scope"])
	claims["sub"] = g.user.Sub
	writeJSON(w, http.StatusOK, claims)
}

// overlay lays members over an object; a nil takes one out.
func overlay(object, members map[string]any) {
	for name, value := range members {
		if object[name] = value; value == nil {
			delete(object, name)
		}
	}
}
