package ci_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// wholeLogin is a login from the page asked for to the page shown.
type wholeLogin struct {
	name   string
	spec   appSpec
	needs  []string // secrets beside those that every login needs
	issuer settings
	target string // "" is /x
	asked  map[string]string
	// echo is what the upstream gets; an empty text is no such header.
	echo map[string]string
	// also looks further; nil is nothing.
	also func(t *testing.T, b *browser, e *echo)
}

const deep = "/caf%C3%A9/%E6%97%A5%20x?q=%C3%BC&a=b%2Fc&a=2&r=//evil.example"

func wholeLogins() []wholeLogin {
	idToken := policy{"subject_token": "id_token"}
	withoutSecret := func(r *registration) { r.Secret = "" }
	return []wholeLogin{
		{name: "an access token for an API", asked: map[string]string{"audience": audience, "response_type": "code", "scope": "openid profile email"}},
		{name: "a deep link with query and other alphabets", target: deep},
		{name: "in ext-plugin-post-req", target: deep, spec: appSpec{phase: "ext-plugin-post-req"}},
		{name: "a session for other sites' frames", spec: appSpec{login: sessionOf(policy{"same_site": "none"})}},
		{name: "over plain http", spec: appSpec{plain: true}},
		{name: "the ID token is judged", spec: appSpec{login: idToken, policy: policy{"audience": nil}}, asked: map[string]string{"audience": ""}, echo: map[string]string{"Authorization": ""}},
		{
			name: "the access token is forwarded", spec: appSpec{login: merged(idToken, policy{"forward_access_token": true}), policy: policy{"audience": nil}},
			also: func(t *testing.T, b *browser, e *echo) {
				if got := e.values("Authorization"); len(got) != 1 || !strings.HasPrefix(got[0], "Bearer ") {
					t.Errorf("the upstream got %d Authorization headers", len(got))
				}
			},
		},
		{
			name: "the access token for an API is forwarded", spec: appSpec{login: policy{"forward_access_token": true}},
			also: func(t *testing.T, b *browser, e *echo) {
				if got := e.values("Authorization"); len(got) != 1 || strings.Count(got[0], ".") != 2 {
					t.Errorf("the upstream got %d Authorization headers", len(got))
				}
			},
		},
		{
			name: "headers from the ID token beside those of the access token",
			spec: appSpec{policy: policy{"claim_headers": map[string]any{
				"X-User-Id": "sub", "X-User-Email": map[string]any{"claim": "email", "from": "id_token"}, "X-Email-Of-Access-Token": "email",
			}}},
			echo: map[string]string{"X-User-Email": "alice@example.com", "X-Email-Of-Access-Token": ""},
		},
		{
			name: "a rule over the ID token lets in",
			spec: appSpec{policy: policy{"rules": []any{policy{"expression": `id_token.email == "alice@example.com"`}}}},
		},
		{name: "client_secret_post", issuer: settings{Discovery: map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}}, spec: appSpec{policy: policy{"discovery": "fresh"}}},
		{
			name: "private_key_jwt", needs: []string{clientKey},
			spec: appSpec{
				login:  policy{"client_secret": nil, "client_private_key": "key"},
				client: func(r *registration) { r.Secret, r.PublicKey = "", "key" },
			},
		},
		{name: "a public client", spec: appSpec{login: policy{"client_secret": nil}, client: withoutSecret}},
		{name: "requests are pushed", spec: appSpec{login: policy{"pushed_authorization_requests": true}, client: func(r *registration) { r.RequirePAR = true }}},
		{name: "discovery requires pushing", issuer: settings{RequirePAR: true}, spec: appSpec{policy: policy{"discovery": "fresh"}}},
		{
			name: "pushed by a client with a key", needs: []string{clientKey},
			spec: appSpec{
				login:  policy{"client_secret": nil, "client_private_key": "key", "pushed_authorization_requests": true},
				client: func(r *registration) { r.Secret, r.PublicKey, r.RequirePAR = "", "key", true },
			},
		},
		{
			name: "an organization by its name", spec: appSpec{login: policy{"authorization_params": map[string]string{"organization": "acme", "login_hint": "member"}}},
			asked: map[string]string{"organization": "acme"}, echo: map[string]string{"X-User-Id": "auth0|member"},
		},
		{
			name: "an organization by its ID, and the policy's too",
			spec: appSpec{
				login:  policy{"authorization_params": map[string]string{"organization": "org_acme", "login_hint": "member"}},
				policy: policy{"organizations": []string{"org_acme"}},
			},
			asked: map[string]string{"organization": "org_acme"}, echo: map[string]string{"X-User-Id": "auth0|member"},
		},
		{
			name:  "further parameters",
			spec:  appSpec{login: policy{"authorization_params": map[string]string{"connection": "google-oauth2", "prompt": "login", "ui_locales": "nl de", "max_age": "300", "acr_values": "urn:mfa"}}},
			asked: map[string]string{"connection": "google-oauth2", "prompt": "login", "ui_locales": "nl de", "max_age": "300", "acr_values": "urn:mfa"},
		},
		{name: "an issuer that names itself in no answer", issuer: settings{WithoutIss: true}, spec: appSpec{policy: policy{"discovery": "fresh"}}},
		{name: "keys of the issuer in the configuration's jwks_uri", spec: appSpec{policy: policy{"jwks_uri": "issuer"}}},
		{name: "sessions in the second of two secrets' place", spec: appSpec{login: sessionOf(policy{"secret": "both"})}, needs: []string{secretBefore}},
		{
			name: "a cookie of another name", spec: appSpec{login: sessionOf(policy{"cookie": "sid"})},
			also: func(t *testing.T, b *browser, _ *echo) {
				if b.cookies()["sid"] == "" || b.cookies()["__Host-auth0_session"] != "" {
					t.Error("the session's cookie has another name")
				}
			},
		},
	}
}

// filled puts in what a table cannot name when it is made.
func (l wholeLogin) filled(t *testing.T) appSpec {
	spec := l.spec
	spec.policy, spec.login = merged(spec.policy), merged(spec.login)
	if spec.policy["discovery"] == "fresh" {
		spec.policy = merged(spec.policy, freshDiscovery())
	}
	if spec.policy["jwks_uri"] != nil {
		spec.policy["jwks_uri"] = under.issuer.jwksURI()
	}
	if spec.login["client_private_key"] != nil {
		spec.login["client_private_key"] = under.secrets.reference(clientKey)
	}
	if s, is := spec.login["session"].(policy); is && s["secret"] == "both" {
		spec.login["session"] = policy{"secret": []string{under.secrets.reference(secretBefore), under.secrets.reference(sessionSecret)}}
	}
	if change := spec.client; change != nil {
		spec.client = func(r *registration) {
			if change(r); r.PublicKey != "" {
				r.PublicKey = publicKeyOfClient(t)
			}
		}
	}
	return spec
}

// TestLogin goes the whole way: a page is asked for, the browser is sent to log
// in, comes back, and the page is shown.
func TestLogin(t *testing.T) {
	logins(t)
	under.issuer.add(t, user{Sub: "auth0|member", Organizations: []organization{{"org_acme", "acme"}}})
	for _, tt := range wholeLogins() {
		run(t, tt.name, func(t *testing.T) {
			needSecret(t, tt.needs...)
			if tt.issuer.RequirePAR || tt.issuer.WithoutIss || tt.issuer.Discovery != nil {
				under.issuer.while(t, tt.issuer)
			}
			tt.goes(t, newApp(t, tt.filled(t)))
		})
	}
}

func (l wholeLogin) goes(t *testing.T, app application) {
	t.Helper()
	target := l.target
	if target == "" {
		target = "/x"
	}
	b := newBrowser(t, app)
	before := under.upstream.requests(t)
	first := b.open(target)
	params := first.toIssuer(t, app)
	if params.Get("request_uri") == "" {
		if len(params["state"]) != 1 || len(params["nonce"]) != 1 || params.Get("code_challenge_method") != "S256" || len(params.Get("code_challenge")) != 43 ||
			params.Get("client_id") != app.client || params.Get("redirect_uri") != app.origin+"/callback" {
			t.Errorf("the parameters are %v", params)
		}
	}
	if set := first.setCookies(); len(set) != 1 || len(b.transactions()) != 1 {
		t.Errorf("%d cookies on the way there", len(set))
	}
	callback := b.callback(first)
	back := b.navigate(callback)
	if back.status != http.StatusSeeOther || back.header.Get("Location") != target {
		t.Fatalf("the way back ends with %v to %q, want 303 to %s", back.answer, back.header.Get("Location"), target)
	}
	if len(b.transactions()) != 0 {
		t.Error("the transaction's cookie was not deleted")
	}
	if under.upstream.requests(t) != before {
		t.Error("the upstream got a request on the way")
	}
	e := b.follow(back).passed(t)
	path, query, _ := strings.Cut(target, "?")
	if e.Query != query || !samePath(e.Path, path) {
		t.Errorf("the upstream got %s?%s, want %s", e.Path, e.Query, target)
	}
	want := map[string]string{"X-User-Id": "auth0|alice"}
	for name, value := range l.echo {
		want[name] = value
	}
	for name, value := range want {
		values := []string{value}
		if value == "" {
			values = nil
		}
		e.has(t, name, values...)
	}
	if len(l.asked) > 0 {
		asked := under.issuer.asked(t, app.client)
		for name, value := range l.asked {
			if got := asked[len(asked)-1][name]; got != value {
				t.Errorf("%s was %q, want %q", name, got, value)
			}
		}
	}
	// A session keeps working, for pages and for scripts.
	for _, p := range []page{b.click("/y"), b.fetch("/api")} {
		p.passed(t).has(t, "X-User-Id", want["X-User-Id"])
	}
	if l.also != nil {
		l.also(t, b, b.click("/z").passed(t))
	}
}

// samePath reports whether two paths are the same once decoded: the gateway
// writes them anew.
func samePath(a, b string) bool {
	one, errs := url.PathUnescape(a)
	other, err := url.PathUnescape(b)
	return err == nil && errs == nil && one == other
}
