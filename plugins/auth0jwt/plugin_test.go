package auth0jwt_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

var key = forge.RSA

// keySet holds key under the kid "k".
func keySet() []byte { return forge.JWKS(forge.JWK(key(), "kid", "k", "use", "sig")) }

func conf(more string) []byte {
	return fmt.Appendf(nil, `{"issuer":"https://issuer.example/","audience":"api",
		"jwks":%s,
		"claim_headers":{"X-User-Id":"sub"}%s}`, keySet(), more)
}

// signed is a token with the kid "k".
func signed(alg string, signer any, claims map[string]any) string {
	return forge.Sign(alg, signer, forge.Header(alg, "k", `"typ":"JWT"`), forge.JSON(claims))
}

func token(_ testing.TB, signer *rsa.PrivateKey) string {
	return signed("RS256", signer, map[string]any{
		"iss": "https://issuer.example/", "aud": "api", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// offline is a network that is not there.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("offline")
}

func newPlugin() *auth0jwt.Plugin {
	return auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler), Transport: offline{}})
}

func parse(t testing.TB, p *auth0jwt.Plugin, in []byte) any {
	c, err := p.ParseConf(in)
	if err != nil {
		t.Fatalf("ParseConf returned an error, which the runner takes for a pass: %v", err)
	}
	return c
}

func TestIdentityReachesTheUpstreamWhateverTheClientSent(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, conf(``))
	good := token(t, key())
	for _, tt := range []struct {
		name string
		sent []string
	}{
		{"nothing", nil},
		{"another value", []string{"x-user-id", "admin"}},
		{"the right value first", []string{"x-user-id", "alice", "x-user-id", "admin"}},
		{"underscores", []string{"x_user_id", "admin", "X_User-Id", "admin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(append([]string{"authorization", "Bearer " + good}, tt.sent...)...)
			w := httptest.NewRecorder()
			p.RequestFilter(c, w, r)
			if w.Body.Len() > 0 {
				t.Fatalf("refused: %s", w.Body)
			}
			want := map[string][]string{"x-user-id": {"alice"}}
			if diff := cmp.Diff(want, r.upstream("x-user-id", "x_user_id", "x_user-id")); diff != "" {
				t.Errorf("the upstream gets (-want +got):\n%s", diff)
			}
			if next := r.Header().Get("X-User-Id"); next != "alice" {
				t.Errorf("the next plugin sees %q", next)
			}
		})
	}
}

func TestANameWhoseCanonicalFormIsLowerCaseIsStillReplaced(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, []byte(strings.Replace(string(conf(``)), "X-User-Id", "1st", 1)))
	r := newRequest("authorization", "Bearer "+token(t, key()), "1st", "alice", "1st", "admin")
	p.RequestFilter(c, httptest.NewRecorder(), r)
	if diff := cmp.Diff(map[string][]string{"1st": {"alice"}}, r.upstream("1st")); diff != "" {
		t.Errorf("the upstream gets (-want +got):\n%s", diff)
	}
}

func TestTheTokenIsTakenFromItsPlace(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, conf(`,"forward_token":false,"token_from":[{"query":"access_token"},{"cookie":"session"}]`))
	good := token(t, key())
	r := newRequest()
	r.args = url.Values{"access_token": {good}, "page": {"2"}}
	p.RequestFilter(c, httptest.NewRecorder(), r)
	if diff := cmp.Diff(url.Values{"page": {"2"}}, r.args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	r = newRequest("cookie", "a=1; session="+good+"; b=2")
	p.RequestFilter(c, httptest.NewRecorder(), r)
	want := map[string][]string{"cookie": {"a=1; b=2"}, "x-user-id": {"alice"}}
	if diff := cmp.Diff(want, r.upstream("cookie", "x-user-id")); diff != "" {
		t.Errorf("the upstream gets (-want +got):\n%s", diff)
	}
}

func TestEverythingThatGoesWrongDenies(t *testing.T) {
	p := newPlugin()
	bearer := []string{"authorization", "Bearer " + token(t, key())}
	var many []string
	for n := range 100 {
		many = append(many, fmt.Sprintf("x-%d", n), "1")
	}
	valid := parse(t, p, conf(`,"bypass_cors_preflight":true`))
	for _, tt := range []struct {
		name   string
		conf   any
		req    *request
		status int
		code   string
	}{
		{"no token", valid, newRequest(), 401, "missing_token"},
		{"a forged token", valid, newRequest("authorization", "Bearer "+token(t, forge.AttackerRSA())), 401, "invalid_token"},
		{"100 headers", valid, newRequest(many...), 431, "invalid_request"},
		{"a broken configuration", parse(t, p, []byte(`{`)), newRequest(bearer...), 500, "server_error"},
		{"a configuration of somebody else", "conf", newRequest(bearer...), 500, "server_error"},
		{"no configuration", nil, newRequest(bearer...), 500, "server_error"},
		{"a configuration of another type", &policy.Policy{}, newRequest(bearer...), 500, "server_error"},
		{"a route that nobody compiled", &gate.Route{}, newRequest(bearer...), 500, "server_error"},
		{"no route", (*gate.Route)(nil), newRequest(bearer...), 500, "server_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.RequestFilter(tt.conf, w, tt.req)
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != tt.status || body["error"] != tt.code {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
			if edits := tt.req.sent(); len(edits) > 0 {
				t.Errorf("edits with a refusal: %v", edits)
			}
		})
	}
	t.Run("a panic", func(t *testing.T) {
		w := httptest.NewRecorder()
		noToken := newRequest()
		noToken.panics = true
		p.RequestFilter(valid, w, noToken)
		if w.Code != 500 {
			t.Errorf("status %d", w.Code)
		}
	})
}

func TestARequestIsRefusedWhereAnEditCannotBeMade(t *testing.T) {
	p := newPlugin()
	c := parse(t, p, conf(`,"token_from":[{"query":"access_token"}]`))
	r := newRequest()
	r.header.Header = nil // setting a header panics
	r.args = url.Values{"access_token": {token(t, key())}}
	w := httptest.NewRecorder()
	p.RequestFilter(c, w, r)
	if w.Code != 500 || p.Gate().Decisions()["forwarded"] != 0 {
		t.Errorf("%d %s, counted %v", w.Code, w.Body, p.Gate().Decisions())
	}
}

func TestTheLogNeverHoldsAConfigurationsSecretsOrATokensClaims(t *testing.T) {
	var log strings.Builder
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	parse(t, p, []byte(`{"issuer":"https://i.example/","audience":"api","client_secret":"hunter2-hunter2","jwks":{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}}`))
	tok := token(t, key())
	p.RequestFilter(parse(t, p, conf(`,"claims":{"sub":"bob"}`)), httptest.NewRecorder(), newRequest("authorization", "Bearer "+tok))
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "alice", tok[:20]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
}

func TestARuleInReportIsCountedAndLoggedAndDeniesNobody(t *testing.T) {
	var log strings.Builder
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer p.Close()
	c := parse(t, p, conf(`,"rules":[{"expression":"true","report_only":true},{"expression":"claims.sub == 'bob'","report_only":true}]`))
	for range 2 {
		w := httptest.NewRecorder()
		p.RequestFilter(c, w, newRequest("authorization", "Bearer "+token(t, key())))
		if w.Body.Len() > 0 {
			t.Errorf("denied: %s", w.Body)
		}
	}
	if n := p.Gate().Reported(); n != 2 {
		t.Errorf("counted %d times", n)
	}
	if lines := strings.Count(log.String(), "report_only"); lines != 2 || !strings.Contains(log.String(), "rule=1") || strings.Contains(log.String(), "alice") {
		t.Errorf("logged %d times: %s", lines, log.String())
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add([]byte(`{"domain":"tenant.eu.auth0.com","audience":"api"}`))
	f.Add([]byte(`{"jwks":{"keys":[]}}`))
	f.Add([]byte(`{`))
	f.Add(conf(``))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPlugin()
		defer p.Close()
		c := parse(t, p, in)
		w := httptest.NewRecorder()
		r := newRequest()
		p.RequestFilter(c, w, r)
		// Without a token only a route that says so lets anybody pass.
		if w.Body.Len() == 0 && w.Code == 200 && !strings.Contains(string(in), "pass") && !strings.Contains(string(in), `\u`) {
			t.Errorf("%q lets a request without a token pass", in)
		}
	})
}
