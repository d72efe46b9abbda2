package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// Where the demo's application is, below the gateway.
const (
	appPath     = "/app/"
	deepLink    = "/app/orders/caf%C3%A9?sort=date&page=2"
	logoutPath  = "/app/logout"
	goodbyePath = "/public/goodbye"
)

// The variables that the runner of the demo has its secrets in.
const (
	appSecretName     = "AUTH0_APP_SECRET"
	sessionSecretName = "SESSION_SECRET"
)

const (
	appClient = "demo-app"
	person    = "auth0|alice" // one of the issuer's from the start
)

// secrets are what a login needs beside the route.
type secrets struct{ app, session string }

func newSecrets() secrets { return secrets{app: rand.Text(), session: rand.Text() + rand.Text()} }

// environment is what the runner finds them in.
func (s secrets) environment() []string {
	return []string{appSecretName + "=" + s.app, sessionSecretName + "=" + s.session}
}

// remember puts the secrets into this process's own environment, where the page
// finds what a configuration refers to. forget takes them out.
func (s secrets) remember() (forget func(), err error) {
	before := map[string]string{}
	for _, pair := range s.environment() {
		name, value, _ := strings.Cut(pair, "=")
		if was, there := os.LookupEnv(name); there {
			before[name] = was
		}
		err = errors.Join(err, os.Setenv(name, value))
	}
	return func() {
		for _, pair := range s.environment() {
			name, _, _ := strings.Cut(pair, "=")
			_ = os.Unsetenv(name)
			if was, there := before[name]; there {
				_ = os.Setenv(name, was)
			}
		}
	}, err
}

// tryClient is the application of the page's example with a login.
const tryClient = "playground-app"

// tryApplication is what the issuer is told of it.
func tryApplication(gateway, secret string) issuer.Client {
	return issuer.Client{
		ID: tryClient, Secret: secret,
		RedirectURIs: []string{gateway + "/try/callback"}, LogoutURIs: []string{gateway + goodbyePath},
	}
}

// appRoute is the plugin's configuration for the page behind login.
func (s *site) appRoute() map[string]any {
	return map[string]any{
		"login": map[string]any{
			"client_id": appClient, "client_secret": "$env://" + appSecretName, "subject_token": "id_token",
			"redirect_uri": s.gateway + "/app/callback", "login_path": "/app/login", "logout_path": logoutPath,
			"post_logout_redirect_uri": s.gateway + goodbyePath,
			"session":                  map[string]any{"secret": "$env://" + sessionSecretName},
		},
		"claim_headers": map[string]any{"X-User-Id": "sub", "X-User-Name": "name", "X-User-Email": "email"},
	}
}

// registerApp tells the issuer of the application, as one would in Auth0's
// dashboard.
func (s *site) registerApp(ctx context.Context) error {
	return s.register(ctx, issuer.Client{
		ID: appClient, Secret: s.appSecret,
		RedirectURIs: []string{s.gateway + "/app/callback"}, LogoutURIs: []string{s.gateway + goodbyePath},
	})
}

// showLogin says what to click.
func (s *site) showLogin(out io.Writer) {
	fmt.Fprintf(out, `# a page behind login: open it in a browser
%[1]s%[2]s
# expect: the login page of the local provider, which stands for Auth0's
# click "Continue as %[3]s"; expect: "Hello, alice"
# click "A page further down", then "Log out"; expect: "Nobody is logged in"
# open this in a new tab; expect: the login page, and after it this very page
%[1]s%[4]s

`, s.gateway, appPath, person, deepLink)
}

// outcome is one answer beside the one that was expected.
type outcome struct{ title, did, got, want string }

// walk logs in and out as a person with a browser does.
func (s *site) walk(ctx context.Context) ([]outcome, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{site: s, client: &http.Client{Jar: jar, Timeout: answerWithin}}
	var list []outcome
	for _, move := range []struct {
		title, did string
		do         func(context.Context) (string, error)
		want       string
	}{
		{"a script without a session is not redirected", "fetch " + appPath, b.fetch, "401"},
		{"a page without a session leads to the login page", "open " + deepLink, b.open(deepLink), "the provider's login page"},
		{"the login leads back to that page", "continue as " + person, b.logIn, "200 " + deepLink + " for " + person},
		{"a script has the session too", "fetch " + appPath, b.fetch, "200"},
		{"logging out ends the session here and there", "open " + logoutPath, b.open(logoutPath), "200 " + goodbyePath + " for nobody"},
		{"a page after the logout leads to the login page", "open " + appPath, b.open(appPath), "the provider's login page"},
	} {
		got, err := move.do(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			got = "no answer: " + err.Error()
		}
		list = append(list, outcome{move.title, move.did, got, move.want})
	}
	return list, nil
}

// browser asks as a browser does, and follows redirects.
type browser struct {
	site   *site
	client *http.Client
	at     *url.URL
	form   string // the value of the login form that is shown
}

func (b *browser) fetch(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.site.gateway+appPath, nil)
	if err != nil {
		return "", err
	}
	req.Header = http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return fmt.Sprint(resp.StatusCode), nil
}

func (b *browser) open(path string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return b.navigate(ctx, http.MethodGet, b.site.gateway+path, nil)
	}
}

func (b *browser) logIn(ctx context.Context) (string, error) {
	if b.form == "" {
		return "no form to fill in", nil
	}
	to := b.at.ResolveReference(&url.URL{Path: "/u/login"})
	return b.navigate(ctx, http.MethodPost, to.String(), url.Values{"form": {b.form}, "user": {person}})
}

var (
	formField = regexp.MustCompile(`name="form" value="(\w+)"`)
	userField = regexp.MustCompile(`id="user">([^<]*)<`)
)

// navigate says where it came to and who is greeted there.
func (b *browser) navigate(ctx context.Context, method, address string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	b.at, b.form = resp.Request.URL, ""
	if found := formField.FindSubmatch(body); found != nil && resp.Request.URL.Path == "/authorize" {
		b.form = string(found[1])
		return "the provider's login page", nil
	}
	user := "nobody"
	if found := userField.FindSubmatch(body); found != nil {
		user = string(found[1])
	}
	return fmt.Sprintf("%d %s for %s", resp.StatusCode, b.at.RequestURI(), user), nil
}
