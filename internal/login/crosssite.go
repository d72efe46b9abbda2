package login

import (
	"net/http"
	"strings"
)

// CrossSite reports whether a request that lives on a session alone must be
// refused because another site may have made the browser send it: it is not
// safe (RFC 9110 section 9.2.1), or opens a WebSocket, which no same-origin
// policy guards, and comes from elsewhere as [Flow.foreign] says.
func (f *Flow) CrossSite(req Request) bool {
	return (!safe(req.Method()) || webSocket(req)) && f.foreign(req)
}

// RefuseCrossSite is the answer to a request that [Flow.CrossSite] names.
func (f *Flow) RefuseCrossSite(req Request) Answer {
	return f.answer(req, page{
		status: http.StatusForbidden, reason: ReasonCrossSite, code: "access_denied",
		title: "This request came from another site",
		text:  "Another site asked for a change here in your name, so nothing was done. Open the application itself and try again there.",
		cause: "a request that is not safe came from another site",
	})
}

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

func webSocket(req Request) bool {
	for _, v := range values(req, "Upgrade") {
		if strings.Contains(strings.ToLower(v), "websocket") {
			return true
		}
	}
	return false
}

// foreign reports whether the browser says that the request comes from another
// origin: Sec-Fetch-Site is there and neither same-origin nor none, or it is
// missing and Origin is there and not the application's. Either header twice, or
// with any other text, is foreign. A request with neither header is not: old
// browsers send none for a link, and programs have no session to abuse.
func (f *Flow) foreign(req Request) bool {
	if has(req, "Sec-Fetch-Site") {
		return !only(req, "Sec-Fetch-Site", "same-origin") && !only(req, "Sec-Fetch-Site", "none")
	}
	return has(req, "Origin") && !only(req, "Origin", f.o.Login.Origin)
}
