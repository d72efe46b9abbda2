package issuer

import (
	"crypto/rand"
	"net/http"
)

// push answers POST /oauth/par (RFC 9126).
func (i *Issuer) push(w http.ResponseWriter, r *http.Request, p params) {
	i.books.asking(p)
	c, failed := i.authenticate(r, p)
	if failed == nil && p["request_uri"] != "" {
		failed = invalidRequest("request_uri: it is not allowed here (RFC 9126 section 2.1)")
	}
	if failed != nil {
		failed.write(w, r)
		return
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(p, name)
	}
	a := &authorization{params: p, client: c, expires: i.now().Add(pushLifetime)}
	if failed = a.checkRedirect(); failed == nil {
		failed = a.check()
	}
	if failed != nil {
		refuse(w, http.StatusBadRequest, failed.code, failed.description)
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	i.books.mu.Lock()
	i.books.pushed[uri] = a
	i.books.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int(pushLifetime.Seconds())})
}

// takePushed finds a request that c pushed; nil without one. It works once.
func (i *Issuer) takePushed(uri string, c *Client) *authorization {
	now := i.now()
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	a := i.books.pushed[uri]
	if a == nil || a.client.ID != c.ID || now.After(a.expires) {
		return nil
	}
	delete(i.books.pushed, uri)
	return a
}
