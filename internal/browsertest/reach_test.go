package browsertest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// inColours shows the page as somebody sees it whose system is light or dark.
func (v *visitor) inColours(scheme string) {
	v.t.Helper()
	v.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

func TestAxeFindsNothingSerious(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(web, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err) // the page was built, so it is there
	}
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			v := newVisitor(t)
			v.inColours(scheme)
			script[bool](v.tab, string(source)+"; true")
			look := func(state string) {
				found := script[string](v.tab, `axe.run().then(r => JSON.stringify(r.violations
					.filter(x => x.impact === "serious" || x.impact === "critical")
					.map(x => ({rule: x.id, at: x.nodes.map(n => n.target.join(" ") + ": " + n.failureSummary)}))))`)
				if found != "[]" {
					var pretty any
					_ = json.Unmarshal([]byte(found), &pretty)
					indented, _ := json.MarshalIndent(pretty, "", " ")
					t.Errorf("%s: %s", state, indented)
				}
			}
			v.after(func() { v.pick("machine") }, "403", "insufficient_scope")
			v.click(".dock h2 button")
			v.click(".checks button")
			look("refused")
			v.after(func() { v.pick("tenants") }, "200", "forwarded")
			v.click(`[data-hop="runner"] button`)
			look("forwarded")
			v.after(func() { v.pick("login") }, "302", "login_redirect")
			v.choose("session")
			v.click(`[data-hop="upstream"] button`)
			look("sent to log in")
			v.after(func() { v.choose("pasted") }, "302", "login_redirect")
			v.after(func() { v.write(".config", `{"audiance": 1}`) }, "500", "config_invalid")
			look("an error")
		})
	}
}

func TestThePageFitsAPhone(t *testing.T) {
	v := newVisitor(t)
	v.do(chromedp.EmulateViewport(360, 740))
	for _, example := range []string{"machine", "email", "tenants", "organization-mfa", "dpop", "login", "revoked"} {
		before := v.outcome().Tried
		v.pick(example)
		v.waitFor("another answer", `Number(document.querySelector(".verdict").dataset.tried) > `+jsonOf(before))
		if got := script[string](v.tab, `(w => w > 360 ? [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > 361).map(e => e.className || e.tagName).join(" ") || String(w) : "")(document.documentElement.scrollWidth)`); got != "" {
			t.Errorf("%s is wider than the phone: %s", example, got)
		}
	}
	v.click(".dock h2 button")
	v.choose("session")
	if got := script[int](v.tab, `document.documentElement.scrollWidth`); got > 360 {
		t.Errorf("the page is %d wide", got)
	}
	if got := script[bool](v.tab, `(x => x(".config") === x(".caller") && x(".caller") === x(".outcome"))(s => document.querySelector(s).getBoundingClientRect().left)`); !got {
		t.Error("the three parts are not in one column")
	}
}

func TestThePageSaysWhatItShows(t *testing.T) {
	v := newVisitor(t)
	for _, want := range []string{"a double of APISIX 3.18", "runner devel"} {
		v.waitFor(want, `document.querySelector(".where").innerText.includes(`+jsonOf(want)+`)`)
	}
}

func TestOnAWideScreenThePartsScrollAndThePageDoesNot(t *testing.T) {
	v := newVisitor(t)
	v.do(chromedp.EmulateViewport(1440, 900))
	v.after(func() { v.pick("tenants") }, "200", "forwarded")
	if got := script[int](v.tab, `document.documentElement.scrollHeight`); got > 900 {
		t.Errorf("the page is %d high", got)
	}
	if !script[bool](v.tab, `(e => e.scrollHeight > e.clientHeight)(document.querySelector(".outcome"))`) {
		t.Error("what happened does not scroll")
	}
	v.click(".dock h2 button")
	if got := script[int](v.tab, `document.documentElement.scrollHeight`); got > 900 {
		t.Errorf("with the live view open the page is %d high", got)
	}
}

func jsonOf(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

// focused says where the keyboard is, and whether one sees it.
const focused = `(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const seen = [e, e.nextElementSibling, e.closest(".frame")].some(x => x && (getComputedStyle(x).outlineStyle !== "none" || getComputedStyle(x).boxShadow !== "none"));
  const name = e.getAttribute("aria-label") || e.innerText?.trim().split("\n")[0] || e.closest("label")?.innerText || e.id || e.tagName;
  return (seen ? "" : "UNSEEN ") + name;
})()`

func TestTheKeyboardReachesEverythingAndLeavesTheEditors(t *testing.T) {
	v := newVisitor(t)
	v.press(kb.Tab)
	var stops []string
	for range 200 {
		at := script[string](v.tab, focused)
		if at == "" {
			break // the browser's own controls come next
		}
		if strings.HasPrefix(at, "UNSEEN") {
			t.Errorf("nobody sees that the keyboard is at %s", at)
		}
		stops = append(stops, at)
		if script[bool](v.tab, `document.activeElement.classList.contains("cm-content")`) {
			v.press(kb.Escape)
		}
		if at == "Live" {
			v.press(kb.Enter) // and its buttons follow
		}
		v.press(kb.Tab)
	}
	for _, want := range []string{
		"Skip to what happened", "Colours: as the system", "Email must be verified", "Revoked", "Configuration of the route, JSON", "Try it", "GET", "path", "Add a header",
		"Minted", "Good token", "Claims of the token, JSON", "Copy the token", "Client", "Upstream", "Copy Admin API", "Live", "Start a load", "Rotate the keys", "Reload the gateway",
	} {
		if !contains(stops, want) {
			t.Errorf("Tab does not reach %q; it stops at %q", want, stops)
		}
	}
}

func contains(list []string, prefix string) bool {
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func TestAWholeTryGoesByKeyboardAlone(t *testing.T) {
	v := newVisitor(t)
	focus := func(selector string) {
		script[bool](v.tab, `(document.querySelector(`+jsonOf(selector)+`).focus(), true)`)
	}
	v.after(func() { focus(`[data-example="tenants"]`); v.press(kb.Enter) }, "200", "forwarded")
	v.after(func() { focus(`[data-option="other-tenant"] input`); v.press(kb.ArrowLeft) }, "401", "bad_audience") // wrong-audience
	focus(".config .cm-content")
	v.press(kb.Home, chromedp.KeyModifiers(kb.ModifierCtrl))
	v.after(func() { v.press(kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl)) }, "401", "bad_audience")
	if got := script[string](v.tab, `document.querySelector("#announced").textContent`); !strings.Contains(got, "401") {
		t.Errorf("a screen reader hears %q", got)
	}
}

func TestThePageKeepsNoTokenAndPutsNoneIntoItsAddress(t *testing.T) {
	v := newVisitor(t)
	v.after(func() { v.pick("tenants") }, "200", "forwarded")
	kept := script[string](v.tab, `JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, performance.getEntriesByType("resource").map(e => e.name), document.cookie])`)
	if strings.Contains(kept, "eyJ") {
		t.Errorf("a token is in %s", kept)
	}
	if foreign := script[[]string](v.tab, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin + "/"))`); len(foreign) > 0 {
		t.Errorf("the page loads %q", foreign)
	}
	v.write(".config", `{"kept": "through a reload"}`)
	v.waitFor("the text kept", `sessionStorage.getItem("playground-config").includes("kept")`)
	v.do(chromedp.Reload())
	v.waitFor("the text again", `document.querySelector(".config .cm-content")?.innerText.includes("through a reload")`)
}
