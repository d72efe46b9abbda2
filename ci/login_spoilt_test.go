package ci_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSpoiltTokens are ID tokens and answers of the token endpoint that must not
// begin a session.
func TestSpoiltTokens(t *testing.T) {
	logins(t)
	access := newApp(t, appSpec{})
	id := newApp(t, appSpec{login: policy{"subject_token": "id_token"}, policy: policy{"audience": nil}})
	spoilt := []string{
		"wrong_iss", "wrong_aud", "wrong_azp", "wrong_nonce", "wrong_at_hash", "foreign_aud", "no_nonce", "no_exp", "no_iat",
		"expired", "future", "alg_none", "no_signature", "hs_secret", "hs_public_key", "rogue_key", "garbage", "missing",
		"access_token", "logout_token",
	}
	kinds := []struct {
		name string
		app  application
	}{{"the access token is judged", access}, {"the ID token is judged", id}}
	bad := func(t *testing.T, app application, status int) {
		t.Helper()
		b := begin(t, app)
		p := b.navigate(b.callback).refused(t, status)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			t.Errorf("no page: %v", p.answer)
		}
		b.sessionless()
	}
	for _, kind := range kinds {
		for _, fault := range spoilt {
			run(t, kind.name+": "+fault, func(t *testing.T) {
				under.issuer.spoil(t, spoiling{Path: "id_token", Fault: fault})
				bad(t, kind.app, 502)
			})
		}
	}
	for name, claims := range map[string]map[string]any{
		"no iss": {"iss": nil}, "no sub": {"sub": nil}, "no aud": {"aud": nil}, "a number for sub": {"sub": 1}, "an empty sub": {"sub": ""},
		"exp as a text": {"exp": "4102444800"}, "many audiences without azp": {"aud": []string{access.client, "other"}},
		"a nonce in a list": {"nonce": []string{"x"}},
	} {
		run(t, "an ID token with "+name, func(t *testing.T) {
			under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: claims})
			bad(t, access, 502)
		})
	}
	run(t, "an ID token without at_hash will do", func(t *testing.T) {
		under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "no_at_hash"})
		newBrowser(t, access).login("/x")
	})
	for name, members := range map[string]map[string]any{
		"no access token": {"access_token": nil}, "no ID token": {"id_token": nil}, "an access token that is no text": {"access_token": 1},
		"another type of token": {"token_type": "mac"},
	} {
		run(t, "an answer with "+name, func(t *testing.T) {
			under.issuer.spoil(t, spoiling{Path: "token_answer", Fault: "members", Claims: members})
			bad(t, access, 502)
		})
	}
	// What the route's policy would not take begins a session that may do nothing.
	for _, fault := range []string{"wrong_iss", "wrong_aud", "expired", "rogue_key", "alg_none", "garbage"} {
		run(t, "a spoilt access token: "+fault, func(t *testing.T) {
			under.issuer.spoil(t, spoiling{Path: "access_token", Fault: fault})
			b := begin(t, access)
			p := b.navigate(b.callback)
			before := under.upstream.requests(t)
			for range 3 { // never to the upstream, and never a loop
				if p.status == http.StatusSeeOther {
					p = b.follow(p)
				}
			}
			if p := b.fetch("/x"); p.status < 400 || under.upstream.requests(t) != before {
				t.Errorf("the session's token was taken: %v", p.answer)
			}
		})
	}
}

// TestWhatWasAskedFor and is not there is no login.
func TestWhatWasAskedFor(t *testing.T) {
	logins(t)
	under.issuer.add(t, user{Sub: "auth0|member", Organizations: []organization{{"org_acme", "acme"}}})
	asking := func(params map[string]string) appSpec {
		return appSpec{login: policy{"authorization_params": joined(map[string]string{"login_hint": "member"}, params)}}
	}
	for _, tt := range []struct {
		name   string
		params map[string]string
		claims map[string]any
	}{
		{"no organization", map[string]string{"organization": "org_acme"}, map[string]any{"org_id": nil}},
		{"another organization", map[string]string{"organization": "org_acme"}, map[string]any{"org_id": "org_other"}},
		{"an organization of another name", map[string]string{"organization": "acme"}, map[string]any{"org_name": "evil"}},
		{"no auth_time", map[string]string{"max_age": "60"}, map[string]any{"auth_time": nil}},
		{"an old auth_time", map[string]string{"max_age": "60"}, map[string]any{"auth_time": 1700000000}},
		{"no acr", map[string]string{"acr_values": "urn:mfa urn:phr"}, map[string]any{"acr": nil}},
		{"another acr", map[string]string{"acr_values": "urn:mfa"}, map[string]any{"acr": "urn:password"}},
		{"a session_expiry that is past", nil, map[string]any{"session_expiry": 1700000000}},
	} {
		run(t, tt.name, func(t *testing.T) {
			app := newApp(t, asking(tt.params))
			under.issuer.spoil(t, spoiling{Path: "id_token", Fault: "claims", Claims: tt.claims})
			b := begin(t, app)
			b.navigate(b.callback).refused(t, 403)
			b.sessionless()
			under.issuer.fault(t, "id_token", "none")
			newBrowser(t, app).login("/x")
		})
	}
	run(t, "someone who is no member", func(t *testing.T) {
		app := newApp(t, asking(map[string]string{"organization": "org_acme", "login_hint": "bob"}))
		b := begin(t, app)
		b.navigate(b.callback).refused(t, 403)
	})
}

func joined(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
