package login_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

func TestWhatWasAskedForMustBeThere(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params map[string]string
		change func(*login.Identity)
		status int
	}{
		{"recent enough", map[string]string{"max_age": "60"}, func(id *login.Identity) { id.AuthTime = start.Add(-time.Minute) }, 303},
		{"within the leeway", map[string]string{"max_age": "60"}, func(id *login.Identity) { id.AuthTime = start.Add(-90 * time.Second) }, 303},
		{"too long ago", map[string]string{"max_age": "60"}, func(id *login.Identity) { id.AuthTime = start.Add(-91 * time.Second) }, 403},
		{"max_age of 0", map[string]string{"max_age": "0"}, func(id *login.Identity) { id.AuthTime = start.Add(-time.Minute) }, 403},
		{"no auth_time", map[string]string{"max_age": "60"}, func(id *login.Identity) { id.AuthTime = time.Time{} }, 403},
		{"an acr asked for", map[string]string{"acr_values": "gold silver"}, func(id *login.Identity) { id.ACR = "silver" }, 303},
		{"another acr", map[string]string{"acr_values": "gold silver"}, func(id *login.Identity) { id.ACR = "gold silver" }, 403},
		{"no acr", map[string]string{"acr_values": "gold"}, func(*login.Identity) {}, 403},
		{"the organization by id", map[string]string{"organization": "org_1"}, func(id *login.Identity) { id.OrgID = "org_1" }, 303},
		{"another organization by id", map[string]string{"organization": "org_1"}, func(id *login.Identity) { id.OrgID = "ORG_1" }, 403},
		{"a name that looks like an id", map[string]string{"organization": "org_1"}, func(id *login.Identity) { id.OrgName = "org_1" }, 403},
		{"the organization by name", map[string]string{"organization": "Acme"}, func(id *login.Identity) { id.OrgID, id.OrgName = "org_1", "acme" }, 303},
		{"another organization by name", map[string]string{"organization": "acme"}, func(id *login.Identity) { id.OrgName = "evil" }, 403},
		{"no organization", map[string]string{"organization": "acme"}, func(*login.Identity) {}, 403},
	} {
		r := newRig(t, func(o *login.Options) { o.Login.AuthorizationParams = tt.params })
		tt.change(&r.issuer.id)
		b := r.browser()
		if a := b.back(url.Values{"code": {"c"}, "state": {b.begin("/page")}}); a.Status != tt.status {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Cause)
		}
	}
}

func TestASessionEndsNoLaterThanItsSessionExpiry(t *testing.T) {
	r := newRig(t)
	r.issuer.id.SessionExpiry = start.Add(time.Hour)
	b := r.browser()
	b.logIn()
	s := r.sessions.kept[b.jar[cookieName]]
	if !s.Ends.Equal(start.Add(time.Hour)) {
		t.Error(s.Ends)
	}
}

func TestErrorsOfTheIssuer(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		reason string
	}{
		{"server_error", 503, login.ReasonUnavailable},
		{"temporarily_unavailable", 503, login.ReasonUnavailable},
		{"access_denied", 403, login.ReasonFailed},
		{"login_required", 403, login.ReasonFailed},
		{"consent_required", 403, login.ReasonFailed},
		{"interaction_required", 403, login.ReasonFailed},
		{"account_selection_required", 403, login.ReasonFailed},
		{"invalid_request", 403, login.ReasonFailed},
		{"unauthorized_client", 403, login.ReasonFailed},
		{"unsupported_response_type", 403, login.ReasonFailed},
		{"invalid_scope", 403, login.ReasonFailed},
		{"invalid_target", 403, login.ReasonFailed},
		{"invalid_request_uri", 403, login.ReasonFailed},
		{"invalid_request_object", 403, login.ReasonFailed},
		{"request_not_supported", 403, login.ReasonFailed},
		{"request_uri_not_supported", 403, login.ReasonFailed},
		{"registration_not_supported", 403, login.ReasonFailed},
		{"unmet_authentication_requirements", 403, login.ReasonFailed},
		{"Access_Denied", 400, login.ReasonFailed},
		{"<script>alert(1)</script>", 400, login.ReasonFailed},
	} {
		b := newRig(t).browser()
		a := b.back(url.Values{"error": {tt.code}, "state": {b.begin("/page")}, "error_description": {"<script>alert(2)</script>"}})
		if a.Status != tt.status || a.Reason != tt.reason {
			t.Errorf("%s: %d %s", tt.code, a.Status, a.Reason)
		}
		if b.transactions() != 0 || len(b.issuer.exchanged) != 0 {
			t.Errorf("%s: the transaction is still open", tt.code)
		}
		if body := string(a.Body); strings.Contains(body, "<script") || strings.Contains(a.Cause, "script") {
			t.Errorf("%s: %s %s", tt.code, body, a.Cause)
		}
	}
}
