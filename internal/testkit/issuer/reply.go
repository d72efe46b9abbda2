package issuer

import (
	"net/http"
	"net/url"
)

// callbackFaults change what a browser brings back.
var callbackFaults = map[string]func(url.Values, Fault){
	"error": func(v url.Values, f Fault) {
		v.Del("code")
		v.Set("error", f.Code)
		v.Set("error_description", "the fault that was asked for")
	},
	"wrong_iss":      func(v url.Values, _ Fault) { v.Set("iss", "https://elsewhere.example/") },
	"no_iss":         func(v url.Values, _ Fault) { v.Del("iss") },
	"wrong_state":    func(v url.Values, _ Fault) { v.Set("state", "x"+v.Get("state")) },
	"no_state":       func(v url.Values, _ Fault) { v.Del("state") },
	"wrong_code":     func(v url.Values, _ Fault) { v.Set("code", "x"+v.Get("code")) },
	"repeated_code":  func(v url.Values, _ Fault) { v.Add("code", v.Get("code")) },
	"repeated_state": func(v url.Values, _ Fault) { v.Add("state", v.Get("state")) },
}

// fail answers an error to the application (RFC 6749 section 4.1.2.1).
func (i *Issuer) fail(w http.ResponseWriter, r *http.Request, a *authorization, code, description string) {
	i.reply(w, r, a, url.Values{"error": {code}, "error_description": {description}})
}

// reply sends the browser back, with state and iss (RFC 9207).
func (i *Issuer) reply(w http.ResponseWriter, r *http.Request, a *authorization, values url.Values) {
	if state := a.params["state"]; state != "" {
		values.Set("state", state)
	}
	if !i.settings().WithoutIss {
		values.Set("iss", i.url)
	}
	f, _ := i.fault("callback")
	if spoil := callbackFaults[f.Fault]; spoil != nil {
		spoil(values, f)
	}
	sendBack(w, r, a.params["redirect_uri"], values)
}

// sendBack redirects to a registered URI, whose own query stays.
func sendBack(w http.ResponseWriter, r *http.Request, uri string, values url.Values) {
	to, err := url.Parse(uri)
	if err != nil {
		page(w, http.StatusBadRequest, "The URI to go back to is registered and cannot be parsed")
		return
	}
	query := to.Query()
	for name, all := range values {
		query[name] = append(query[name], all...)
	}
	to.RawQuery = query.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusFound)
}
