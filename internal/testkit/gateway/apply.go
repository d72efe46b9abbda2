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

// rewrite is in the order of APISIX's ext-plugin/init.lua. Arguments reach
// upstream_uri only where a path was sent with them.
func (req *request) rewrite(r *a6.Rewrite) {
	for _, entry := range r.Headers {
		req.setHeader(entry)
		if strings.EqualFold(entry.Name, "host") {
			req.upstreamHost = entry.Value
		}
	}
	if len(r.Body) > 0 {
		_, _ = req.readBody()
		req.buffered, req.bodyRead = r.Body, true
	}
	req.response.answerHeaders(r.RespHeaders, notOnRewrite)
	if len(r.Args) > 0 {
		args := parseArgs(req.query)
		args.rewrite(r.Args)
		req.setArgs(args.String())
	}
	if r.Path != "" {
		req.upstreamURI = withQuery(escapePath(r.Path), req.query)
	}
}

// setArgs is ngx.req.set_uri_args: from now on nginx makes the target of
// path and arguments and no longer takes the client's own bytes.
func (req *request) setArgs(query string) {
	req.query, req.argsSet = query, true
}

// shownPath is the decoded path, or what an earlier plugin put into
// upstream_uri, whose arguments become the request's own.
func (req *request) shownPath() string {
	if req.upstreamURI == "" {
		return req.path
	}
	path, query, there := strings.Cut(req.upstreamURI, "?")
	if there {
		req.setArgs(query)
	}
	return path
}

// upstreamTarget is the request line's target for the upstream: upstream_uri
// where a plugin wrote it, whatever became of the arguments since, else the
// client's own bytes, or what nginx makes of the path where arguments were set.
func (req *request) upstreamTarget() string {
	switch {
	case req.upstreamURI != "":
		return req.upstreamURI
	case !req.argsSet && strings.HasPrefix(req.target, "/"):
		return req.target
	case strings.Contains(req.rawPath, "%"):
		return withQuery(escapePath(req.path), req.query)
	}
	return withQuery(req.path, req.query)
}
