package page

import (
	"maps"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// variant is a kind of token that one click makes.
type variant struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	About string `json:"about"`

	tenant Tenant
	bound  binding
	spoil  func(r *issuer.MintRequest, now time.Time)
}

// binding says whether a token is bound to a key, and comes with a proof of it.
type binding uint8

const (
	unbound binding = iota
	boundWithProof
	boundWithoutProof
)

var variants = []variant{
	{ID: "valid", Title: "Good token", About: "Signed by the issuer, for this API, and good for an hour."},
	{ID: "expired", Title: "Expired", About: "It was good until an hour ago.", spoil: func(r *issuer.MintRequest, now time.Time) {
		r.ExpiresIn = -3600
		r.Claims["iat"] = now.Add(-2 * time.Hour).Unix()
	}},
	{ID: "forged", Title: "Forged", About: "It names the issuer's key, and another key signed it.", spoil: func(r *issuer.MintRequest, _ time.Time) {
		r.Key = "rogue"
	}},
	{ID: "wrong-audience", Title: "Wrong audience", About: "A good token that the issuer made for another API.", spoil: func(r *issuer.MintRequest, _ time.Time) {
		r.Claims["aud"] = "https://billing.example.com"
	}},
	{ID: "other-tenant", Title: "Other tenant", About: "The second local issuer made it, with keys of its own.", tenant: Other},
	{ID: "id-token", Title: "ID token", About: "It tells an application who logged in, and is not meant for an API.", spoil: idToken},
	{ID: "dpop-bound", Title: "DPoP-bound", About: "It is bound to the client's key, and comes with a fresh proof.", bound: boundWithProof},
	{ID: "dpop-stolen", Title: "DPoP-bound, stolen", About: "The same token without the key: whoever stole it has no proof.", bound: boundWithoutProof},
}

func variantOf(id string) (variant, bool) {
	for _, v := range variants {
		if v.ID == id {
			return v, true
		}
	}
	return variant{}, false
}

// idToken makes an ID token as Auth0 writes one: for an application, and without
// what an API asks for.
func idToken(r *issuer.MintRequest, now time.Time) {
	for _, name := range []string{"scope", "permissions", "client_id"} {
		delete(r.Claims, name)
	}
	maps.Copy(r.Claims, map[string]any{
		"aud": "Qm4pT7vXb2LhZc9RkWs3Yd8NfGj6TaVe", "nonce": "n-0S6_WzA2Mj", "sid": "s-1", "auth_time": now.Unix(), "name": "Ann Example",
	})
	r.Omit = append(r.Omit, "azp")
}
