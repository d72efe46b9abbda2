package browsertest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	chromelog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// tab is one tab of a person's browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	violations []string // of a Content-Security-Policy, as the console says
}

// newPerson is somebody with an empty browser profile and one tab.
func newPerson(t *testing.T) *tab {
	t.Helper()
	return newTab(t, site.chromium, chromedp.WithNewBrowserContext())
}

// anotherTab opens a second tab in the same profile.
func (b *tab) anotherTab() *tab {
	b.t.Helper()
	return newTab(b.t, b.ctx)
}

func newTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.listen))...)
	b.ctx = ctx
	t.Cleanup(func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, v := range b.violations {
			t.Errorf("the console says: %s", v)
		}
	})
	// The context of the first action is the tab's: one with a deadline would
	// close it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) listen(event any) {
	added, ok := event.(*chromelog.EventEntryAdded)
	if !ok || !strings.Contains(added.Entry.Text, "Content Security Policy") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.violations = append(b.violations, added.Entry.Text)
}

// do runs actions and ends the test where one hangs or fails.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v, at %v", err, b.look())
	}
}

// open goes to an address as a person who types it does.
func (b *tab) open(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

// click clicks an element that a CSS selector names.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// view is what the tab shows.
type view struct {
	URL    string `json:"url"`
	Title  string `json:"title"`
	Status int    `json:"status"` // of the document's own request
	Ready  string `json:"ready"`
	User   string `json:"user"` // what the application's page says; "" elsewhere
	Path   string `json:"path"`
	Cookie string `json:"cookie"`
	Bearer string `json:"bearer"`
	Text   string `json:"text"`
}

const lookAt = `(() => {
  const of = id => document.getElementById(id)?.textContent ?? "";
  return {url: location.href, title: document.title, ready: document.readyState, text: document.body?.innerText ?? "",
    status: performance.getEntriesByType("navigation")[0]?.responseStatus ?? 0,
    user: of("user"), path: of("path"), cookie: of("cookie"), bearer: of("bearer")};
})()`

func (b *tab) look() view {
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[view](lookAt))
	if err != nil {
		v.Text = err.Error() // a page that just went
	}
	return v
}

// see waits until the tab shows what it is asked for, and gives it.
func (b *tab) see(what string, is func(view) bool) view {
	b.t.Helper()
	var v view
	err := until(func() error {
		if v = b.look(); v.Ready == "complete" && is(v) {
			return nil
		}
		return fmt.Errorf("want %s, the tab shows %+v", what, v)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// seeForm waits for the provider's login form.
func (b *tab) seeForm() view {
	b.t.Helper()
	return b.see("the login form", func(v view) bool {
		return strings.HasPrefix(v.URL, provider+"/authorize?") && strings.Contains(v.Text, "Continue as")
	})
}

// seePage waits for a page of the application that greets a user.
func (b *tab) seePage(address, user string) view {
	b.t.Helper()
	return b.see(address+" for "+user, func(v view) bool { return v.URL == address && v.User == "["+user+"]" })
}

// logIn clicks the form's button for a user.
func (b *tab) logIn(user string) {
	b.t.Helper()
	b.click(`button[value="` + user + `"]`)
}

const alice, bob = "auth0|alice", "auth0|bob"

// script runs a script's expression in the page, and waits for its promise.
func script[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// cookies are those of a host in this profile, and of its domain.
func (b *tab) cookies(host string) []*network.Cookie {
	b.t.Helper()
	c := chromedp.FromContext(b.ctx)
	got, err := cdp.Call(b.ctx, c.Browser, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: c.BrowserContextID})
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(got.Cookies, func(c *network.Cookie) bool { return !strings.HasSuffix(c.Domain, host) })
}

// giveCookies puts cookies into this profile, as somebody who copied them does.
func (b *tab) giveCookies(copied []*network.Cookie) {
	b.t.Helper()
	c := chromedp.FromContext(b.ctx)
	params := storage.SetCookiesParams{BrowserContextID: c.BrowserContextID}
	for _, cookie := range copied {
		params.Cookies = append(params.Cookies, &network.CookieParam{
			Name: cookie.Name, Value: cookie.Value, URL: "https://" + cookie.Domain + "/", Path: cookie.Path,
			Secure: cookie.Secure, HTTPOnly: cookie.HTTPOnly, SameSite: cookie.SameSite,
		})
	}
	if _, err := cdp.Call(b.ctx, c.Browser, storage.SetCookies, params); err != nil {
		b.t.Fatal(err)
	}
}
