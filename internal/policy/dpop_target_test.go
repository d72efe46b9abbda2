package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// shownBy is what APISIX says of a request: the client's own target, its Host
// as it was sent, and the host that nginx routed by.
func shownBy(target, host, routedBy string) map[string]string {
	return map[string]string{
		"scheme": "https", "http_host": host, "host": routedBy,
		"real_request_uri": target, "request_uri": "/decoded-and-normalised",
	}
}

// TestAProofFitsItsOwnURLAlone: a proof for one URL must not fit a request for
// another, whatever the client writes into Host and the request line. All
// outcomes are 401 dpop_failed or a pass: none of it may become a 500.
func TestAProofFitsItsOwnURLAlone(t *testing.T) {
	token := boundToken(t)
	const host = "api.example"
	for i, tt := range []struct {
		name         string
		htu          string
		target, host string
		routedBy     string // "" takes "api.example"
		want         string
	}{
		{"the client's own target", "https://api.example/a%20b", "/a%20b?page=2", host, "", forwarded},
		{"a doubled slash", "https://api.example/a//", "/a//", host, "", forwarded},
		{"an encoded slash", "https://api.example/a%2fb", "/a%2fb", host, "", forwarded},
		{"UTF-8, encoded by the client", "https://api.example/é", "/%c3%a9", host, "", forwarded},
		{"a default port in Host", "https://api.example/a", "/a", "api.example:443", "", forwarded},
		{"an empty port in Host", "https://api.example/a", "/a", "api.example:", "", forwarded},
		{"another port in both", "https://api.example:8443/a", "/a", "api.example:8443", "", forwarded},
		{"Host in upper case", "https://api.example/a", "/a", "API.Example", "", forwarded},
		{"a trailing dot in both", "https://api.example./a", "/a", "api.example.", "", forwarded},
		{"an IPv6 address", "https://[::1]/a", "/a", "[0:0::1]:443", "[0:0::1]", forwarded},
		{"absolute form", "https://api.example/a", "https://api.example/a?b", host, "", forwarded},

		{"Host hides the path behind ?", "https://api.example/", "/secret", "api.example:443?", "", "dpop_failed"},
		{"Host hides the path behind ? without a port", "https://api.example", "/secret", "api.example?", "", "dpop_failed"},
		{"Host hides the path behind #", "https://api.example/", "/secret", "api.example#", "", "dpop_failed"},
		{"Host hides the path behind /?", "https://api.example/", "/secret", "api.example/?", "", "dpop_failed"},
		{"Host brings the path", "https://api.example/a/secret", "/secret", "api.example/a", "", "dpop_failed"},
		{"Host brings the path and a backslash", "https://api.example/a/secret", "/secret", `api.example\a`, "", "dpop_failed"},
		{"Host holds a user", "https://api.example/secret", "/secret", "user@api.example", "", "dpop_failed"},
		{"Host holds a user and a password", "https://api.example/secret", "/secret", "a:b@api.example", "", "dpop_failed"},
		{"Host holds a backslash", "https://api.example/secret", "/secret", `api.example\`, "", "dpop_failed"},
		{"Host holds a tab", "https://api.example/secret", "/secret", "api.example\t", "", "dpop_failed"},
		{"Host holds a space", "https://api.example/secret", "/secret", "api.example ", "", "dpop_failed"},
		{"Host is percent-encoded", "https://api.example/secret", "/secret", "api%2eexample", "", "dpop_failed"},
		{"Host is empty", "https:///secret", "/secret", "", "", "dpop_failed"},
		{"Host is a port", "https://:443/secret", "/secret", ":443", "", "dpop_failed"},
		{"Host has two ports", "https://api.example/secret", "/secret", "api.example:443:443", "", "dpop_failed"},
		{"Host has a port that is no number", "https://api.example/secret", "/secret", "api.example:https", "", "dpop_failed"},
		{"Host has a port too great", "https://api.example/secret", "/secret", "api.example:65979", "", "dpop_failed"},
		{"the default port of another scheme", "https://api.example/secret", "/secret", "api.example:80", "", "dpop_failed"},
		{"a trailing dot in Host alone", "https://api.example/secret", "/secret", "api.example.", "", "dpop_failed"},
		{"two hosts", "https://api.example/secret", "/secret", "api.example, api.example", "", "dpop_failed"},
		{"an address without brackets", "https://[::1]/secret", "/secret", "::1", "[::1]", "dpop_failed"},
		{"a bracket that is not closed", "https://[::1]/secret", "/secret", "[::1", "[::1]", "dpop_failed"},
		{"an address with a zone", "https://[fe80::1%25lo]/secret", "/secret", "[fe80::1%lo]", "[fe80::1%lo]", "dpop_failed"},
		{"routed by another host", "https://api.example/secret", "/secret", host, "other.example", "dpop_failed"},

		{"an encoded slash is no slash", "https://api.example/a/b", "/a%2fb", host, "", "dpop_failed"},
		{"a slash is no encoded slash", "https://api.example/a%2fb", "/a/b", host, "", "dpop_failed"},
		{"an encoded slash beside what needs encoding", "https://api.example/a/b%22", `/a%2fb"`, host, "", "dpop_failed"},
		{"one slash is not two", "https://api.example/a/", "/a//", host, "", "dpop_failed"},
		{"# in the target", "https://api.example/secret%23x", "/secret#x", host, "", "dpop_failed"},
		{"# at the end of the target", "https://api.example/secret", "/secret#", host, "", "dpop_failed"},
		{"a backslash in the target", "https://api.example/a%5Cb", `/a\b`, host, "", "dpop_failed"},
		{"a target that climbs over an empty segment", "https://api.example/a/secret", "/a//../secret", host, "", "dpop_failed"},
		{"a target that climbs over an encoded slash", "https://api.example/secret", "/x%2fy/../secret", host, "", "dpop_failed"},
		{"the other way to write that", "https://api.example/secret", "/x%2Fy/%2e%2E/secret", host, "", "dpop_failed"},
		{"an escape that is none", "https://api.example/%zz", "/%zz", host, "", "dpop_failed"},
		{"an escape that is cut", "https://api.example/%2", "/%2", host, "", "dpop_failed"},
		{"absolute form of another host", "https://api.example/secret", "https://other.example/secret", host, "", "dpop_failed"},
		{"absolute form with a user", "https://api.example/secret", "https://u@api.example/secret", host, "", "dpop_failed"},
		{"absolute form of another scheme", "https://api.example/secret", "http://api.example/secret", host, "", "dpop_failed"},
		{"absolute form that is none", "https://api.example/secret", "https:api.example/secret", host, "", "dpop_failed"},
		{"asterisk form", "https://api.example/", "*", host, "", "dpop_failed"},
		{"authority form", "https://api.example/", "api.example:443", host, "", "dpop_failed"},
	} {
		if tt.routedBy == "" {
			tt.routedBy = "api.example"
		}
		req := dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, tt.htu, fmt.Sprint(i)))
		req.vars = shownBy(tt.target, tt.host, tt.routedBy)
		d := compile(t, route(func(c *config.Config) { c.DPoP = config.Require })).Decide(req)
		if got := outcome(d); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, got, d.Refusal().Cause, tt.want)
		}
		if r := d.Refusal(); tt.want != forwarded && strings.Contains(r.Cause+r.Description, "secret") {
			t.Errorf("%s: the refusal repeats the request: %+v", tt.name, r)
		}
	}
}

// TestAPublicBaseURLStandsForSchemeAndHostAlone: Host has no part in it, and
// the path is compared as ever.
func TestAPublicBaseURLStandsForSchemeAndHostAlone(t *testing.T) {
	token := boundToken(t)
	for i, tt := range []struct{ name, base, htu, target, want string }{
		{"its scheme and host", "https://public.example", "https://public.example/a", "/a", forwarded},
		{"a port", "https://public.example:8443", "https://public.example:8443/a", "/a", forwarded},
		{"its default port", "https://public.example:443", "https://public.example/a", "/a", forwarded},
		{"an IPv6 address", "http://[::1]:8080", "http://[::1]:8080/a", "/a", forwarded},
		{"the host nginx sees", "https://public.example", "https://api.example/a", "/a", "dpop_failed"},
		{"another path", "https://public.example", "https://public.example/", "/a", "dpop_failed"},
		{"a base that cannot be compared", "https://public.example?", "https://public.example/", "/a", "dpop_failed"},
		{"a base that is none", "public.example", "https://public.example/", "/a", "dpop_failed"},
	} {
		req := dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, tt.htu, fmt.Sprint("base", i)))
		req.vars = shownBy(tt.target, "api.example?", "api.example")
		p := compile(t, route(func(c *config.Config) { c.DPoP, c.DPoPBaseURL = config.Require, tt.base }))
		if got := outcome(p.Decide(req)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestTheClientsOwnTargetIsAskedForFirst: before APISIX 3.0 only request_uri is
// there, and it is the client's own.
func TestTheClientsOwnTargetIsAskedForFirst(t *testing.T) {
	token := boundToken(t)
	for i, tt := range []struct {
		name  string
		vars  map[string]string
		asked []string
		want  string
	}{
		{"both", map[string]string{"real_request_uri": "/orders/7?a", "request_uri": "/orders/8"}, []string{"real_request_uri", "scheme", "http_host", "host"}, forwarded},
		{"the older one alone", map[string]string{"real_request_uri": "", "request_uri": "/orders/7?a"}, []string{"real_request_uri", "request_uri", "scheme", "http_host", "host"}, forwarded},
		{"neither", map[string]string{"real_request_uri": "", "request_uri": ""}, []string{"real_request_uri", "request_uri", "scheme", "http_host", "host"}, "dpop_failed"},
	} {
		req := dpopRequest("authorization", "DPoP "+token, "dpop", proofFor(token, clientsURL, fmt.Sprint("first", i)))
		req.vars = map[string]string{"scheme": "https", "http_host": "api.example", "host": "api.example"}
		for name, value := range tt.vars {
			req.vars[name] = value
		}
		p := compile(t, route(func(c *config.Config) { c.DPoP = config.Require }))
		if got := outcome(p.Decide(req)); got != tt.want || !slices.Equal(req.asked, tt.asked) {
			t.Errorf("%s: %s, asked %v", tt.name, got, req.asked)
		}
	}
}
