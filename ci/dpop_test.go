package ci_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// boundToOwnEC is a token that only the holder of ownEC may use.
func boundToOwnEC() string {
	return claims(map[string]any{"cnf": map[string]any{"jkt": forge.Thumbprint(ownEC)}})
}

// TestDPoPPaths has proofs whose htu is the URL as the client wrote it, for
// paths that the gateway decodes and normalises.
func TestDPoPPaths(t *testing.T) {
	bound := boundToOwnEC()
	r := newRoute(t, identityOwn.with(policy{"dpop": "require"}))
	proven := func(path, of string) request {
		jti := fmt.Sprintf("e2e-path-%s-%s-%s", suiteID, path, of)
		return request{path: path, headers: [][2]string{{"Authorization", "DPoP " + bound}, {"DPoP", r.dpopProof(bound, of, jti)}}}
	}
	for _, path := range []string{"/a/x", "/a//x", "/a%20b", "/a%2fb", "/a%2Fb", "/%C3%A9", "/a/../x", "/a%3Fb", "/a%25b"} {
		run(t, "a proof for "+path, func(t *testing.T) {
			e := r.sendRaw(t, proven(path, path)).passed(t)
			e.has(t, "X-User-Id", subject)
			if e.Path != r.prefix+path {
				t.Errorf("the upstream got the path %q", e.Path)
			}
		})
		run(t, "a proof for "+path+" with arguments", func(t *testing.T) {
			req := proven(path, path)
			req.query, req.headers[1][1] = "a=%2f&b", r.dpopProof(bound, path, "e2e-args-"+suiteID+path)
			r.sendRaw(t, req).passed(t).has(t, "X-User-Id", subject)
		})
	}
	for path, of := range map[string]string{
		"/a%2fb": "/a/b", "/a%2520b": "/a%20b", "/a%3Fb": "/a", "/b/x": "/a/x",
	} {
		run(t, "at "+path+" a proof for "+of+" is refused", func(t *testing.T) {
			r.refusesProof(t, proven(path, of))
		})
	}
}

// TestDPoPHost sends proofs for the root of the host to another path, with a
// Host header that would make the path a query or a fragment.
func TestDPoPHost(t *testing.T) {
	bound := boundToOwnEC()
	r := newRoute(t, identityOwn.with(policy{"dpop": "require"}))
	host := must(url.Parse(under.gateway)).Host
	for n, suffix := range []string{"?", "#", "?x", "#x"} {
		run(t, "Host with "+suffix, func(t *testing.T) {
			proof := route{prefix: ""}.dpopProof(bound, "/", fmt.Sprintf("e2e-host-%s-%d", suiteID, n))
			r.refusesProof(t, request{host: host + suffix, headers: [][2]string{{"Authorization", "DPoP " + bound}, {"DPoP", proof}}})
		})
	}
	run(t, "Host as it is", func(t *testing.T) {
		proof := r.dpopProof(bound, "/x", "e2e-host-"+suiteID)
		r.sendRaw(t, request{host: host, headers: [][2]string{{"Authorization", "DPoP " + bound}, {"DPoP", proof}}}).passed(t)
	})
}

func (r route) refusesProof(t *testing.T, req request) {
	t.Helper()
	r.refusesRaw(t, req, refusal{status: 401, code: "invalid_dpop_proof", scheme: "DPoP"})
}
