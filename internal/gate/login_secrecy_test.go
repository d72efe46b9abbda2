package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	provider "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// tapped is what goes between a gate and an issuer, and remembers the secrets in it.
type tapped struct {
	mu      sync.Mutex
	secrets []string
}

func (s *tapped) add(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		if len(secret) >= 8 {
			s.secrets = append(s.secrets, secret)
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (s *tapped) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		s.add(form.Get("code"), form.Get("code_verifier"), form.Get("refresh_token"), form.Get("client_secret"), form.Get("token"))
	}
	if _, password, ok := r.BasicAuth(); ok {
		s.add(password, strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/token") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) == nil {
		for _, name := range []string{"access_token", "id_token", "refresh_token"} {
			token, _ := tokens[name].(string)
			s.add(token)
			s.add(strings.Split(token, ".")...)
		}
	}
	return resp, nil
}

// held are the secrets that a text holds, and its marks.
func (s *tapped) held(text string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range append(slices.Clone(s.secrets), marked) {
		if strings.Contains(text, secret) {
			found = append(found, secret)
		}
	}
	return found
}

// secretive is a gate with a login whose every secret is known or marked, and what
// it tells: its log at its most talkative, and its spans.
type secretive struct {
	*app
	*gate.Gate
	*tapped
	log   bytes.Buffer
	spans []gate.Decided
	told  int // answers
}

func newSecretive(t *testing.T) *secretive {
	t.Helper()
	s := &secretive{app: newApp(t), tapped: &tapped{}}
	t.Setenv("SESSION_SECRET", strings.Repeat("MARKED-session-", 3))
	t.Setenv("WEB_SECRET", "MARKED-client-secret")
	s.AddUser(provider.User{
		Sub: "auth0|MARKED", Claims: map[string]any{"email": "MARKED@example.com", "name": "MARKED-name"},
		AccessClaims: map[string]any{"https://example.com/role": "MARKED-role"}, Permissions: []string{"MARKED:permission"},
	})
	s.Set(provider.Settings{Headless: &provider.Headless{User: "auth0|MARKED"}})
	// Its tokens live so shortly that every request refreshes them.
	if err := s.Register(provider.Client{ID: "web", Secret: "MARKED-client-secret", RedirectURIs: []string{webOrigin + "/callback"}, AccessTokenLifetime: 50}); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Gate = gate.New(gate.Options{
		Config: config.Options{AllowInsecure: true}, Cache: gate.NewCache(1 << 20), Transport: s.tapped, Logger: logger,
		Revocations: revocation.Open(revocation.Options{Logger: logger, Now: time.Now}),
		Trace:       func(d gate.Decided) { s.spans = append(s.spans, d) },
	})
	t.Cleanup(s.Gate.Close)
	return s
}

// decided has a request decided, and looks at its answer.
func (s *secretive) decided(r *gate.Route, req *shown) gate.Verdict {
	s.t.Helper()
	for _, h := range req.headers {
		for part := range strings.SplitSeq(h.Value, "; ") {
			if _, value, ok := strings.Cut(part, "="); ok && h.Name == "cookie" {
				s.add(value)
			}
		}
	}
	query := url.Values(req.Query())
	s.add(query.Get("state"), query.Get("code"))
	v := s.Decide(r, req)
	answer, answered := v.Answer(r)
	if !answered {
		return v
	}
	for _, pair := range cookiesOf(v, r) {
		_, value, _ := strings.Cut(pair, "=")
		s.add(value)
	}
	if s.told++; answer.Status >= 400 {
		if found := s.held(string(answer.Body)); found != nil {
			s.t.Errorf("%s: the body holds %q: %s", req.path, found, answer.Body)
		}
	}
	return v
}

// loginAndOut is a login, requests of its session, and its logout.
func (s *secretive) loginAndOut(r *gate.Route) {
	s.t.Helper()
	v := s.decided(r, &shown{method: "GET", path: "/login"})
	answer, _ := v.Answer(r)
	transaction := []identity.Header{{Name: "cookie", Value: strings.Join(cookiesOf(v, r), "; ")}}
	back := s.back(answer)
	v = s.decided(r, &shown{method: "GET", path: back, headers: transaction})
	session := identity.Header{Name: "cookie", Value: strings.Join(cookiesOf(v, r), "; ")}
	s.decided(r, &shown{method: "GET", path: back, headers: transaction}) // once more
	for _, req := range []struct{ method, path, name, value string }{
		{"GET", "/page?q=MARKED", "x-request-id", "MARKED.request"},
		{"GET", "/page", "accept", "text/html"},
		{"POST", "/page", "origin", "https://MARKED.example"},
		{"GET", "/logout", "sec-fetch-site", "cross-site"},
		{"GET", "/logout", "referer", "https://MARKED.example"},
		{"GET", "/page", "authorization", "Bearer MARKED"},
	} {
		s.decided(r, &shown{method: req.method, path: req.path, headers: []identity.Header{session, {Name: req.name, Value: req.value}}})
	}
}

// faultyLogins are logins at an issuer that fails in many ways.
func (s *secretive) faultyLogins(r *gate.Route) {
	s.t.Helper()
	marks := map[string]any{"iss": "https://MARKED.example/", "aud": "MARKED", "access_token": 1}
	for path, faults := range map[string][]string{
		"callback":     {"error", "wrong_iss", "wrong_state", "wrong_code", "repeated_code"},
		"token":        {"error", "status", "html", "reset", "lost", "truncated"},
		"token_answer": {"members"},
		"id_token":     {"wrong_nonce", "wrong_aud", "expired", "rogue_key", "alg_none", "garbage", "claims"},
		"access_token": {"rogue_key", "large"},
		"revocation":   {"error"},
	} {
		for _, fault := range append(faults, "none") {
			if err := s.SetFault(provider.Fault{Path: path, Fault: fault, Code: "MARKED_error", Claims: marks}); err != nil {
				s.t.Fatal(err)
			}
			s.loginAndOut(r)
		}
	}
}

// endedByTheIssuer are logout tokens, good ones and others.
func (s *secretive) endedByTheIssuer(r *gate.Route) {
	s.t.Helper()
	for _, claims := range []map[string]any{{}, {"aud": "MARKED"}, {"iss": "https://MARKED.example/"}, {"sid": "MARKED-sid", "jti": "MARKED-jti"}, {"events": "MARKED"}} {
		token, err := s.MintLogoutToken(provider.LogoutToken{ClientID: "web", Sub: "auth0|MARKED-2", MintRequest: provider.MintRequest{Claims: claims}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.add(strings.Split(token, ".")...)
		s.decided(r, &shown{
			method: "POST", path: "/backchannel-logout", body: url.Values{"logout_token": {token}}.Encode(),
			headers: []identity.Header{{Name: "content-type", Value: "application/x-www-form-urlencoded"}},
		})
	}
}

// revoked are tokens of which something is revoked after they were known.
func (s *secretive) revoked(r *gate.Route) {
	s.t.Helper()
	for claim, kind := range map[string]revocation.Kind{"jti": revocation.JTI, "sid": revocation.SID, "sub": revocation.Subject, "azp": revocation.Client} {
		token, err := s.Mint(provider.MintRequest{Claims: map[string]any{claim: "MARKED-revoked"}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.add(strings.Split(token, ".")...)
		bearer := []identity.Header{{Name: "authorization", Value: "Bearer " + token}}
		s.decided(r, &shown{method: "GET", path: "/", headers: bearer})
		if _, err := s.Revocations().Revoke(s.t.Context(), revocation.Revocation{Issuer: s.URL(), Kind: kind, Value: "MARKED-revoked"}); err != nil {
			s.t.Fatal(err)
		}
		if v := s.decided(r, &shown{method: "GET", path: "/", headers: bearer}); v.Reason() != "revoked" {
			s.t.Errorf("%s: %s", claim, v.Reason())
		}
	}
}

// TestNothingSecretOfALoginIsToldToAnybody: whatever becomes of logins, sessions
// and revocations, no token, secret, cookie, code, state or claim is in the log, in
// a metric, in a trace or in the body of a refusal.
func TestNothingSecretOfALoginIsToldToAnybody(t *testing.T) {
	s := newSecretive(t)
	for name, more := range map[string]string{
		"plain": ``, "not allowed": `,"required_scopes":["never"]`, "rule": `,"rules":[{"expression":"claims.sub == 'x'"}]`,
		"step-up": `,"max_auth_age":"1s"`, "claims": `,"claims":{"https://example.com/role":"x"}`,
	} {
		r := s.Compile(s.document("web", fmt.Sprintf(`,"name":%q,"unauth_action":"auth"%s`, name, more), webLogin))
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
		s.loginAndOut(r)
		if name == "plain" {
			s.faultyLogins(r)
			s.endedByTheIssuer(r)
			s.revoked(r)
		}
	}
	for line := range strings.Lines(s.log.String()) {
		if found := s.held(line); found != nil {
			t.Errorf("the log holds %q: %s", found, line)
		}
	}
	tried := map[string]bool{}
	for _, span := range s.spans {
		tried[span.Reason] = true
		if found := s.held(fmt.Sprintf("%+v", span)); found != nil {
			t.Errorf("a span holds %q: %+v", found, span)
		}
	}
	for _, c := range s.Records().Decisions() {
		if found := s.held(c.Route + " " + c.Reason); found != nil {
			t.Errorf("a metric holds %q: %+v", found, c)
		}
	}
	for _, reason := range []string{
		"login_redirect", "login_completed", "login_failed", "logout", "cross_site_request", "session_unavailable",
		"backchannel_logout", "backchannel_logout_failed", "revoked", "forwarded", "claim_mismatch",
	} {
		if !tried[reason] {
			t.Errorf("%s was not tried, but %v", reason, tried)
		}
	}
	if s.told < 100 || len(s.secrets) < 100 {
		t.Errorf("only %d answers and %d secrets were looked at", s.told, len(s.secrets))
	}
}
