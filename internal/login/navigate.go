package login

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
)

// Navigation reports whether a person asked for a page with this request, and
// so may be sent to log in: GET or HEAD with Sec-Fetch-Mode navigate and
// Sec-Fetch-Dest document, or, where the browser sends no Sec-Fetch-* at all, an
// Accept that names text/html and no X-Requested-With. A prefetch is none: its
// answer may never be shown. A header that is there twice is not believed.
func Navigation(req Request) bool {
	if m := req.Method(); m != http.MethodGet && m != http.MethodHead || prefetch(req) {
		return false
	}
	if fetchMetadata(req) {
		return only(req, "Sec-Fetch-Mode", "navigate") && only(req, "Sec-Fetch-Dest", "document")
	}
	return AcceptsHTML(req) && !has(req, "X-Requested-With")
}

// AcceptsHTML reports whether the request's Accept names text/html, and not with
// a weight of 0 (RFC 9110 section 12.5.1). Wildcards do not count: scripts send
// them.
func AcceptsHTML(req Request) bool {
	for _, line := range values(req, "Accept") {
		for part := range strings.SplitSeq(line, ",") {
			media, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") && !weightZero(params) {
				return true
			}
		}
	}
	return false
}

func weightZero(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err != nil || !(q > 0) // NaN is no weight either
	}
	return false
}

// prefetch reports whether a browser asks for a page before a person does. The
// last two are what old browsers send.
func prefetch(req Request) bool {
	return has(req, "Sec-Purpose") || has(req, "Purpose") || has(req, "X-Purpose") || has(req, "X-Moz")
}

// subresource reports whether the browser says that the request is not a
// person's step to a page: a script's, an image's, a frame's, a prefetch.
func subresource(req Request) bool {
	return prefetch(req) ||
		has(req, "Sec-Fetch-Mode") && !only(req, "Sec-Fetch-Mode", "navigate") ||
		has(req, "Sec-Fetch-Dest") && !only(req, "Sec-Fetch-Dest", "document")
}

func fetchMetadata(req Request) bool {
	const prefix = "sec-fetch-"
	for i := range req.NumHeader() {
		if name := req.HeaderName(i); len(name) > len(prefix) && fold.Equal(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// values are the values of a header, in order.
func values(req Request, name string) (list []string) {
	for i := range req.NumHeader() {
		if fold.Equal(req.HeaderName(i), name) {
			list = append(list, req.HeaderValue(i))
		}
	}
	return list
}

// has reports whether a header is there, whatever its value.
func has(req Request, name string) bool {
	for i := range req.NumHeader() {
		if fold.Equal(req.HeaderName(i), name) {
			return true
		}
	}
	return false
}

// only reports whether a header is there exactly once and with this value.
func only(req Request, name, value string) bool {
	list := values(req, name)
	return len(list) == 1 && list[0] == value
}
