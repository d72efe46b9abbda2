package config_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// withLogin is a configuration whose login has these members beside the
// required ones, and more beside login.
func withLogin(members, more string) string {
	return `{"domain":"t.eu.auth0.com"` + more + `,"login":{"client_id":"web","redirect_uri":"https://app.example.com/cb",
		"session":{"secret":"$env://LOGIN_TEST_SECRET"}` + members + `}}`
}

// minimalLogin is what [withLogin] gives without more.
func minimalLogin(change func(*config.Login)) *config.Login {
	l := &config.Login{
		ClientID: "web", RedirectURI: "https://app.example.com/cb", Origin: "https://app.example.com", CallbackPath: "/cb",
		DiscoveryURL: "https://t.eu.auth0.com/.well-known/openid-configuration", Audience: "api",
		Scope: "openid profile email", LoginPath: "/login", LogoutPath: "/logout",
		Session: config.LoginSession{Cookie: "__Host-auth0_session", IdleTimeout: 24 * time.Hour, AbsoluteTimeout: 72 * time.Hour},
	}
	change(l)
	return l
}

// withoutSecrets leaves out what is read by reference.
var withoutSecrets = cmp.Options{
	cmpopts.IgnoreTypes(&secret.Secret{}), cmpopts.IgnoreFields(config.LoginSession{}, "Secrets"), cmpopts.IgnoreFields(config.Login{}, "Digest"),
}

func TestLoginIsReadReadyForUse(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	schema := compiledSchema(t)
	for _, tt := range []struct {
		name          string
		members, more string
		want          func(*config.Login)
	}{
		{"the defaults", ``, `,"audience":"api"`, func(*config.Login) {}},
		{
			"everything", `,"scope":"openid offline_access","forward_access_token":true,"client_secret":"$env://LOGIN_TEST_SECRET",
			"authorization_params":{"organization":"org_1","max_age":"3600"},"forward_params":["organization","invitation"],
			"pushed_authorization_requests":true,"login_path":"/auth/login","logout_path":"/auth/logout/",
			"post_logout_redirect_uri":"https://www.example.com/bye?a=b","backchannel_logout_path":"/auth/backchannel"`, `,"audience":["api","other"]`,
			func(l *config.Login) {
				l.Scope, l.ForwardAccessToken = "openid offline_access", true
				l.AuthorizationParams = map[string]string{"organization": "org_1", "max_age": "3600"}
				l.ForwardParams, l.PushedRequests = []string{"organization", "invitation"}, config.PushAlways
				l.LoginPath, l.LogoutPath, l.BackchannelLogoutPath = "/auth/login", "/auth/logout/", "/auth/backchannel"
				l.PostLogoutRedirectURI = "https://www.example.com/bye?a=b"
			},
		},
		{"requests are never pushed", `,"pushed_authorization_requests":false`, `,"audience":"api"`, func(l *config.Login) { l.PushedRequests = config.PushNever }},
		{"the ID token is judged, and the client is its audience", `,"subject_token":"id_token"`, ``, func(l *config.Login) { l.JudgeIDToken, l.Audience = true, "" }},
		{"and says so", `,"subject_token":"id_token"`, `,"audience":["web"]`, func(l *config.Login) { l.JudgeIDToken, l.Audience = true, "" }},
		{"any audience asks for none", ``, `,"audience":["*"]`, func(l *config.Login) { l.Audience = "" }},
		{"keys without discovery", ``, `,"audience":"api","jwks_uri":"https://t.eu.auth0.com/keys"`, func(*config.Login) {}},
		{"a discovery of its own", ``, `,"audience":"api","discovery":"https://d.example.com/d"`, func(l *config.Login) { l.DiscoveryURL = "https://d.example.com/d" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			document := withLogin(tt.members, tt.more)
			c, err := config.Parse([]byte(document), config.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(minimalLogin(tt.want), c.Login, withoutSecrets); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(c.Login.Session.Secrets) != 1 || (c.Login.ClientSecret != nil) != strings.Contains(tt.members, "client_secret") || c.UnauthAction != config.UnauthAuth {
				t.Errorf("%d secrets, client_secret %v, unauth_action %d", len(c.Login.Session.Secrets), c.Login.ClientSecret != nil, c.UnauthAction)
			}
			if c.Login.JudgeIDToken && !slices.Equal(c.Issuers[0].Audience, []string{"web"}) {
				t.Errorf("the audience is %q", c.Issuers[0].Audience)
			}
			if !takes(schema, document) {
				t.Error("the JSON Schema refuses it")
			}
		})
	}
}

// TestTheOriginOfAnApplicationIsWrittenAsBrowsersWriteIt: RFC 6454 section 6.2.
func TestTheOriginOfAnApplicationIsWrittenAsBrowsersWriteIt(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	for uri, want := range map[string]string{
		"https://app.example.com/cb":      "https://app.example.com __Host-auth0_session",
		"https://APP.example.com/cb":      "https://app.example.com __Host-auth0_session",
		"https://app.example.com:443/cb":  "https://app.example.com __Host-auth0_session",
		"https://app.example.com:/cb":     "https://app.example.com __Host-auth0_session",
		"https://app.example.com:80/cb":   "https://app.example.com:80 __Host-auth0_session",
		"https://app.example.com:8443/cb": "https://app.example.com:8443 __Host-auth0_session",
		"https://[2001:DB8::1]:443/cb":    "https://[2001:db8::1] __Host-auth0_session",
		"http://localhost:80/cb":          "http://localhost auth0_session",
		"http://localhost:9080/cb":        "http://localhost:9080 auth0_session",
	} {
		document := strings.Replace(withLogin("", `,"audience":"api"`), "https://app.example.com/cb", uri, 1)
		c, err := config.Parse([]byte(document), config.Options{AllowInsecure: true})
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if got := c.Login.Origin + " " + c.Login.Session.Cookie; got != want || c.Login.CallbackPath != "/cb" || c.Login.Insecure != strings.HasPrefix(uri, "http:") {
			t.Errorf("%s: %s, %+v", uri, got, c.Login)
		}
		if warned := strings.Contains(fmt.Sprint(c.Warnings), "redirect_uri: plain http"); warned != c.Login.Insecure {
			t.Errorf("%s: warnings %q", uri, c.Warnings)
		}
	}
}

func TestTheCookiesOfLogin(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	for _, tt := range []struct{ uri, cookie, want string }{
		{"https://a/cb", "", "__Host-auth0_session __Host-auth0_session_1 __Host-auth0_txn_0 __Host-auth0_txn_1 __Host-auth0_txn_2 __Host-auth0_txn_3 __Host-auth0_txn_4"},
		{"https://a/cb", "sid", "sid sid_1 __Host-auth0_txn_0 __Host-auth0_txn_1 __Host-auth0_txn_2 __Host-auth0_txn_3 __Host-auth0_txn_4"},
		{"http://a/cb", "sid", "sid sid_1 auth0_txn_0 auth0_txn_1 auth0_txn_2 auth0_txn_3 auth0_txn_4"},
		{"http://a/cb", "__Host-sid", "browsers take those over https only"},
		{"http://a/cb", "__host-sid", "browsers take those over https only"},
		{"http://a/cb", "__Secure-sid", "browsers take those over https only"},
		{"http://a/cb", "auth0_txn", "the cookies of a login under way have this one"},
	} {
		document := strings.Replace(withLogin("", `,"audience":"api"`), "https://app.example.com/cb", tt.uri, 1)
		if tt.cookie != "" {
			document = strings.Replace(document, `"session":{`, fmt.Sprintf(`"session":{"cookie":%q,`, tt.cookie), 1)
		}
		c, err := config.Parse([]byte(document), config.Options{AllowInsecure: true})
		got := fmt.Sprint(err)
		if err == nil {
			got = strings.Join(c.Login.CookieNames(), " ")
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s, %q: %s", tt.uri, tt.cookie, got)
		}
	}
}

func TestASessionIsReadReadyForUse(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	t.Setenv("LOGIN_TEST_BEFORE", strings.Repeat("b", 32))
	schema := compiledSchema(t)
	for _, tt := range []struct {
		members string
		want    config.LoginSession
		warning string
	}{
		{
			`"secret":["$env://LOGIN_TEST_SECRET","$env://LOGIN_TEST_BEFORE"],"store":"redis","cookie":"sid","same_site":"none","idle_timeout":"1h","absolute_timeout":"8h"`,
			config.LoginSession{Redis: true, Cookie: "sid", SameSiteNone: true, IdleTimeout: time.Hour, AbsoluteTimeout: 8 * time.Hour},
			"",
		},
		{
			`"secret":["$env://LOGIN_TEST_SECRET","$env://LOGIN_TEST_BEFORE"],"absolute_timeout":"1h"`,
			config.LoginSession{Cookie: "__Host-auth0_session", IdleTimeout: time.Hour, AbsoluteTimeout: time.Hour},
			"",
		},
		{
			`"secret":["$env://LOGIN_TEST_SECRET","$env://LOGIN_TEST_BEFORE"],"idle_timeout":7200,"absolute_timeout":3600,"same_site":"lax","store":"cookie"`,
			config.LoginSession{Cookie: "__Host-auth0_session", IdleTimeout: time.Hour, AbsoluteTimeout: time.Hour},
			"longer than absolute_timeout",
		},
	} {
		document := strings.Replace(withLogin("", `,"audience":"api"`), `"secret":"$env://LOGIN_TEST_SECRET"`, tt.members, 1)
		c, err := config.Parse([]byte(document), config.Options{Redis: true})
		if err != nil {
			t.Errorf("%s: %v", tt.members, err)
			continue
		}
		if diff := cmp.Diff(tt.want, c.Login.Session, withoutSecrets); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.members, diff)
		}
		if s := c.Login.Session.Secrets; len(s) != 2 || string(s[0].Value(time.Now()))[0] != 's' || string(s[1].Value(time.Now()))[0] != 'b' {
			t.Errorf("%s: %d secrets", tt.members, len(s))
		}
		if got := strings.Join(c.Warnings, "\n"); (got != "") != (tt.warning != "") || !strings.Contains(got, tt.warning) {
			t.Errorf("%s: warnings %q", tt.members, got)
		}
		if !takes(schema, document) {
			t.Errorf("%s: the JSON Schema refuses it", tt.members)
		}
	}
}

// TestWhatBecomesOfARequestWithoutATokenDependsOnLogin.
func TestWhatBecomesOfARequestWithoutATokenDependsOnLogin(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	for document, want := range map[string]config.UnauthAction{
		`{"domain":"t.eu.auth0.com","audience":"api"}`:                          config.UnauthDeny,
		`{"domain":"t.eu.auth0.com","audience":"api","unauth_action":"pass"}`:   config.UnauthPass,
		withLogin("", `,"audience":"api"`):                                      config.UnauthAuth,
		withLogin("", `,"audience":"api","unauth_action":"auth"`):               config.UnauthAuth,
		withLogin("", `,"audience":"api","unauth_action":"deny"`):               config.UnauthDeny,
		withLogin("", `,"audience":"api","unauth_action":"pass"`):               config.UnauthPass,
		withLogin("", `,"issuers":[{"domain":"t.example.com","audience":"a"}]`): config.UnauthAuth,
	} {
		document = strings.Replace(document, `"domain":"t.eu.auth0.com","issuers"`, `"issuers"`, 1)
		c, err := config.Parse([]byte(document), config.Options{})
		if err != nil || c.UnauthAction != want {
			t.Errorf("%s: %v, want %d", document, err, want)
		}
	}
}

func TestAPrivateKeyOfTheClientSignsOrIsRefused(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	pkcs8 := func(key any) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}))
	}
	var (
		rsaKey *rsa.PrivateKey   = forge.RSA()
		ecKey  *ecdsa.PrivateKey = forge.P256()
		edKey                    = forge.Ed25519()
	)
	for name, tt := range map[string]struct {
		text string
		good bool
	}{
		"RSA":               {pkcs8(rsaKey), true},
		"RSA, PKCS 1":       {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})), true},
		"P-256":             {pkcs8(ecKey), true},
		"P-256, SEC 1":      {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ecKey))})), true},
		"Ed25519":           {pkcs8(edKey), true},
		"RSA, too short":    {pkcs8(forge.WeakRSA()), false},
		"P-384":             {pkcs8(forge.P384()), false},
		"a public key":      {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(edKey.Public().(ed25519.PublicKey)))})), false},
		"a text":            {strings.Repeat("hunter2", 9), false},
		"PEM of no key":     {"-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----", false},
		"PEM without bytes": {"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----", false},
	} {
		t.Setenv("LOGIN_TEST_KEY", tt.text)
		c, err := config.Parse([]byte(withLogin(`,"client_private_key":"$env://LOGIN_TEST_KEY"`, `,"audience":"api"`)), config.Options{})
		if (err == nil) != tt.good || tt.good && c.Login.ClientPrivateKey == nil {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a secret in %v", name, err)
		}
	}
}

// TestWhatNeedsTheIDTokenKeepsIt, and only that.
func TestWhatNeedsTheIDTokenKeepsIt(t *testing.T) {
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	for _, tt := range []struct {
		members, more string
		reads, needs  bool
		warning       string
	}{
		{``, `,"audience":"api"`, false, false, ""},
		{`,"subject_token":"id_token"`, ``, false, true, ""},
		{``, `,"audience":"api","claim_headers":{"X-Email":{"claim":"email","from":"id_token"}}`, true, true, "keeps two tokens"},
		{``, `,"audience":"api","rules":[{"expression":"id_token.email_verified"}]`, true, true, "keeps two tokens"},
		{``, `,"audience":"api","rules":[{"expression":"claims.email_verified"}]`, false, false, ""},
		{`,"subject_token":"id_token"`, `,"rules":[{"expression":"id_token.email_verified"}]`, true, true, ""},
		{``, `,"audience":"api","dpop":"require"`, false, false, "no session passes"},
	} {
		c, err := config.Parse([]byte(withLogin(tt.members, tt.more)), config.Options{})
		if err != nil {
			t.Errorf("%s%s: %v", tt.members, tt.more, err)
			continue
		}
		got := strings.Join(c.Warnings, "\n")
		if c.ReadsIDToken() != tt.reads || c.NeedsIDToken() != tt.needs || (got != "") != (tt.warning != "") || !strings.Contains(got, tt.warning) {
			t.Errorf("%s%s: reads %v, needs %v, warnings %q", tt.members, tt.more, c.ReadsIDToken(), c.NeedsIDToken(), got)
		}
		for _, h := range c.ClaimHeaders {
			if h.From != identity.IDToken {
				t.Errorf("%s is from %d", h.Name, h.From)
			}
		}
	}
	c, err := config.Parse([]byte(`{"domain":"t.eu.auth0.com","audience":"api","rules":[{"expression":"id_token.a == 1"}]}`), config.Options{})
	if err != nil || !strings.Contains(strings.Join(c.Warnings, "\n"), "$.rules[0].expression: id_token is always empty without login") {
		t.Errorf("%v, %+v", err, c)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
