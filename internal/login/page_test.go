package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

func TestLoginPath(t *testing.T) {
	type params = map[string]string
	for _, tt := range []struct {
		name   string
		live   bool
		method string
		query  string
		header []string
		status int
		params params
	}{
		{"without a session", false, "GET", "return_to=/x", nil, 302, params{}},
		{"HEAD", false, "HEAD", "", nil, 302, params{}},
		{"POST", false, "POST", "", nil, 405, nil},
		{"an invitation from another site", false, "GET", "organization=org_1&invitation=i", []string{"Sec-Fetch-Site: cross-site"}, 302, params{"organization": "org_1"}},
		{"with a session, of the application", true, "GET", "", []string{"Sec-Fetch-Site: same-origin"}, 302, params{}},
		{"with a session, typed", true, "GET", "", []string{"Sec-Fetch-Site: none"}, 302, params{}},
		{"with a session, from another site", true, "GET", "", []string{"Sec-Fetch-Site: cross-site"}, 403, nil},
		{"with a session, of another origin", true, "GET", "", []string{"Origin: https://evil.example"}, 403, nil},
		{"an image", false, "GET", "", []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403, nil},
		{"fetch", false, "GET", "", []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 403, nil},
		{"a prefetch", false, "GET", "", []string{"Sec-Purpose: prefetch"}, 403, nil},
		{"parameters that are allowed", false, "GET", "organization=acme&login_hint=a%40b", nil, 302, params{"organization": "acme", "login_hint": "a@b"}},
		{"parameters that are not", false, "GET", "scope=admin&redirect_uri=//evil&state=x&nonce=x&client_id=x&audience=x&acr_values=x&code_challenge_method=plain&prompt=none&prompt=none", nil, 302, params{}},
		{"an empty one", false, "GET", "organization=", nil, 302, params{}},
		{"injected with a line break", false, "GET", "login_hint=a%0d%0aLocation:x", nil, 400, nil},
		{"injected with a null", false, "GET", "login_hint=a%00", nil, 400, nil},
		{"no UTF-8", false, "GET", "login_hint=%ff", nil, 400, nil},
		{"with another parameter inside", false, "GET", "login_hint=a%26scope%3dadmin", nil, 302, params{"login_hint": "a&scope=admin"}},
		{"too long", false, "GET", "login_hint=" + strings.Repeat("a", 1025), nil, 400, nil},
		{"twice", false, "GET", "organization=a&organization=b", nil, 400, nil},
		{"return_to twice", false, "GET", "return_to=/a&return_to=/b", nil, 400, nil},
	} {
		r := newRig(t)
		b := r.browser()
		if tt.live {
			b.logIn()
		}
		asked := len(r.issuer.asked)
		a := b.do(tt.method, "/login?"+tt.query, append(tt.header, html)...)
		if a.Status != tt.status {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Cause)
			continue
		}
		if (len(r.issuer.asked) > asked) != (tt.status == 302) {
			t.Errorf("%s: a login was begun, or not", tt.name)
		} else if tt.status == 302 {
			if got := r.issuer.asked[asked].Params; fmt.Sprint(got) != fmt.Sprint(tt.params) {
				t.Errorf("%s: %v", tt.name, got)
			}
		} else if b.transactions() != 0 {
			t.Errorf("%s: %v", tt.name, b.jar)
		}
	}
}

func TestTheClickThatLogsInKeepsWhatWasAskedFor(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.logIn()
	a := b.do("GET", "/login?return_to=/x%3Fy%3D1%26z&organization=org_1&scope=admin", html, "Sec-Fetch-Site: cross-site")
	links := hrefs(a)
	if a.Status != 403 || a.Reason != login.ReasonCrossSite || len(links) != 1 {
		t.Fatalf("%d %s %s", a.Status, a.Reason, a.Body)
	}
	if a := b.do("GET", links[0], html, "Sec-Fetch-Site: same-origin"); a.Status != 302 {
		t.Fatalf("%d %s", a.Status, a.Cause)
	}
	asked := r.issuer.asked[1]
	r.issuer.id.OrgID = "org_1"
	if a := b.back(url.Values{"code": {"c"}, "state": {asked.State}}); header(a, "Location") != "/x?y=1&z" || fmt.Sprint(asked.Params) != "map[organization:org_1]" {
		t.Errorf("%q %v %s", header(a, "Location"), asked.Params, a.Cause)
	}
}

func TestAPageRunsNothingAndEscapesWhatOthersSaid(t *testing.T) {
	const said = `</blockquote><script>alert(1)</script><img src=x onerror=alert(2)>" ' & ` + "\x00\x1b\u202e" + `ü`
	b := newRig(t).browser()
	a := b.back(url.Values{"error": {"access_denied"}, "error_description": {said}, "state": {b.begin(`/x?"><script>alert(3)</script>`)}})
	body := string(a.Body)
	if header(a, "Content-Type") != "text/html; charset=utf-8" || header(a, "X-Content-Type-Options") != "nosniff" || header(a, "Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", a.Headers)
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "<img") || strings.ContainsAny(body, "\x00\x1b\u202e") || !strings.Contains(body, "ü</blockquote>") {
		t.Error(body)
	}
	policy := header(a, "Content-Security-Policy")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	sum := sha256.Sum256([]byte(style[1]))
	for _, part := range []string{"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %q", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
		t.Error(policy)
	}
	if links := hrefs(a); len(links) != 1 || !strings.HasPrefix(links[0], "/login?return_to=%2Fx") {
		t.Errorf("%q", links)
	}
}

func TestWordsOfTheIssuerAreBounded(t *testing.T) {
	b := newRig(t).browser()
	a := b.back(url.Values{"error": {"access_denied"}, "error_description": {strings.Repeat("ü", 10_000)}, "state": {b.begin("/")}})
	if n := strings.Count(string(a.Body), "ü"); n != 300 {
		t.Errorf("%d letters", n)
	}
}

// Words in a link that somebody sent are shown to nobody.
func TestWithoutATransactionNobodySpeaksThroughThePage(t *testing.T) {
	b := newRig(t).browser()
	a := b.back(url.Values{"error": {"access_denied"}, "error_description": {"call 0900-EVIL"}, "state": {"x"}})
	if a.Status != 400 || strings.Contains(string(a.Body), "EVIL") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestAScriptGetsJSON(t *testing.T) {
	b := newRig(t).browser()
	state := b.begin("/page")
	a := b.do("GET", "/callback?"+url.Values{"error": {"login_required"}, "error_description": {`"<x>`}, "state": {state}}.Encode(), "Accept: application/json")
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || body.Error != "access_denied" || !strings.Contains(body.Description, `"<x>`) || header(a, "Content-Type") != "application/json" {
		t.Errorf("%s %v", a.Body, err)
	}
	if header(a, "Content-Security-Policy") != "" || strings.Contains(string(a.Body), "<x>") {
		t.Errorf("%v %s", a.Headers, a.Body)
	}
}

func TestARefusalAsAPageKeepsItsStatusAndHeaders(t *testing.T) {
	r := refusal.Refusal{Kind: refusal.InsufficientScope, Scope: "read:all"}
	a := login.AsPage(r.Answer(refusal.Style{Realm: "r"}), "You may not see this page", "a <b>scope</b> is missing")
	got := login.Answer{Answer: a}
	if a.Status != 403 || header(got, "WWW-Authenticate") == "" || header(got, "Cache-Control") != "no-store" || header(got, "Content-Type") != "text/html; charset=utf-8" ||
		header(got, "Content-Security-Policy") == "" || !strings.Contains(string(a.Body), "a &lt;b&gt;scope") {
		t.Errorf("%+v %s", a.Headers, a.Body)
	}
}

func TestThePathsOfTheFlow(t *testing.T) {
	f := newRig(t).flow
	for _, path := range []string{"/callback", "/login", "/logout", "/backchannel"} {
		if !f.Own(path) {
			t.Errorf("%s is not its own", path)
		}
	}
	for _, path := range []string{"", "/", "/callback/", "/Callback", "/login/x", "/logou", "/a/callback"} {
		if f.Own(path) {
			t.Errorf("%s is its own", path)
		}
	}
	if f := newRig(t, func(o *login.Options) { o.Login.BackchannelLogoutPath = "" }).flow; f.Own("") || f.Own("/backchannel") {
		t.Error("a path that is not configured is its own")
	}
	for path, allow := range map[string]string{"/callback": "GET", "/login": "GET, HEAD", "/logout": "GET, POST", "/backchannel": "POST"} {
		a := f.Serve(t.Context(), &request{method: "PATCH", path: path}, start)
		if a.Status != 405 || header(a, "Allow") != allow || len(a.Body) == 0 {
			t.Errorf("%s: %d %q", path, a.Status, header(a, "Allow"))
		}
	}
	if names := fmt.Sprint(f.CookieNames()); names != "[__Host-auth0_session __Host-auth0_txn_0 __Host-auth0_txn_1 __Host-auth0_txn_2 __Host-auth0_txn_3 __Host-auth0_txn_4]" {
		t.Error(names)
	}
}
