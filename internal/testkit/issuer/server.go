package issuer

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
)

const (
	maxBody          = 1 << 20 // bytes of a request
	machineExpiresIn = 86400   // seconds, Auth0's default for an API
)

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"kind": "issuer", "url": i.url})
	})
	i.endpoint(mux, "discovery", "/.well-known/openid-configuration", &i.counters.Discovery, i.discovery)
	i.endpoint(mux, "jwks", "/.well-known/jwks.json", &i.counters.JWKS, i.keySet)
	mux.HandleFunc("POST /oauth/token", i.token)
	mux.HandleFunc("POST /mint", i.mint)
	mux.HandleFunc("POST /control/rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := i.Rotate(); err != nil {
			refuse(w, http.StatusInternalServerError, "server_error", err.Error())
		}
	})
	mux.HandleFunc("POST /control/revoke", func(http.ResponseWriter, *http.Request) { i.Revoke() })
	mux.HandleFunc("POST /control/fault", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		err := readJSON(w, r, &f)
		if err == nil {
			err = i.SetFault(f)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		}
	})
	mux.HandleFunc("GET /control/counters", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, i.Counters())
	})
	return mux
}

// endpoint serves a document that can have a fault, and what a redirect of it
// leads to: the good document, so that whoever follows gives itself away.
func (i *Issuer) endpoint(mux *http.ServeMux, name, path string, counter *int, document func() map[string]any) {
	empty := map[string]any{}
	if name == "jwks" {
		empty["keys"] = []any{}
	}
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		i.count(counter)
		i.answer(w, r, name, endpoint{document: document(), empty: empty, elsewhere: i.url + "elsewhere/" + name})
	})
	mux.HandleFunc("GET /elsewhere/"+name, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, document())
	})
}

func (i *Issuer) discovery() map[string]any {
	return map[string]any{
		"issuer":                                i.url,
		"authorization_endpoint":                i.url + "authorize",
		"token_endpoint":                        i.url + "oauth/token",
		"jwks_uri":                              i.url + ".well-known/jwks.json",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"grant_types_supported":                 []string{"client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"id_token_signing_alg_values_supported": []string{"HS256", "RS256", "PS256"},
	}
}

// mint answers POST /mint: any token that a test asks for.
func (i *Issuer) mint(w http.ResponseWriter, r *http.Request) {
	i.count(&i.counters.Mint)
	var req MintRequest
	if err := readJSON(w, r, &req); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	i.issue(w, req)
}

// tokenRequest is a client_credentials grant (RFC 6749 section 4.4) with
// Auth0's audience.
type tokenRequest struct {
	GrantType string `json:"grant_type"`
	ClientID  string `json:"client_id"`
	Audience  string `json:"audience"`
	Scope     string `json:"scope"`
}

// token answers POST /oauth/token. Every client is known and its secret right.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.count(&i.counters.Token)
	req, err := readTokenRequest(w, r)
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is neither the JSON nor the form that is asked for")
	case req.GrantType != "client_credentials":
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type: give client_credentials")
	case req.ClientID == "":
		refuse(w, http.StatusUnauthorized, "invalid_client", "client_id: give one")
	case req.Audience == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "audience: give the API's identifier")
	default:
		scopes := strings.Fields(req.Scope)
		claims := map[string]any{
			"sub": req.ClientID + "@clients", "aud": req.Audience, "azp": req.ClientID,
			"gty": "client-credentials", "permissions": append([]string{}, scopes...),
		}
		if len(scopes) > 0 {
			claims["scope"] = strings.Join(scopes, " ")
		}
		i.issue(w, MintRequest{Claims: claims, ExpiresIn: machineExpiresIn})
	}
}

func readTokenRequest(w http.ResponseWriter, r *http.Request) (tokenRequest, error) {
	var req tokenRequest
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			return req, err
		}
	} else {
		if err := r.ParseForm(); err != nil {
			return req, err
		}
		form := r.PostForm
		req = tokenRequest{form.Get("grant_type"), form.Get("client_id"), form.Get("audience"), form.Get("scope")}
	}
	if id, _, ok := r.BasicAuth(); ok {
		req.ClientID = id
	}
	return req, nil
}

func (i *Issuer) issue(w http.ResponseWriter, req MintRequest) {
	token, err := i.Mint(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	answer := map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": req.lifetime()}
	if scope, ok := req.Claims["scope"]; ok {
		answer["scope"] = scope
	}
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	writeJSON(w, http.StatusOK, answer)
}

// readJSON takes no member that it does not know, so that a misspelt one in a
// test is noticed, and keeps numbers as they are written.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(v); err != nil && err != io.EOF { // no body asks for the defaults
		return err
	}
	return nil
}

func refuse(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here is the client gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
