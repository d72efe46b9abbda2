package gate

import (
	"net/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/resource"
)

// metadata is what a route answers itself: where its clients get tokens (RFC
// 9728).
type metadata struct {
	path           string
	get, preflight refusal.Answer
}

func metadataOf(conf *config.Config) (*metadata, error) {
	p := conf.ProtectedResource
	if p == nil {
		return nil, nil
	}
	document, err := resource.Metadata(conf, "")
	if err != nil {
		return nil, err
	}
	headers := []refusal.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Cache-Control", Value: "public, max-age=60"},
		// The document is public and the same for everybody.
		{Name: "Access-Control-Allow-Origin", Value: "*"},
	}
	m := &metadata{path: p.MetadataPath, get: refusal.Answer{Status: http.StatusOK, Headers: headers, Body: document}}
	m.preflight = m.get // APISIX puts a page of its own in place of an empty body
	m.preflight.Headers = append(headers[:len(headers):len(headers)],
		refusal.Header{Name: "Access-Control-Allow-Methods", Value: "GET, HEAD"},
		refusal.Header{Name: "Access-Control-Allow-Headers", Value: "*"},
	)
	return m, nil
}

// Metadata is the answer to a request for the route's protected resource
// metadata, which needs no token; false is any other request. The caller asks it
// before the gate decides. It never waits.
func (r *Route) Metadata(req Request) (a refusal.Answer, asked bool) {
	if r == nil || r.metadata == nil {
		return refusal.Answer{}, false
	}
	defer func() {
		if recover() != nil { // the gate will meet it too, and denies
			a, asked = refusal.Answer{}, false
		}
	}()
	method := req.Method()
	switch {
	case method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions,
		string(req.PathBytes()) != r.metadata.path, req.HeadersShown() >= policy.MaxHeadersShown:
		return refusal.Answer{}, false
	case method != http.MethodOptions:
		return r.metadata.get, true
	}
	return r.metadata.preflight, isPreflight(req)
}

// isPreflight reports whether an OPTIONS request is a browser's question (Fetch
// standard, "CORS-preflight fetch").
func isPreflight(req Request) bool {
	origin, method := false, false
	for i := range req.NumHeader() {
		name := req.HeaderName(i)
		origin = origin || fold.Equal(name, "origin")
		method = method || fold.Equal(name, "access-control-request-method")
	}
	return origin && method
}
