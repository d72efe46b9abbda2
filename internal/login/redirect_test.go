package login_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

func TestTransactionCookies(t *testing.T) {
	shape := regexp.MustCompile(`^__Host-auth0_txn_[0-4]=[A-Za-z0-9_-]+; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$`)
	plain := regexp.MustCompile(`^auth0_txn_[0-4]=[A-Za-z0-9_-]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax$`)
	for _, insecure := range []bool{false, true} {
		b := newRig(t, func(o *login.Options) { o.Login.Insecure = insecure }).browser()
		list := cookies(b.do("GET", "/page", html))
		want := shape
		if insecure {
			want = plain
		}
		if len(list) != 1 || !want.MatchString(list[0]) {
			t.Errorf("%q", list)
		}
		if pair, _, _ := strings.Cut(list[0], ";"); len(pair) >= 100 {
			t.Errorf("%d bytes: %s", len(pair), pair)
		}
	}
}

func TestManyPagesAtOnceLeaveFiveTransactions(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	var answers []login.Answer
	for i := range 200 { // none of them knows of the others' cookies
		answers = append(answers, r.flow.Redirect(t.Context(), b.request("GET", "/page", html), fmt.Sprintf("/page/%d", i), r.now))
	}
	for _, a := range answers {
		b.took(a)
	}
	if n := b.transactions(); n != 5 {
		t.Errorf("%d transaction cookies", n)
	}
	seeds := map[string]bool{}
	for _, a := range answers {
		seeds[cookies(a)[0]] = true
	}
	if len(seeds) != 200 {
		t.Errorf("%d of 200 seeds", len(seeds))
	}
	// One after the other, each knows of those before.
	for range 200 {
		b.begin("/page")
	}
	if n := b.transactions(); n != 5 {
		t.Errorf("%d transaction cookies", n)
	}
}

func TestTabsDoNotDisturbOneAnother(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	var states []string
	for i := range 6 {
		states = append(states, b.begin(fmt.Sprintf("/tab/%d", i)))
		r.now = r.now.Add(time.Second)
	}
	// The sixth took the place of the oldest.
	for i, state := range slices.Backward(states) {
		a := b.back(url.Values{"code": {"c"}, "state": {state}})
		if want := fmt.Sprintf("/tab/%d", i); a.Status != 303 || header(a, "Location") != want {
			t.Errorf("tab %d: %d %q", i, a.Status, header(a, "Location"))
		}
	}
	if len(r.issuer.exchanged) != 5 || b.transactions() != 0 {
		t.Errorf("%d exchanges, %v", len(r.issuer.exchanged), b.jar)
	}
}

func TestAnOldOrBrokenTransactionIsAFreeSlot(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for range 5 {
		b.begin("/page")
	}
	b.jar["__Host-auth0_txn_3"] = "broken"
	b.begin("/page")
	if b.jar["__Host-auth0_txn_3"] == "broken" {
		t.Error("the broken one stayed")
	}
	r.now = r.now.Add(11 * time.Minute)
	before := fmt.Sprint(b.jar)
	b.begin("/page")
	if fmt.Sprint(b.jar) == before {
		t.Error("no old one was replaced")
	}
}

func TestATransactionCookieThatIsThereTwiceIsNone(t *testing.T) {
	r := newRig(t, func(o *login.Options) { o.Login.Insecure = true })
	b := r.browser()
	state := b.begin("/page")
	req := b.request("GET", "/callback?"+url.Values{"code": {"c"}, "state": {state}}.Encode(), html)
	req.header = append(req.header, req.header[len(req.header)-1])
	if a := r.flow.Serve(t.Context(), req, r.now); a.Status != 400 || len(r.issuer.exchanged) != 0 {
		t.Errorf("%d %s", a.Status, a.Cause)
	}
}

func TestNobodyIsRedirectedWhereTheLoginCouldNotEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rig)
		status int
		reason string
	}{
		"the session store is away": {func(r *rig) { r.ready = errors.New("away") }, 503, login.ReasonUnavailable},
		"the issuer is away":        {func(r *rig) { r.issuer.authorize = login.ErrUnavailable }, 503, login.ReasonUnavailable},
		"a pushed request refused":  {func(r *rig) { r.issuer.authorize = &login.ProviderError{Code: "invalid_client"} }, 502, login.ReasonFailed},
		"max_age is no number":      {func(r *rig) { r.conf.AuthorizationParams = map[string]string{"max_age": "soon"} }, 500, login.ReasonFailed},
	} {
		for _, target := range []string{"/page", "/login"} {
			r := newRig(t)
			tt.change(r)
			b := r.browser()
			if a := b.do("GET", target, html); a.Status != tt.status || a.Reason != tt.reason || b.transactions() != 0 {
				t.Errorf("%s: %s: %d %s %v", name, target, a.Status, a.Reason, b.jar)
			}
		}
	}
}

func TestStepUpAsksOnce(t *testing.T) {
	r := newRig(t, func(o *login.Options) {
		o.Login.AuthorizationParams = map[string]string{"acr_values": "bronze", "prompt": "login"}
	})
	r.issuer.id.ACR = "bronze"
	b := r.browser()
	b.logIn()
	s := r.sessions.kept[b.jar[cookieName]]
	ask := login.StepUp{ACRValues: "gold", MaxAge: 5 * time.Minute}

	a, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret?x", r.now)
	b.took(a)
	asked := r.issuer.asked[len(r.issuer.asked)-1]
	if !ok || a.Status != 302 || asked.Params["acr_values"] != "gold" || asked.Params["max_age"] != "300" || asked.Params["prompt"] != "login" {
		t.Fatalf("%v %d %v", ok, a.Status, asked.Params)
	}
	r.issuer.id.ACR = "gold"
	if a := b.back(url.Values{"code": {"c"}, "state": {asked.State}}); a.Status != 303 || header(a, "Location") != "/secret?x" {
		t.Fatalf("%d %s", a.Status, a.Cause)
	}
	s = r.sessions.kept[b.jar[cookieName]]
	if s.SteppedUp == "" {
		t.Fatal("the session does not know that it stepped up")
	}
	if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret", r.now); ok {
		t.Error("asked twice")
	}
	// Time that has passed since is no loop.
	if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/secret", html), s, ask, "/secret", r.now.Add(6*time.Minute)); !ok {
		t.Error("an authentication that grew old cannot be renewed")
	}
	// Nor is what another route asks for: nobody was asked that yet.
	for _, other := range []login.StepUp{{ACRValues: "platinum", MaxAge: ask.MaxAge}, {ACRValues: "gold"}, {MaxAge: ask.MaxAge}} {
		a, ok := r.flow.StepUp(t.Context(), b.request("GET", "/other", html), s, other, "/other", r.now)
		if !ok {
			t.Errorf("%+v was not asked for, since something else was", other)
			continue
		}
		b.took(a)
		r.issuer.id.ACR, r.issuer.id.AuthTime = cmp.Or(other.ACRValues, "bronze"), r.now
		state := r.issuer.asked[len(r.issuer.asked)-1].State
		if a := b.back(url.Values{"code": {"c"}, "state": {state}}); a.Status != 303 {
			t.Fatalf("%d %s", a.Status, a.Cause)
		}
		if _, ok := r.flow.StepUp(t.Context(), b.request("GET", "/other", html), r.sessions.kept[b.jar[cookieName]], other, "/other", r.now); ok {
			t.Errorf("%+v was asked for twice", other)
		}
	}
}
