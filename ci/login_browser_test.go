package ci_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// browser keeps cookies, says what Chromium says of where a request comes from,
// and follows redirects one by one. It knows nothing of what cookies hold.
// Every answer of the application that it sees is held to what no answer may do.
type browser struct {
	t    *testing.T
	app  application
	jar  *cookiejar.Jar
	site string // of Sec-Fetch-Site: where the present chain of requests began
}

// page is an answer and where it was found.
type page struct {
	answer
	at string // an absolute URL
}

func newBrowser(t *testing.T, app application) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, app: app, jar: jar, site: "none"}
}

// open asks for a page of the application, as a person does who types its URL.
func (b *browser) open(target string, headers ...[2]string) page {
	b.t.Helper()
	b.site = "none"
	return b.send(request{path: target, headers: append(slices.Clone(navigation), headers...)})
}

// click asks for a page of the application from one of its own pages.
func (b *browser) click(target string) page {
	b.t.Helper()
	b.site = "same-origin"
	return b.navigate(target)
}

func (b *browser) navigate(target string) page {
	b.t.Helper()
	return b.send(request{path: target, headers: fromSite(b.site, navigation)})
}

func fromSite(site string, headers [][2]string) [][2]string {
	headers = slices.Clone(headers)
	for i := range headers {
		if headers[i][0] == "Sec-Fetch-Site" {
			headers[i][1] = site
		}
	}
	return headers
}

// fetch is what a script of the application's own pages does.
func (b *browser) fetch(target string) page {
	b.t.Helper()
	return b.send(request{path: target, headers: scriptHeaders("same-origin")})
}

func scriptHeaders(site string) [][2]string {
	return [][2]string{{"Sec-Fetch-Site", site}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Fetch-Dest", "empty"}, {"Accept", "*/*"}}
}

// send sends a request to the application with its cookies, and takes those of
// the answer.
func (b *browser) send(req request) page {
	b.t.Helper()
	p, err := b.try(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *browser) try(req request) (page, error) {
	if line := b.cookieLine(); line != "" {
		req.headers = append(slices.Clone(req.headers), [2]string{"Cookie", line})
	}
	a, err := b.app.tryRaw(req)
	if err != nil {
		return page{}, err
	}
	b.jar.SetCookies(b.home(), (&http.Response{Header: a.header}).Cookies())
	leaks.see(a)
	p := page{a, b.app.origin + b.app.target(req)}
	b.lawful(req, p)
	return p, nil
}

func (b *browser) home() *url.URL { return must(url.Parse(b.app.origin + "/")) }

func (b *browser) cookieLine() string {
	var pairs []string
	for _, c := range b.jar.Cookies(b.home()) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// cookies are the application's, by name.
func (b *browser) cookies() map[string]string {
	all := map[string]string{}
	for _, c := range b.jar.Cookies(b.home()) {
		all[c.Name] = c.Value
	}
	return all
}

// transactions are the names of the cookies of logins under way.
func (b *browser) transactions() (names []string) {
	for name := range b.cookies() {
		if strings.Contains(name, "auth0_txn_") {
			names = append(names, name)
		}
	}
	return names
}

// set puts a cookie for the application into the browser; "" takes it out.
func (b *browser) set(name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: strings.HasPrefix(b.app.origin, "https:")}
	if value == "" {
		c.MaxAge = -1
	}
	b.jar.SetCookies(b.home(), []*http.Cookie{c})
}

// copy is another browser with the same cookies of the application and none of
// the issuer.
func (b *browser) copy() *browser {
	other := newBrowser(b.t, b.app)
	for name, value := range b.cookies() {
		other.set(name, value)
	}
	return other
}

// elsewhere is the browser at another application of the same origin.
func (b *browser) elsewhere(app application) *browser {
	other := *b
	other.app = app
	return &other
}

// root is the browser with targets that say the whole path.
func (b *browser) root() *browser {
	other := *b
	other.app.prefix = ""
	return &other
}

var errNowhere = errors.New("a redirect to a place that is neither the application nor the issuer")

// follow takes one step of a redirect.
func (b *browser) follow(p page) page {
	b.t.Helper()
	to := p.header.Get("Location")
	if !slices.Contains(redirects, p.status) || to == "" {
		b.t.Fatalf("%s: want a redirect, got %v", p.at, p.answer)
	}
	_, toIssuer := b.app.provider.path(to)
	_, atIssuer := b.app.provider.path(p.at)
	switch {
	case toIssuer:
		return b.atIssuer(to)
	case strings.HasPrefix(to, b.app.origin+"/"):
		return b.root().navigate(strings.TrimPrefix(to, b.app.origin))
	case strings.HasPrefix(p.at, b.app.origin+"/") && strings.HasPrefix(to, "/"):
		return b.root().navigate(to)
	case atIssuer && strings.HasPrefix(to, "/"):
		at := must(url.Parse(p.at))
		return b.atIssuer(at.Scheme + "://" + at.Host + to)
	}
	b.t.Fatalf("%s: %v: %q", p.at, errNowhere, to)
	return page{}
}

// atIssuer asks for a page of the issuer. Whoever comes from it comes from
// another site.
func (b *browser) atIssuer(at string) page {
	b.t.Helper()
	b.site = "cross-site"
	path, _ := b.app.provider.path(at)
	req, err := http.NewRequest(http.MethodGet, b.app.provider.control+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	known := must(url.Parse(at))
	for _, c := range b.jar.Cookies(known) {
		req.AddCookie(c)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.jar.SetCookies(known, resp.Cookies())
	a, err := read(resp)
	if err != nil {
		b.t.Fatal(err)
	}
	leaks.see(a)
	return page{a, at}
}

// arrive follows redirects until there is none.
func (b *browser) arrive(p page) page {
	b.t.Helper()
	for range 15 {
		if !slices.Contains(redirects, p.status) {
			return p
		}
		p = b.follow(p)
	}
	b.t.Fatalf("redirects without an end, the last at %s", p.at)
	return page{}
}

// callback follows redirects to the way back from the issuer, and gives its
// target without asking for it.
func (b *browser) callback(p page) string {
	b.t.Helper()
	for range 15 {
		if rest, back := strings.CutPrefix(p.header.Get("Location"), b.app.origin+"/callback?"); back {
			return "/callback?" + rest
		}
		p = b.follow(p)
	}
	b.t.Fatalf("no way back from the issuer: %s: %v", p.at, p.answer)
	return ""
}

// login opens a page, logs in on the way and wants to arrive there.
func (b *browser) login(target string) *echo {
	b.t.Helper()
	p := b.arrive(b.open(target))
	if p.at != b.app.origin+target {
		b.t.Fatalf("the login ended at %s, want %s: %v", p.at, target, p.answer)
	}
	return p.passed(b.t)
}

// loggedIn is a browser that logged in at /x.
func loggedIn(t *testing.T, app application) *browser {
	t.Helper()
	b := newBrowser(t, app)
	b.login("/x")
	return b
}

// refused wants a status, and an answer of the gateway's own.
func (p page) refused(t *testing.T, status int) page {
	t.Helper()
	if p.status != status || p.echo != nil {
		t.Fatalf("%s: want %d, got %v", p.at, status, p.answer)
	}
	return p
}

// toIssuer wants a redirect to the login page, and gives its parameters.
func (p page) toIssuer(t *testing.T, app application) url.Values {
	t.Helper()
	rest, there := strings.CutPrefix(p.header.Get("Location"), app.provider.login)
	if p.status != http.StatusFound || !there {
		t.Fatalf("%s: want a redirect to the login page, got %v to %q", p.at, p.answer, p.header.Get("Location"))
	}
	return must(url.ParseQuery(rest))
}

// setCookies are the answer's, by name.
func (a answer) setCookies() map[string]*http.Cookie {
	all := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		all[c.Name] = c
	}
	return all
}
