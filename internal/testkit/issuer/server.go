package issuer

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
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
	i.document(mux, "discovery", "/.well-known/openid-configuration", &i.counters.Discovery, i.discovery)
	i.document(mux, "jwks", "/.well-known/jwks.json", &i.counters.JWKS, i.keySet)
	i.browser(mux, "authorize", "/authorize", &i.counters.Authorize, i.authorize)
	i.browser(mux, "logout", "/oidc/logout", &i.counters.Logout, i.logout)
	i.browser(mux, "logout", "/v2/logout", &i.counters.Logout, i.logoutV2)
	i.browser(mux, "userinfo", "/userinfo", &i.counters.UserInfo, i.userInfo)
	mux.HandleFunc("POST /u/login", i.submit)
	i.machines(mux, "par", "/oauth/par", &i.counters.PAR, i.push)
	i.machines(mux, "token", "/oauth/token", &i.counters.Token, i.token)
	i.machines(mux, "revocation", "/oauth/revoke", &i.counters.Revocation, i.revocation)
	mux.HandleFunc("POST /mint", i.mint)
	i.control(mux)
	return mux
}

// document serves a document that can have a fault, and what a redirect of it
// leads to: the good document, so that whoever follows gives itself away.
func (i *Issuer) document(mux *http.ServeMux, name, path string, counter *int, document func() map[string]any) {
	good := func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, document()) }
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		i.count(counter)
		i.serve(w, r, name, good)
	})
	mux.HandleFunc("GET /elsewhere/"+name, good)
}

// browser serves an endpoint that takes its parameters from a query or a form.
func (i *Issuer) browser(mux *http.ServeMux, name, path string, counter *int, good http.HandlerFunc) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
			i.count(counter)
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if err := r.ParseForm(); err != nil {
				page(w, http.StatusBadRequest, "The parameters cannot be read")
				return
			}
			i.serve(w, r, name, good)
		})
	}
}

// machines serves an endpoint that clients post a form, or JSON, to.
func (i *Issuer) machines(mux *http.ServeMux, name, path string, counter *int, good func(http.ResponseWriter, *http.Request, params)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		i.count(counter)
		p, failed := readParams(w, r)
		if name == "token" {
			switch p["grant_type"] {
			case "authorization_code":
				i.count(&i.counters.Exchange)
			case "refresh_token":
				i.count(&i.counters.Refresh)
			}
		}
		i.serve(w, r, name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store") // RFC 6749 section 5.1
			if failed != nil {
				failed.write(w, r)
				return
			}
			good(w, r, p)
		})
	})
}

func (i *Issuer) discovery() map[string]any {
	settings := i.settings()
	document := map[string]any{
		"issuer":                                           i.url,
		"authorization_endpoint":                           i.public + "authorize",
		"token_endpoint":                                   i.url + "oauth/token",
		"userinfo_endpoint":                                i.url + "userinfo",
		"jwks_uri":                                         i.url + ".well-known/jwks.json",
		"revocation_endpoint":                              i.url + "oauth/revoke",
		"end_session_endpoint":                             i.public + "oidc/logout",
		"pushed_authorization_request_endpoint":            i.url + "oauth/par",
		"require_pushed_authorization_requests":            settings.RequirePAR,
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"subject_types_supported":                          []string{"public"},
		"scopes_supported":                                 []string{"openid", "profile", "offline_access", "email"},
		"claims_supported":                                 []string{"aud", "auth_time", "email", "email_verified", "exp", "iat", "iss", "name", "nickname", "sub"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "RS384", "PS256", "ES256", "EdDSA"},
		"id_token_signing_alg_values_supported":            []string{"HS256", "RS256", "PS256"},
		"request_uri_parameter_supported":                  false,
		"request_parameter_supported":                      false,
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
		"authorization_response_iss_parameter_supported":   !settings.WithoutIss,
	}
	overlay(document, settings.Discovery)
	return document
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

// readParams reads a form, or JSON as Auth0 takes it. A basic Authorization is
// read where a client authenticates.
func readParams(w http.ResponseWriter, r *http.Request) (params, *oauthFailure) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		p := params{}
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			return nil, invalidRequest("the body is not the JSON that is asked for")
		}
		_, _ = io.Copy(io.Discard, r.Body) // else the context does not end when the client goes
		return p, nil
	}
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("the body is not the form that is asked for")
	}
	return once(r.PostForm)
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
