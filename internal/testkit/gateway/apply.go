package gateway

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// apply does what the runner said. It returns an answer where that was Stop.
func (req *request) apply(verdict a6.Answer) *answer {
	switch {
	case verdict.Stop != nil:
		return req.stop(verdict.Stop)
	case verdict.Rewrite != nil:
		req.rewrite(verdict.Rewrite)
	}
	return nil
}

func (req *request) stop(s *a6.Stop) *answer {
	req.response.answerHeaders(s.Headers, nil)
	status := int(s.Status)
	if status == 0 {
		status = 200
	}
	if len(s.Body) == 0 {
		return &answer{status: status}
	}
	return &answer{status: status, body: s.Body}
}

func (req *request) rewrite(r *a6.Rewrite) {
	for _, entry := range r.Headers {
		req.headers.set(entry.Name, entry.Value)
		if strings.EqualFold(entry.Name, "host") {
			req.upstreamHost, req.hostSet = entry.Value, true
		}
	}
	if len(r.Body) > 0 {
		_, _ = req.readBody()
		req.buffered, req.bodyRead = r.Body, true
	}
	req.response.answerHeaders(r.RespHeaders, notOnRewrite)
	if len(r.Args) > 0 {
		req.query = parseArgs(req.query).rewrite(r.Args).String()
		req.argsChanged = true
	}
	if r.Path != "" {
		req.upstreamURI = withQuery(escapePath(r.Path), req.query)
	}
}

// shownPath is the decoded path, or the one an earlier plugin put in its
// place.
func (req *request) shownPath() string {
	if req.upstreamURI == "" {
		return req.path
	}
	path, _, _ := strings.Cut(req.upstreamURI, "?")
	return path
}

// upstreamTarget is the request line's target for the upstream: the client's
// own bytes unless a plugin changed something.
func (req *request) upstreamTarget() string {
	switch {
	case req.upstreamURI != "":
		path, _, _ := strings.Cut(req.upstreamURI, "?")
		return withQuery(path, req.query)
	case req.argsChanged:
		return withQuery(escapePath(req.path), req.query)
	}
	target, _, _ := strings.Cut(req.target, "#")
	return target
}

func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}
