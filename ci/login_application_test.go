package ci_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// provider is an issuer that people log in at.
type provider struct {
	url     string // its identifier, as the runner reaches it
	pages   string // as browsers reach it
	control string // as the suite reaches it, no slash at the end
	login   string // the beginning of the URL that a browser is sent to
}

func (i *issuer) provider() provider {
	return provider{url: i.url, pages: i.pages, control: i.control, login: i.pages + "authorize?"}
}

// path is what of a URL of the provider is behind its host.
func (p provider) path(at string) (path string, is bool) {
	for _, base := range []string{p.url, p.pages} {
		if path, is = strings.CutPrefix(at, strings.TrimSuffix(base, "/")); is && (path == "" || path[0] == '/') {
			return path, true
		}
	}
	return "", false
}

// application is a route with login at a host of its own. TLS ends before the
// gateway, as it often does: browsers say https, and the gateway hears http.
type application struct {
	route
	provider provider
	origin   string // such as https://e2e-7d1f-12.example
	client   string // its client_id
	conf     policy // as it is in force
	cookie   string // of the session
	sameSite http.SameSite
}

// registration is what POST /control/clients takes.
type registration struct {
	ID                  string   `json:"client_id"`
	Secret              string   `json:"client_secret,omitempty"`
	PublicKey           string   `json:"public_key,omitempty"`
	RedirectURIs        []string `json:"redirect_uris"`
	LogoutURIs          []string `json:"logout_uris,omitempty"`
	RequirePAR          bool     `json:"require_par,omitempty"`
	IDTokenAlg          string   `json:"id_token_alg,omitempty"`
	NonRotating         bool     `json:"non_rotating,omitempty"`
	Leeway              int      `json:"leeway,omitempty"`
	AccessTokenLifetime int64    `json:"access_token_lifetime,omitempty"`
	IDTokenLifetime     int64    `json:"id_token_lifetime,omitempty"`
}

// appSpec is what an application differs in; the zero appSpec is an access token
// for an API, a confidential client and every default.
type appSpec struct {
	policy policy // over the plugin's configuration
	login  policy // over its login
	client func(*registration)
	plain  bool   // the browser says http
	phase  string // of the plugin; "" is ext-plugin-pre-req
	on     *stack
	// at is an application that this one shares host, client and paths of login
	// with; this one has a prefix there.
	at *application
}

// logins lets the issuer log everybody in without a click, while the test runs.
func logins(t *testing.T) {
	t.Helper()
	needSecret(t, sessionSecret, clientSecret)
	under.issuer.set(t, settings{Headless: &headless{}})
	t.Cleanup(func() { under.issuer.set(t, settings{}) })
}

// newApp registers an application at the issuer and puts its route.
func newApp(t *testing.T, spec appSpec) application {
	t.Helper()
	a := application{provider: under.issuer.provider()}
	id := newRouteID()
	a.route = route{id: id, host: id + ".example", on: under}
	a.client = id
	if spec.on != nil {
		a.on = spec.on
	}
	a.origin, a.cookie = "https://"+a.host, "__Host-auth0_session"
	if spec.plain {
		a.origin, a.cookie = "http://"+a.host, "auth0_session"
	}
	if spec.at != nil {
		a.host, a.origin, a.client, a.prefix = spec.at.host, spec.at.origin, spec.at.client, "/"+id
	} else {
		a.register(t, spec.client)
	}
	a.conf = a.policy().with(spec.policy)
	a.conf["login"] = a.login().with(spec.login)
	a.sameSite = http.SameSiteLaxMode
	if own, _ := spec.login["session"].(policy); own["same_site"] == "none" {
		a.sameSite = http.SameSiteNoneMode
	}
	a.begin(t, routeSpec{value: a.conf.text(), phase: spec.phase})
	return a
}

// register tells the issuer of the application; change may be nil.
func (a application) register(t *testing.T, change func(*registration)) {
	t.Helper()
	r := registration{
		ID: a.client, Secret: under.secrets.values[clientSecret],
		RedirectURIs: []string{a.origin + "/callback"}, LogoutURIs: []string{a.origin + "/bye"},
	}
	if change != nil {
		change(&r)
	}
	under.issuer.post(t, "/control/clients", r, nil)
}

func (a application) policy() policy {
	return policy{
		"issuer": a.provider.url, "audience": audience,
		"claim_headers": map[string]any{"X-User-Id": "sub"},
	}
}

func (a application) login() policy {
	return policy{
		"client_id": a.client, "client_secret": under.secrets.reference(clientSecret), "redirect_uri": a.origin + "/callback",
		"post_logout_redirect_uri": a.origin + "/bye", "backchannel_logout_path": "/backchannel",
		"session": policy{"secret": under.secrets.reference(sessionSecret)},
	}
}

// change puts the route anew, with other members of login on top.
func (a *application) change(t *testing.T, login policy) {
	t.Helper()
	conf := a.conf.with(nil)
	conf["login"] = a.conf["login"].(policy).with(login)
	a.conf = conf
	a.put(t, routeSpec{value: conf.text()})
}

// offline asks for a refresh token.
var offline = policy{"scope": "openid profile email offline_access"}

// sessionOf is login.session with other members on top.
func sessionOf(members policy) policy {
	return policy{"session": policy{"secret": under.secrets.reference(sessionSecret)}.with(members)}
}

// as logs one user in.
func as(user string) policy {
	return policy{"authorization_params": map[string]string{"login_hint": user}}
}

// settings are what POST /control/settings takes.
type settings struct {
	Headless   *headless      `json:"headless"`
	RequirePAR bool           `json:"require_par,omitempty"`
	WithoutIss bool           `json:"without_iss,omitempty"`
	Discovery  map[string]any `json:"discovery,omitempty"`
}

type headless struct {
	User string `json:"user,omitempty"`
	Deny bool   `json:"deny,omitempty"`
}

func (i *issuer) set(t testing.TB, s settings) { i.post(t, "/control/settings", s, nil) }

// while has settings for one case; those without a person's clicks come back.
func (i *issuer) while(t testing.TB, s settings) {
	if s.Headless == nil {
		s.Headless = &headless{}
	}
	i.set(t, s)
	t.Cleanup(func() { i.set(t, settings{Headless: &headless{}}) })
}

// spoiling is what POST /control/fault takes.
type spoiling struct {
	Path   string         `json:"path"`
	Fault  string         `json:"fault"`
	Status int            `json:"status,omitempty"`
	Code   string         `json:"error,omitempty"`
	Claims map[string]any `json:"claims,omitempty"`
	Times  int            `json:"times,omitempty"`
}

// spoil makes the issuer misbehave until the case ends.
func (i *issuer) spoil(t testing.TB, s spoiling) {
	t.Helper()
	i.post(t, "/control/fault", s, nil)
	t.Cleanup(func() { i.fault(t, s.Path, "none") })
}

type user struct {
	Sub           string         `json:"sub"`
	Claims        map[string]any `json:"claims,omitempty"`
	AccessClaims  map[string]any `json:"access_claims,omitempty"`
	Permissions   []string       `json:"permissions,omitempty"`
	Organizations []organization `json:"organizations,omitempty"`
}

type organization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (i *issuer) add(t testing.TB, u user) { i.post(t, "/control/users", u, nil) }

// loginCounts are some of GET /control/counters.
type loginCounts struct{ Authorize, PAR, Exchange, Refresh, Revocation, Reuse, Logins, Logout int }

func (i *issuer) counts(t testing.TB) (c loginCounts) {
	t.Helper()
	if err := getJSON(i.control+"/control/counters", &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// asked are the parameters of the authorization requests of a client so far.
func (i *issuer) asked(t testing.TB, client string) (list []map[string]string) {
	t.Helper()
	if err := getJSON(i.control+"/control/authorizations", &list); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(p map[string]string) bool { return p["client_id"] != client })
}

// freshDiscovery makes the runner read discovery anew for one application: the
// URL is another, and the document the same.
func freshDiscovery() policy {
	return policy{"discovery": under.issuer.url + ".well-known/openid-configuration?" + newRouteID()}
}

// merged is the first of several policies with the others on top.
func merged(all ...policy) policy {
	p := policy{}
	for _, m := range all {
		maps.Copy(p, m)
	}
	return p
}

var navigation = [][2]string{
	{"Sec-Fetch-Site", "none"},
	{"Sec-Fetch-Mode", "navigate"},
	{"Sec-Fetch-User", "?1"},
	{"Sec-Fetch-Dest", "document"},
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"Upgrade-Insecure-Requests", "1"},
}

// redirects are the statuses that a browser follows.
var redirects = []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
