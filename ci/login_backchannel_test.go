package ci_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// logoutTokenOf asks the issuer for a logout token that nobody is sent.
type logoutTokenOf struct {
	ClientID  string         `json:"client_id"`
	Sub       string         `json:"sub,omitempty"`
	SID       string         `json:"sid,omitempty"`
	Claims    map[string]any `json:"claims,omitempty"`
	Omit      []string       `json:"omit,omitempty"`
	Header    map[string]any `json:"header,omitempty"`
	Alg       string         `json:"alg,omitempty"`
	Key       string         `json:"key,omitempty"`
	Secret    string         `json:"secret,omitempty"`
	ExpiresIn int            `json:"expires_in,omitempty"`
}

func (i *issuer) logoutToken(t testing.TB, l logoutTokenOf) string {
	t.Helper()
	var made struct {
		LogoutToken string `json:"logout_token"`
	}
	i.post(t, "/control/logout-token", l, &made)
	return made.LogoutToken
}

// sessionOf is the sid of the only session that a user has at the issuer.
func (i *issuer) sessionOf(t testing.TB, sub string) string {
	t.Helper()
	var list []struct{ SID, Sub string }
	if err := getJSON(i.control+"/control/sessions", &list); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, s := range list {
		if s.Sub == sub {
			found = append(found, s.SID)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d sessions at the issuer", sub, len(found))
	}
	return found[0]
}

var form = [2]string{"Content-Type", "application/x-www-form-urlencoded"}

// tell posts a form to the back-channel's path, as the issuer does.
func (a application) tell(t *testing.T, body string, headers ...[2]string) answer {
	t.Helper()
	if len(headers) == 0 {
		headers = [][2]string{form}
	}
	before := under.upstream.requests(t)
	headers = append(slices.Clone(headers), [2]string{"Content-Length", fmt.Sprint(len(body))})
	got := a.sendRaw(t, request{method: "POST", path: "/backchannel", headers: headers, body: body})
	if under.upstream.requests(t) != before {
		t.Error("the upstream got a logout token")
	}
	if got.header.Get("Cache-Control") != "no-store" || len(got.body) == 0 || len(got.header.Values("Set-Cookie")) > 0 {
		t.Errorf("the answer %v has the headers %v", got, got.header)
	}
	return got
}

// TestBackchannelLogout is what the issuer tells the application.
func TestBackchannelLogout(t *testing.T) {
	logins(t)
	person := func(t *testing.T) (string, application, *browser) {
		t.Helper()
		name := "auth0|" + newRouteID()
		under.issuer.add(t, user{Sub: name})
		app := newApp(t, appSpec{login: as(name)})
		return name, app, loggedIn(t, app)
	}
	run(t, "by sid", func(t *testing.T) {
		name, app, b := person(t)
		other := newApp(t, appSpec{}) // of someone else
		stays := loggedIn(t, other)
		token := under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, SID: under.issuer.sessionOf(t, name)})
		if a := app.tell(t, "logout_token="+token); a.status != http.StatusOK {
			t.Fatalf("got %v", a)
		}
		b.becomes(401)
		b.open("/x").toIssuer(t, app)
		stays.fetch("/x").passed(t)
		if a := app.tell(t, "logout_token="+token); a.status != http.StatusBadRequest {
			t.Errorf("the same token again: %v", a)
		}
	})
	run(t, "by sub, and a login after it is good", func(t *testing.T) {
		name, app, b := person(t)
		second := loggedIn(t, app)
		if a := app.tell(t, "logout_token="+under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, Sub: name})); a.status != http.StatusOK {
			t.Fatalf("got %v", a)
		}
		b.becomes(401)
		second.becomes(401)
		if err := eventually(hangGuard, func() error {
			fresh := newBrowser(t, app)
			p := fresh.arrive(fresh.open("/x"))
			return wantStatus(200)(p.answer)
		}); err != nil {
			t.Error(err)
		}
	})
	run(t, "by sid and sub: the sid alone", func(t *testing.T) {
		name, app, b := person(t)
		sid := under.issuer.sessionOf(t, name)
		second := loggedIn(t, app)
		app.tell(t, "logout_token="+under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, Sub: name, SID: sid}))
		b.becomes(401)
		second.fetch("/x").passed(t)
	})
	run(t, "while the login is under way: 403", func(t *testing.T) {
		name := "auth0|" + newRouteID()
		under.issuer.add(t, user{Sub: name})
		app := newApp(t, appSpec{login: as(name)})
		b := begin(t, app)
		app.tell(t, "logout_token="+under.issuer.logoutToken(t, logoutTokenOf{ClientID: app.client, SID: under.issuer.sessionOf(t, name)}))
		b.navigate(b.callback).refused(t, 403)
		b.sessionless()
	})

	name, app, b := person(t)
	good := logoutTokenOf{ClientID: app.client, Sub: name}
	event := "http://schemas.openid.net/event/backchannel-logout"
	claim := func(claims map[string]any) func(*logoutTokenOf) {
		return func(l *logoutTokenOf) { l.Claims = claims }
	}
	for what, change := range map[string]func(*logoutTokenOf){
		"alg none":                     func(l *logoutTokenOf) { l.Alg, l.Key = "none", "none" },
		"no signature":                 func(l *logoutTokenOf) { l.Key = "none" },
		"HS256 by the client's secret": func(l *logoutTokenOf) { l.Alg, l.Secret = "HS256", under.secrets.values[clientSecret] },
		"a rogue key":                  func(l *logoutTokenOf) { l.Key = "rogue" },
		"another typ":                  func(l *logoutTokenOf) { l.Header = map[string]any{"typ": "at+jwt"} },
		"another issuer":               claim(map[string]any{"iss": "https://elsewhere.example/"}),
		"no issuer":                    func(l *logoutTokenOf) { l.Omit = []string{"iss"} },
		"another audience":             claim(map[string]any{"aud": "another-client"}),
		"no audience":                  func(l *logoutTokenOf) { l.Omit = []string{"aud"} },
		"an API's audience":            claim(map[string]any{"aud": audience}),
		"no iat":                       func(l *logoutTokenOf) { l.Omit = []string{"iat"} },
		"an old iat":                   claim(map[string]any{"iat": 1700000000}),
		"an iat of years to come":      claim(map[string]any{"iat": 4102444800}),
		"expired":                      func(l *logoutTokenOf) { l.ExpiresIn = -600 },
		"no exp":                       func(l *logoutTokenOf) { l.Omit = []string{"exp"} },
		"no jti":                       func(l *logoutTokenOf) { l.Omit = []string{"jti"} },
		"an empty jti":                 claim(map[string]any{"jti": ""}),
		"no events":                    func(l *logoutTokenOf) { l.Omit = []string{"events"} },
		"another event":                claim(map[string]any{"events": map[string]any{"https://elsewhere.example/": map[string]any{}}}),
		"an event that is a text":      claim(map[string]any{"events": map[string]any{event: "yes"}}),
		"events in a list":             claim(map[string]any{"events": []string{event}}),
		"a nonce":                      claim(map[string]any{"nonce": "n"}),
		"neither sid nor sub":          func(l *logoutTokenOf) { l.Sub = "" },
		"a number for sub":             claim(map[string]any{"sub": 7}),
		"a list for sid":               func(l *logoutTokenOf) { l.SID, l.Claims = "a", map[string]any{"sid": []string{"a"}} },
		"a crit of something":          func(l *logoutTokenOf) { l.Header = map[string]any{"crit": []string{"x"}, "x": 1} },
	} {
		run(t, "a logout token with "+what, func(t *testing.T) {
			l := good
			change(&l)
			a := app.tell(t, "logout_token="+under.issuer.logoutToken(t, l))
			if a.status != 400 || !strings.Contains(string(a.body), `"error"`) {
				t.Errorf("got %v", a)
			}
			b.fetch("/x").passed(t)
		})
	}
	token := func() string { return under.issuer.logoutToken(t, good) }
	twice := token()
	for what, body := range map[string]string{
		"no logout_token": "a=b", "an empty form": "", "an empty logout_token": "logout_token=", "two logout tokens": "logout_token=" + twice + "&logout_token=" + twice,
		"no JWT": "logout_token=abc", "an access token": "logout_token=" + under.issuer.mint(t, minting{}), "no form": "%zz=%",
		"more than 64 KiB": "logout_token=" + twice + "&a=" + strings.Repeat("x", 64<<10), "a token of 20 KB": "logout_token=" + strings.Repeat("x", 20<<10),
		"a good token and a half": "logout_token=" + twice + ".x",
	} {
		run(t, "a form with "+what, func(t *testing.T) {
			if a := app.tell(t, body); a.status != 400 {
				t.Errorf("got %v", a)
			}
			b.fetch("/x").passed(t)
		})
	}
	run(t, "a body that is no form", func(t *testing.T) {
		for _, kind := range [][2]string{{"Content-Type", "application/json"}, {"Content-Type", "multipart/form-data; boundary=x"}, {"Accept", "*/*"}} {
			if a := app.tell(t, "logout_token="+token(), kind); a.status != 400 {
				t.Errorf("%v: %v", kind, a)
			}
		}
		b.fetch("/x").passed(t)
	})
	run(t, "a token in the query", func(t *testing.T) {
		a := app.sendRaw(t, request{method: "POST", path: "/backchannel?logout_token=" + token(), headers: [][2]string{form, {"Content-Length", "0"}}})
		if a.status != 400 {
			t.Errorf("got %v", a)
		}
		b.fetch("/x").passed(t)
	})
	run(t, "a method that is not POST", func(t *testing.T) {
		for _, method := range []string{"GET", "PUT", "HEAD"} {
			a := app.sendRaw(t, request{method: method, path: "/backchannel?logout_token=" + token()})
			if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
				t.Errorf("%s: %v", method, a)
			}
		}
	})
	run(t, "a form in another charset, chunked or with more in it, is one", func(t *testing.T) {
		if a := app.tell(t, "x=y&logout_token="+token()+"&z=", [2]string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}); a.status != 200 {
			t.Errorf("got %v", a)
		}
		b.becomes(401)
	})
}
