package page

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// example is a configuration to begin with, and a caller for whom it matters.
type example struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	About   string  `json:"about"` // one plain sentence
	Config  string  `json:"config"`
	Request request `json:"request"`
	Caller  caller  `json:"caller"`
}

// Leaver is the user who is revoked from the start, for the example of it.
const Leaver = "auth0|leaver"

// object is a JSON object whose members stay in order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, m := range o {
		if n > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o object) text() string {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // texts, numbers and lists
	}
	return string(text)
}

// examples are those of a site, whose issuers are in every configuration.
func examples(site Site) []example {
	ours := func(more ...member) string {
		return append(object{{"issuer", site.Issuer}, {"audience", issuer.DefaultAudience}}, more...).text()
	}
	get := func(headers ...[2]string) request {
		return request{"GET", tryPrefix + "orders", append([][2]string{}, headers...)}
	}
	minted := func(variant string, claims map[string]any) caller {
		return caller{Kind: "minted", Variant: variant, Claims: claims}
	}
	return []example{
		{
			ID: "email", Title: "Email must be verified",
			About: "Only users whose email address is verified may pass, and the upstream is told who they are.",
			Config: ours(
				member{"claims", object{{"email_verified", true}}},
				member{"claim_headers", object{{"X-User-Id", "sub"}, {"X-User-Email", "email"}}},
			),
			Request: get([2]string{"X-User-Id", "mallory"}),
			Caller:  minted("valid", map[string]any{"sub": "auth0|alice", "email": "alice@example.com", "email_verified": false}),
		},
		{
			ID: "machine", Title: "Machine-to-machine scopes",
			About: "A service calls with a token of its own, which needs the scope for what it does.",
			Config: ours(
				member{"required_scopes", []string{"read:orders"}},
				member{"allowed_clients", []string{"billing-service"}},
				member{"claim_headers", object{{"X-Client-Id", "azp"}, {"X-Scopes", "scope"}}},
			),
			Request: get(),
			Caller:  minted("valid", map[string]any{"sub": "billing-service@clients", "azp": "billing-service", "gty": "client-credentials", "scope": "read:invoices"}),
		},
		{
			ID: "tenants", Title: "Two tenants",
			About: "One route takes the tokens of two issuers, each verified with its own issuer's keys only.",
			Config: object{
				{"issuers", []object{
					{{"issuer", site.Issuer}, {"audience", issuer.DefaultAudience}},
					{{"issuer", site.OtherIssuer}, {"audience", "https://partners.example.com"}},
				}},
				{"claim_headers", object{{"X-User-Id", "sub"}, {"X-Tenant", "iss"}}},
			}.text(),
			Request: get(),
			Caller:  minted("other-tenant", map[string]any{"sub": "auth0|partner"}),
		},
		{
			ID: "organization-mfa", Title: "Organization and MFA",
			About: "Members of one organization may pass, once they have logged in with a second factor.",
			Config: ours(
				member{"organizations", []string{"acme"}},
				member{"require_mfa", true},
				member{"claim_headers", object{{"X-User-Id", "sub"}, {"X-Organization", "org_name"}}},
			),
			Request: get(),
			Caller:  minted("valid", map[string]any{"sub": "auth0|alice", "org_id": "org_Kx81Wn", "org_name": "acme", "amr": []string{"pwd"}}),
		},
		{
			ID: "dpop", Title: "DPoP",
			About: "A stolen token is of no use: each request needs a fresh proof, signed with the client's own key.",
			Config: ours(
				member{"dpop", "require"},
				member{"claim_headers", object{{"X-User-Id", "sub"}}},
			),
			Request: get(),
			Caller:  minted("dpop-stolen", map[string]any{"sub": "auth0|alice"}),
		},
		{
			ID: "login", Title: "Web app behind login",
			About: "A browser that opens a page without a session is sent to log in, and comes back to that page.",
			Config: object{
				{"issuer", site.Issuer},
				{"login", object{
					{"client_id", site.Client},
					{"client_secret", "$env://" + site.ClientSecret},
					{"redirect_uri", site.Gateway + tryPrefix + "callback"},
					{"login_path", tryPrefix + "login"},
					{"logout_path", tryPrefix + "logout"},
					{"post_logout_redirect_uri", site.Gateway + "/public/goodbye"},
					{"subject_token", "id_token"},
					{"session", object{{"secret", "$env://" + site.SessionSecret}, {"cookie", "try_session"}}},
				}},
				{"claim_headers", object{{"X-User-Id", "sub"}, {"X-User-Name", "name"}, {"X-User-Email", "email"}}},
			}.text(),
			Request: get([2]string{"Accept", "text/html"}, [2]string{"Sec-Fetch-Mode", "navigate"}, [2]string{"Sec-Fetch-Dest", "document"}, [2]string{"Sec-Fetch-Site", "none"}),
			Caller:  caller{Kind: "none"},
		},
		{
			ID: "revoked", Title: "Revoked",
			About: "This user was revoked when the playground started: the token is good by its dates, and is refused all the same.",
			Config: ours(
				member{"claim_headers", object{{"X-User-Id", "sub"}}},
			),
			Request: get(),
			Caller:  minted("valid", map[string]any{"sub": Leaver, "iat": site.Began.Add(-time.Minute).Unix()}),
		},
	}
}
