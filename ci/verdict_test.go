package ci_test

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const defaultRealm = "auth0-jwt"

// refusal is what a refused request is answered with.
type refusal struct {
	status int
	code   string // of the JSON body, and of the challenge unless it is bare
	bare   bool   // a challenge without an error (RFC 6750 section 3.1)
	scheme string // of the challenge; "" is Bearer
	scope  string // of the challenge
}

var (
	noToken      = refusal{status: 401, code: "missing_token", bare: true}
	badToken     = refusal{status: 401, code: "invalid_token"}
	twoTokens    = refusal{status: 400, code: "invalid_request"}
	tooMany      = refusal{status: 431, code: "invalid_request"}
	denied       = refusal{status: 403, code: "access_denied"}
	badConfig    = refusal{status: 500, code: "server_error"}
	noKeys       = refusal{status: 503, code: "temporarily_unavailable"}
	boundToDPoP  = refusal{status: 401, code: "invalid_token", scheme: "DPoP"}
	missingScope = func(scope string) refusal {
		return refusal{status: 403, code: "insufficient_scope", scope: scope}
	}
)

// refuses sends a request and wants this refusal, the upstream untouched and
// nothing of the token in the answer.
func (r route) refuses(t *testing.T, req request, want refusal, secrets ...string) answer {
	t.Helper()
	before := under.upstream.requests(t)
	a := r.send(t, req)
	a.isRefusal(t, want)
	if n := under.upstream.requests(t) - before; n != 0 {
		t.Errorf("the refused request reached the upstream %d times", n)
	}
	a.hides(t, append(slices.Clone(secrets), req.token)...)
	return a
}

// isRefusal checks everything an answer says about itself.
func (a answer) isRefusal(t *testing.T, want refusal) {
	t.Helper()
	if a.status != want.status {
		t.Fatalf("status %d, want %d: %v", a.status, want.status, a)
	}
	if got, _, err := mime.ParseMediaType(a.header.Get("Content-Type")); err != nil || got != "application/json" {
		t.Errorf("Content-Type %q, want application/json", a.header.Get("Content-Type"))
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("the body is no JSON object: %v", a)
	}
	if body["error"] != want.code {
		t.Errorf("error %v in the body, want %q", body["error"], want.code)
	}
	description, _ := body["error_description"].(string)
	if description == "" || len(body) != 2 {
		t.Errorf("the body is not an error and its description: %s", a.body)
	}
	if want.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After on a 503")
	}
	a.challenges(t, want, description)
}

func (a answer) challenges(t *testing.T, want refusal, description string) {
	t.Helper()
	if want.status != 401 && want.code != "insufficient_scope" {
		return
	}
	lines := a.header.Values("WWW-Authenticate")
	if len(lines) != 1 {
		t.Fatalf("%d WWW-Authenticate headers, want one", len(lines))
	}
	if want.bare {
		if bare := `Bearer realm="` + defaultRealm + `"`; lines[0] != bare {
			t.Errorf("WWW-Authenticate %q, want %q", lines[0], bare)
		}
		return
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	if wanted := cmp.Or(want.scheme, "Bearer"); scheme != wanted {
		t.Errorf("a challenge of scheme %q, want %q", scheme, wanted)
	}
	params := authParams(rest)
	for name, value := range map[string]string{
		"realm": defaultRealm, "error": want.code, "error_description": description, "scope": want.scope,
	} {
		if got := params[name]; got != value {
			t.Errorf("%s=%q in the challenge, want %q", name, got, value)
		}
	}
}

// authParams reads quoted parameters without escapes: RFC 6750 section 3
// allows none in the ones it names.
func authParams(s string) map[string]string {
	params := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, `="`)
		value, after, closed := strings.Cut(rest, `"`)
		if !ok || !closed {
			return nil
		}
		params[strings.TrimLeft(name, ", ")] = value
		s = after
	}
	return params
}

// hides wants none of these texts, and no part of a token among them, anywhere
// in the answer.
func (a answer) hides(t *testing.T, secrets ...string) {
	t.Helper()
	var all strings.Builder
	for name, values := range a.header {
		all.WriteString(name + ": " + strings.Join(values, " ") + "\n")
	}
	all.Write(a.body)
	shown := all.String()
	const short = 12 // parts below it are no secret
	for _, secret := range slices.Concat(secrets, []string{marker}) {
		for part := range strings.SplitSeq(secret, ".") {
			if len(part) >= short && strings.Contains(shown, part) {
				t.Errorf("the answer repeats %d bytes of the token", len(part))
			}
		}
	}
}

// passes sends a request and wants it to reach the upstream once.
func (r route) passes(t *testing.T, req request) *echo {
	t.Helper()
	before := under.upstream.requests(t)
	a := r.send(t, req)
	e := a.passed(t)
	if n := under.upstream.requests(t) - before; n != 1 {
		t.Errorf("the request reached the upstream %d times, want once", n)
	}
	return e
}

func (a answer) passed(t *testing.T) *echo {
	t.Helper()
	if a.status != http.StatusOK || a.echo == nil {
		t.Fatalf("want the upstream's answer, got %v", a)
	}
	return a.echo
}

// has wants exactly these values under a header and every spelling of it.
func (e *echo) has(t *testing.T, name string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := e.values(name); !slices.Equal(got, want) {
		t.Errorf("the upstream got %s %q, want %q", name, got, want)
	}
}
