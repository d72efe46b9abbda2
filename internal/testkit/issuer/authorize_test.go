package issuer_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

var formID = regexp.MustCompile(`name="form" value="([^"]+)"`)

// shown is the form that a request leads to.
func (a *app) shown(t *testing.T, more ...string) (id, page string) {
	t.Helper()
	status, _, page := a.goTo(t, a.asks("v", more...))
	found := formID.FindStringSubmatch(page)
	if status != http.StatusOK || found == nil {
		t.Fatalf("%d %s", status, page)
	}
	return found[1], page
}

func TestAPersonClicksWithoutScript(t *testing.T) {
	a := appAt(t, start(t, issuer.Options{}), confidential)
	id, page := a.shown(t, "login_hint", "auth0|bob", "screen_hint", "signup", "ui_locales", "de", "acr_values", "mfa")
	for _, want := range []string{`lang="de"`, "Sign up", "second factor", ">Continue as auth0|alice<"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s in %s", want, page)
		}
	}
	if strings.Index(page, "as auth0|bob") > strings.Index(page, "as auth0|alice") || strings.Contains(page, "<script") {
		t.Errorf("bob is not the first, or there is script: %s", page)
	}
	_, to, _ := a.submit(t, "u/login", url.Values{"form": {id}, "user": {"auth0|bob"}})
	if to == nil || to.Query().Get("code") == "" || to.Query().Get("state") != "state-1" {
		t.Errorf("sent to %v", to)
	}
	if status, _, _ := a.submit(t, "u/login", url.Values{"form": {id}, "user": {"auth0|bob"}}); status != http.StatusBadRequest {
		t.Errorf("the form again: %d", status)
	}
	if code := a.answer(t).Get("code"); code == "" {
		t.Error("the session that is there is not used")
	}
	id, _ = a.shown(t, "prompt", "login")
	_, to, _ = a.submit(t, "u/login", url.Values{"form": {id}, "deny": {"yes"}})
	if to == nil || to.Query().Get("error") != "access_denied" || to.Query().Get("iss") != a.issuer.URL() {
		t.Errorf("denied, sent to %v", to)
	}
}

func TestWhoIsSentBackWithAnError(t *testing.T) {
	a := newApp(t, confidential)
	for _, tt := range []struct {
		name, want string
		more       []string
	}{
		{"no session and prompt=none", "login_required", []string{"prompt", "none"}},
		{"prompt=none and more", "invalid_request", []string{"prompt", "none login"}},
		{"another response_type", "unsupported_response_type", []string{"response_type", "token"}},
		{"another response_mode", "invalid_request", []string{"response_mode", "form_post"}},
		{"plain PKCE", "invalid_request", []string{"code_challenge_method", "plain"}},
		{"a challenge that is none", "invalid_request", []string{"code_challenge", "short"}},
		{"a max_age that is none", "invalid_request", []string{"max_age", "-1"}},
		{"a request object", "request_not_supported", []string{"request", "x"}},
		{"an organization without the user", "access_denied", []string{"organization", "org_acme"}},
		{"an invitation that nobody made", "access_denied", []string{"organization", "org_acme", "invitation", "x"}},
		{"an invitation without organization", "invalid_request", []string{"invitation", "x"}},
		{"an unknown user", "access_denied", []string{"login_hint", "nobody"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.browser = newBrowser(t)
			got := a.answer(t, tt.more...)
			if got.Get("error") != tt.want || got.Get("code") != "" || got.Get("state") != "state-1" || got.Get("iss") != a.issuer.URL() {
				t.Errorf("got %v", got)
			}
		})
	}
	a.issuer.Set(issuer.Settings{Headless: &issuer.Headless{Deny: true}, WithoutIss: true})
	a.browser = newBrowser(t)
	if got := a.answer(t); got.Get("error") != "access_denied" || got.Has("iss") {
		t.Errorf("denied, without iss: %v", got)
	}
}

func TestAPublicClientNeedsPKCE(t *testing.T) {
	a := newApp(t, issuer.Client{ID: "spa", RedirectURIs: []string{callback}})
	_, to, _ := a.goTo(t, a.AuthCodeURL("s"))
	if to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("sent to %v", to)
	}
}

func TestABrowserIsSentNowhereThatIsNotRegistered(t *testing.T) {
	a := newApp(t, confidential)
	for name, query := range map[string]string{
		"an unknown client":         "client_id=nobody&response_type=code&redirect_uri=" + url.QueryEscape(callback),
		"another redirect_uri":      "client_id=web&response_type=code&redirect_uri=https%3A%2F%2Fevil.example",
		"a longer redirect_uri":     "client_id=web&response_type=code&redirect_uri=" + url.QueryEscape(callback+"/x"),
		"no redirect_uri":           "client_id=web&response_type=code",
		"a repeated parameter":      "client_id=web&response_type=code&state=a&state=b&redirect_uri=" + url.QueryEscape(callback),
		"a request_uri of nobody's": "client_id=web&request_uri=urn:x",
	} {
		if status, to, _ := a.goTo(t, a.issuer.URL()+"authorize?"+query); status != http.StatusBadRequest || to != nil {
			t.Errorf("%s: %d %v", name, status, to)
		}
	}
}

func TestMaxAgeAsksForALoginAndIsAnsweredWithAuthTime(t *testing.T) {
	a := newApp(t, confidential)
	a.login(t)
	a.issuer.SetClock(time.Minute)
	if got := a.answer(t, "prompt", "none", "max_age", "30").Get("error"); got != "login_required" {
		t.Errorf("a session of a minute: %q", got)
	}
	if got := a.answer(t, "prompt", "none", "max_age", "3600").Get("code"); got == "" {
		t.Error("a session that is young enough is not used")
	}
	logins := a.issuer.Counters().Logins
	claims := a.claims(t, a.login(t, "max_age", "30"))
	if at, _ := claims["auth_time"].(float64); time.Unix(int64(at), 0).Before(time.Now().Add(30 * time.Second)) {
		t.Errorf("auth_time is %v", claims["auth_time"])
	}
	if got := a.issuer.Counters().Logins; got != logins+1 {
		t.Errorf("%d logins", got-logins)
	}
}

func TestASecondFactorIsAskedForOnce(t *testing.T) {
	const mfa = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
	a := newApp(t, confidential)
	first := a.claims(t, a.login(t))
	if first["acr"] != nil || first["amr"] != nil {
		t.Errorf("without a second factor: %v", first)
	}
	if got := a.answer(t, "prompt", "none", "acr_values", mfa).Get("error"); got != "interaction_required" {
		t.Errorf("got %q", got)
	}
	for range 2 {
		claims := a.claims(t, a.login(t, "acr_values", mfa))
		if claims["acr"] != mfa || claims["sid"] != first["sid"] {
			t.Errorf("with one: %v", claims)
		}
	}
	if got := a.issuer.Counters().Logins; got != 2 {
		t.Errorf("%d logins", got)
	}
}

func TestOrganizationsAndInvitations(t *testing.T) {
	a := newApp(t, confidential)
	post(t, a.issuer, "control/users", `{"sub":"auth0|dora","organizations":[{"id":"org_acme","name":"acme"}]}`)
	for _, name := range []string{"org_acme", "acme"} {
		token := a.login(t, "login_hint", "auth0|dora", "organization", name, "audience", "x")
		claims, access := a.claims(t, token), object(t, part(t, token.AccessToken, 1))
		if claims["org_id"] != "org_acme" || claims["org_name"] != "acme" || access["org_id"] != "org_acme" {
			t.Errorf("%v, %v", claims, access)
		}
	}
	a.browser = newBrowser(t)
	ticket := a.issuer.Invite(issuer.Organization{ID: "org_new", Name: "new"})
	if claims := a.claims(t, a.login(t, "organization", "org_new", "invitation", ticket)); claims["org_id"] != "org_new" {
		t.Errorf("invited: %v", claims)
	}
	if claims := a.claims(t, a.login(t, "organization", "org_new")); claims["org_id"] != "org_new" {
		t.Errorf("later: %v", claims)
	}
	if got := a.answer(t, "organization", "org_new", "invitation", ticket).Get("error"); got != "access_denied" {
		t.Errorf("the invitation again: %q", got)
	}
}

func TestAThirdPartysApplicationNeedsConsentOnce(t *testing.T) {
	a := newApp(t, confidential)
	a.login(t)
	client := confidential
	client.ID, client.Consent = "third", true
	third := appAt(t, a.issuer, client)
	third.browser = a.browser
	if got := third.answer(t, "prompt", "none").Get("error"); got != "consent_required" {
		t.Errorf("got %q", got)
	}
	third.login(t)
	if got := third.answer(t, "prompt", "none"); got.Get("code") == "" {
		t.Errorf("got %v", got)
	}
}

func TestWhatWasAskedForCanBeRead(t *testing.T) {
	a := newApp(t, confidential)
	a.login(t, "audience", "x", "ui_locales", "de")
	asked := a.issuer.Asked()
	if len(asked) != 1 || asked[0]["audience"] != "x" || asked[0]["ui_locales"] != "de" || asked[0]["code_challenge_method"] != "S256" {
		t.Errorf("got %v", asked)
	}
	if status, body := call(t, a.issuer, "control/authorizations", "", ""); status != 200 || !strings.Contains(body, `"ui_locales":"de"`) {
		t.Errorf("%d %s", status, body)
	}
}
