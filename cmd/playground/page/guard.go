package page

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// maxBody bounds what is sent to the page, in bytes.
const maxBody = 256 << 10

// tokenHeader is what a call that changes something carries. A page of another
// origin can neither read the token nor send the header without being asked for
// leave, which nobody gives.
const tokenHeader = "X-Playground-Token"

// guard lets through what the page itself asks for. Other sites that are open in
// the same browser reach this address too: by a name of theirs that leads to
// loopback, by a form, or by a script.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", policy(""))
		h.Set("Cache-Control", "no-store")
		if !s.named(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "This address is the playground's: open http://"+s.addr+"/.")
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
			fail(w, http.StatusForbidden, "Only the playground's own page may ask.")
			return
		}
		if r.URL.Path != "/" && foreign(r.Header.Get("Sec-Fetch-Site")) {
			fail(w, http.StatusForbidden, "Only the playground's own page may ask.")
			return
		}
		if !s.mayChange(r) {
			fail(w, http.StatusForbidden, "The page's token is missing or of an earlier start: load the page again.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// foreign reports whether a browser says that a page of another origin asks. An
// image or a script element sends no Origin, and with some of them on the live view
// nobody else could watch it. A link to the page itself is no harm.
func foreign(site string) bool { return site == "cross-site" || site == "same-site" }

// named reports whether a Host is one of the page's two names.
func (s *Server) named(host string) bool {
	return host == s.addr || host == "localhost"+s.addr[strings.LastIndexByte(s.addr, ':'):]
}

// mayChange reports whether a request changes nothing, or has the token.
func (s *Server) mayChange(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	given := r.Header.Values(tokenHeader)
	return len(given) == 1 && subtle.ConstantTimeCompare([]byte(given[0]), []byte(s.token)) == 1
}

// policy is the Content-Security-Policy. A nonce lets the editor's style elements
// in; "" lets none in.
func policy(nonce string) string {
	styles := "'self'"
	if nonce != "" {
		styles += " 'nonce-" + nonce + "'"
	}
	return "default-src 'none'; script-src 'self'; style-src " + styles + "; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
