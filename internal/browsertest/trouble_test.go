package browsertest_test

import (
	"fmt"
	"testing"
)

// trouble is a visitor for whom a good token is forwarded, with the live view open
// and a load of good and bad tokens.
func trouble(t *testing.T) *visitor {
	t.Helper()
	v := newVisitor(t)
	v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
	v.after(func() { writePlain(v) }, "200", "forwarded")
	v.click(".dock h2 button")
	v.act("load-start")
	v.waitForLoad()
	return v
}

// act clicks a button of the live view, and waits for what it says.
func (v *visitor) act(what string) string {
	v.t.Helper()
	before := script[string](v.tab, `document.querySelector(".said-list").innerText`)
	v.click(`[data-act="` + what + `"]:enabled`)
	v.waitFor("what "+what+" did", `document.querySelector(".said-list").innerText !== `+fmt.Sprintf("%q", before)+
		` && document.querySelector(".said-list li").dataset.failed === "false"`)
	return script[string](v.tab, `document.querySelector(".said-list li").innerText`)
}

// waitForLoad waits until a hundred more requests were judged, and fails where one
// was judged wrongly or not at all.
func (v *visitor) waitForLoad() {
	v.t.Helper()
	const of = `Number(document.querySelector(".wrong .of")?.textContent.replace(/\D/g, "") ?? 0)`
	before := script[int](v.tab, of)
	v.waitFor("a hundred more requests", fmt.Sprintf("%s >= %d", of, before+100))
	v.nothingWrong()
}

func (v *visitor) nothingWrong() {
	v.t.Helper()
	if got := script[string](v.tab, `(d => d.wrong + " wrong, " + d.failed + " failed")(document.querySelector(".wrong").dataset)`); got != "0 wrong, 0 failed" {
		v.t.Errorf("the live view says %s", got)
	}
}

func TestNothingBreaksThroughTheTroubleThatThePageMakes(t *testing.T) {
	v := trouble(t)
	for _, tc := range []struct{ act, status, reason string }{
		{"rotate-keys", "200", "forwarded"},
		{"issuer-sick", "200", "forwarded"},
		{"issuer-well", "200", "forwarded"},
		{"revoke-user", "401", "revoked"},
		{"clear-revocations", "200", "forwarded"},
		{"restart-runner", "200", "forwarded"},
		{"reload-gateway", "200", "forwarded"},
	} {
		t.Run(tc.act, func(t *testing.T) {
			v.after(func() { v.act(tc.act) }, tc.status, tc.reason)
			v.waitForLoad()
		})
	}
	v.act("load-stop")
	v.nothingWrong()
	// The example of a revoked user is for whoever comes next.
	v.pick("revoked")
	v.after(func() { v.act("revoke-user") }, "401", "revoked")
}

func TestASickIssuerShowsInTheLiveView(t *testing.T) {
	v := newVisitor(t)
	v.click(".dock h2 button")
	v.act("issuer-sick")
	v.waitFor("the sick issuer", `[...document.querySelectorAll(".providers li")].some(e => e.dataset.sick === "true" && e.innerText.includes("sick"))`)
	v.act("issuer-well")
	v.waitFor("the issuer well", `document.querySelector('.providers li[data-sick="true"]') === null`)
}
