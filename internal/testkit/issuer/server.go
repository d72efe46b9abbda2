package issuer

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// fault is how an endpoint misbehaves.
type fault struct {
	Path   string `json:"path"`   // jwks or discovery
	Fault  string `json:"fault"`  // status, html, truncated, reset, redirect, empty, wrong_issuer or none
	Status int    `json:"status"` // for status; 0 is 500
}

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"kind": "issuer", "url": i.url})
	})
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		set := i.keySet()
		i.mu.Unlock()
		i.answer(w, "jwks", set, map[string]any{"keys": []any{}})
	})
	mux.HandleFunc("POST /oauth/token", i.clientCredentials)
	mux.HandleFunc("POST /mint", func(w http.ResponseWriter, r *http.Request) {
		var req MintRequest
		if !readJSON(w, r, &req) {
			return
		}
		i.issue(w, req)
	})
	mux.HandleFunc("POST /control/rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := i.Rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /control/revoke", func(http.ResponseWriter, *http.Request) { i.Revoke() })
	mux.HandleFunc("POST /control/fault", func(w http.ResponseWriter, r *http.Request) {
		var f fault
		if !readJSON(w, r, &f) {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.faults[f.Path] = f
	})
	mux.HandleFunc("GET /control/counters", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		writeJSON(w, maps.Clone(i.counters))
	})
	return mux
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer": i.url, "jwks_uri": i.url + ".well-known/jwks.json", "token_endpoint": i.url + "oauth/token",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
	i.answer(w, "discovery", document, map[string]any{})
}

// answer writes an endpoint's document, or its fault.
func (i *Issuer) answer(w http.ResponseWriter, path string, document, empty map[string]any) {
	i.mu.Lock()
	i.counters[path]++
	f := i.faults[path]
	i.mu.Unlock()
	switch f.Fault {
	case "status":
		if f.Status == 0 {
			f.Status = http.StatusInternalServerError
		}
		w.WriteHeader(f.Status)
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>maintenance</body></html>"))
	case "truncated":
		body, _ := json.Marshal(document)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case "reset":
		panic(http.ErrAbortHandler)
	case "redirect":
		w.Header().Set("Location", i.url+"elsewhere")
		w.WriteHeader(http.StatusFound)
	case "empty":
		writeJSON(w, empty)
	case "wrong_issuer":
		document["issuer"] = "https://elsewhere.example/"
		writeJSON(w, document)
	default:
		writeJSON(w, document)
	}
}

// clientCredentials is Auth0's token endpoint for machines (RFC 6749 section
// 4.4); it takes every client.
func (i *Issuer) clientCredentials(w http.ResponseWriter, r *http.Request) {
	req := struct {
		GrantType string `json:"grant_type"`
		ClientID  string `json:"client_id"`
		Audience  string `json:"audience"`
		Scope     string `json:"scope"`
	}{r.FormValue("grant_type"), r.FormValue("client_id"), r.FormValue("audience"), r.FormValue("scope")}
	if req.GrantType == "" && !readJSON(w, r, &req) {
		return
	}
	if req.GrantType != "client_credentials" || req.ClientID == "" || req.Audience == "" {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{
		"sub": req.ClientID + "@clients", "aud": req.Audience, "azp": req.ClientID, "gty": "client-credentials",
	}
	if req.Scope != "" {
		claims["scope"] = req.Scope
	}
	i.issue(w, MintRequest{Claims: claims})
}

func (i *Issuer) issue(w http.ResponseWriter, req MintRequest) {
	token, err := i.Mint(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	i.counters["token"]++
	i.mu.Unlock()
	expires := req.ExpiresIn
	if expires == 0 {
		expires = 3600
	}
	writeJSON(w, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": expires})
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(v); err != nil {
		http.Error(w, "the body is not the JSON asked for", http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is the client gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
