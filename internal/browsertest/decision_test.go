package browsertest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestEveryExampleOfThePlaygroundShowsItsDecision(t *testing.T) {
	v := newVisitor(t)
	for _, tc := range []struct{ example, status, reason, answeredBy, refused string }{
		{"machine", "403", "insufficient_scope", "runner", "required_scopes"},
		{"email", "403", "claim_mismatch", "runner", "claims"},
		{"tenants", "200", "forwarded", "upstream", ""},
		{"organization-mfa", "401", "step_up_required", "runner", "require_mfa, acr_values, max_auth_age"},
		{"dpop", "401", "dpop_failed", "runner", "DPoP binding"},
		{"login", "302", "login_redirect", "runner", "a token is there"},
		{"revoked", "401", "revoked", "runner", "the token was not revoked"},
	} {
		t.Run(tc.example, func(t *testing.T) {
			o := v.after(func() { v.pick(tc.example) }, tc.status, tc.reason)
			if o.AnsweredBy != tc.answeredBy {
				t.Errorf("%s answered", o.AnsweredBy)
			}
			if strings.Join(o.Refused, "; ") != tc.refused {
				t.Errorf("the checks %q refused", o.Refused)
			}
			v.waitFor("a configuration without errors", `document.querySelector(".findings").dataset.tone !== "bad"`)
		})
	}
	if got := script[int](v.tab, `document.querySelectorAll("[data-example]").length`); got != 7 {
		t.Errorf("there are %d examples", got)
	}
}

const plainRoute = `{"issuer": ISSUER, "audience": "https://api.example.com", "dpop": "allow", "claim_headers": {"X-User-Id": "sub"}}`

// writePlain writes a route that takes good tokens of the playground's issuer.
func writePlain(v *visitor) {
	v.t.Helper()
	issuer := script[string](v.tab, `fetch("/api/start").then(r => r.json()).then(s => JSON.stringify(s.issuer))`)
	v.write(".config", strings.Replace(plainRoute, "ISSUER", issuer, 1))
}

func TestEveryTokenOfOneClickIsJudged(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
	v.after(func() { writePlain(v) }, "200", "forwarded")
	for _, tc := range []struct{ variant, status, reason string }{
		{"expired", "401", "expired"},
		{"valid", "200", "forwarded"},
		{"forged", "401", "bad_signature"},
		{"wrong-audience", "401", "bad_audience"},
		{"other-tenant", "401", "unknown_issuer"},
		{"id-token", "401", "bad_audience"},
		{"dpop-bound", "200", "forwarded"},
		{"dpop-stolen", "401", "dpop_failed"},
	} {
		t.Run(tc.variant, func(t *testing.T) {
			o := v.after(func() { v.choose(tc.variant) }, tc.status, tc.reason)
			if tc.status == "200" {
				if !slices.Contains(o.Identity, "x-user-id: billing-service@clients") {
					t.Errorf("the upstream was told %q", o.Identity)
				}
				return
			}
			if len(o.Identity) > 0 || len(o.Challenges) == 0 || len(o.Refused) != 1 {
				t.Errorf("got %+v, want one refused check, a challenge, and nothing for the upstream", o)
			}
		})
	}
	if got := script[int](v.tab, `document.querySelectorAll(".chips .choice").length`); got != 8 {
		t.Errorf("there are %d tokens to choose", got)
	}
}

func TestAClaimThatIsEditedChangesTheDecisionAndTheForgedHeaderIsStruckThrough(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
	v.after(func() { v.pick("email") }, "403", "claim_mismatch")
	o := v.after(func() {
		v.write(".caller", `{"sub": "auth0|alice", "email": "alice@example.com", "email_verified": true}`)
	}, "200", "forwarded")
	if want := []string{"x-user-id: auth0|alice", "x-user-email: alice@example.com"}; !slices.Equal(slices.Sorted(slices.Values(o.Identity)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the upstream was told %q", o.Identity)
	}
	if !slices.Contains(o.Stripped, "mallory") {
		t.Errorf("struck through are %q", o.Stripped)
	}
}

func TestAPastedTokenIsTakenApartAndTried(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
	v.after(func() { v.choose("none") }, "401", "missing_token")
	v.choose("pasted")
	v.click("#pasted")
	o := v.after(func() {
		v.do(chromedp.SendKeys(chromedp.CSS("#pasted"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.AA"))
	}, "401", "alg_not_allowed")
	if len(o.Refused) != 1 {
		t.Errorf("the checks %q refused", o.Refused)
	}
	v.waitFor("the decoded parts", `document.querySelector(".token-parts").innerText.includes('"mallory"') && document.querySelector(".token-text .jwt-signature").innerText === "AA"`)
}

func TestAnErrorOfTheConfigurationIsUnderlinedListedAndLedTo(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
	o := v.after(func() {
		v.write(".config", "{\"issuer\": \"http://127.0.0.1:1/\",\n \"audiance\": \"x\", \"audience\": \"x\"}")
	}, "500", "config_invalid")
	if o.AnsweredBy != "runner" {
		t.Errorf("%s answered", o.AnsweredBy)
	}
	v.waitFor("the error in words", `[...document.querySelectorAll(".findings li")].some(e => e.innerText.includes("error") && e.innerText.includes("audiance"))`)
	v.waitFor("the underlined key", `document.querySelector(".config .cm-lintRange-error")?.innerText.includes("audiance")`)
	v.click(`.findings li button`)
	v.waitFor("the key selected in the editor", `document.activeElement.closest(".config .cm-editor") !== null && getSelection().toString().includes("audiance")`)
	v.waitFor("the suggestion of a key", `document.querySelector(".cm-tooltip-autocomplete") === null`)
	v.write(".config", "")
	v.press(`{"dp`)
	v.waitFor("the suggestion of a key", `[...document.querySelectorAll(".cm-tooltip-autocomplete li")].some(e => e.innerText.startsWith("dpop"))`)
	v.press(kb.Escape)
}

// newTabOf waits for the tab that something opens.
func (v *visitor) newTabOf(doing func()) *tab {
	v.t.Helper()
	opened := chromedp.WaitNewTarget(v.ctx, func(i *target.Info) bool { return i.Type == "page" })
	doing()
	ctx, cancel := context.WithTimeout(v.ctx, hang)
	defer cancel()
	select {
	case id := <-opened:
		return newTab(v.t, v.ctx, chromedp.WithTargetID(id))
	case <-ctx.Done():
		v.t.Fatal("no tab was opened")
		return nil
	}
}

func TestARealLoginGivesThePageASession(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("login") }, "302", "login_redirect")
	v.choose("session")
	login := v.newTabOf(func() { v.click(".session li:first-child button") })
	login.see("the login form", func(s view) bool {
		return strings.Contains(s.URL, "/authorize?") && strings.Contains(s.Text, "Continue as")
	})
	login.logIn(alice)
	login.see("the route behind the login", func(s view) bool { return strings.Contains(s.URL, "/try/") && s.Status == 200 })
	o := v.after(func() { v.click(".session li:last-child button") }, "200", "forwarded")
	if !slices.Contains(o.Identity, "x-user-id: "+alice) {
		t.Errorf("the upstream was told %q", o.Identity)
	}
}

func TestWhatWasTriedIsCopiedOutWithoutItsToken(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("tenants") }, "200", "forwarded")
	script[bool](v.tab, `(navigator.clipboard.writeText = async text => { window.copied = text; }, true)`)
	for kind, want := range map[string]string{"curl": "curl", "explain": "go-runner explain", "compose": "services:", "helm": "extraInitContainers:"} {
		v.choose(kind)
		v.click(".share .button")
		v.waitFor(want+" copied", `(window.copied ?? "").includes(`+jsonOf(want)+`)`)
		if copied := script[string](v.tab, `window.copied`); strings.Contains(copied, "eyJ") {
			t.Errorf("%s has a token: %s", kind, copied)
		}
	}
	v.click(".caller .row.between .button:last-child")
	v.waitFor("the token copied", `(window.copied ?? "").startsWith("eyJ")`)
}
