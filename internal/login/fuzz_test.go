package login_test

import (
	"net/url"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/openredirect"
)

// FuzzReturnPath holds that no text whatever takes a browser off the site.
func FuzzReturnPath(f *testing.F) {
	for _, attack := range openredirect.Attacks() {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		onSite(t, raw, newRig(t).flow.ReturnPath(raw))
	})
}

// FuzzCallback holds that whatever comes to the callback without this browser's
// transaction exchanges no code and goes nowhere.
func FuzzCallback(f *testing.F) {
	f.Add("code=c&state=s", "__Host-auth0_txn_0=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", html)
	f.Add("code=c&code=c&state=&iss=https%3A%2F%2Fevil.example", "=; ;__Host-auth0_txn_4==; __Host-auth0_session", "Accept: text/html;q")
	f.Add("error=access_denied&error_description=%00%ff&state=%", "__Host-auth0_txn_1=\"x\"", "Accept: ,;=,text/html;q=NaN")
	f.Fuzz(func(t *testing.T, query, cookie, accept string) {
		r := newRig(t)
		values, _ := url.ParseQuery(query)
		a := r.flow.Serve(t.Context(), &request{method: "GET", path: "/callback", query: values, header: []string{"Cookie: " + cookie, accept}}, r.now)
		if a.Status != 400 || a.Reason != login.ReasonFailed || len(a.Body) == 0 || len(r.issuer.exchanged) != 0 || header(a, "Location") != "" {
			t.Errorf("%d %s", a.Status, a.Reason)
		}
	})
}
