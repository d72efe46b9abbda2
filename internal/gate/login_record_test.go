package gate_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	provider "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// watched is a gate with a route with login, whose log, counts and spans a test
// reads. Its clock stands still.
type watched struct {
	*app
	*gate.Gate
	route *gate.Route
	log   bytes.Buffer
	spans []gate.Decided
	now   time.Time
}

const webLogin = `,"backchannel_logout_path":"/backchannel-logout"`

func watch(t *testing.T, level slog.Level) *watched {
	t.Helper()
	w := &watched{app: newApp(t), now: time.Now()}
	w.Gate = gate.New(gate.Options{
		Config: config.Options{AllowInsecure: true}, Cache: gate.NewCache(1 << 20), Now: func() time.Time { return w.now },
		Logger: slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: level})),
		Trace:  func(d gate.Decided) { w.spans = append(w.spans, d) },
	})
	t.Cleanup(w.Gate.Close)
	if w.route = w.Compile(w.document("web", `,"name":"app","unauth_action":"auth"`, webLogin)); w.route.Err() != nil {
		t.Fatal(w.route.Err())
	}
	return w
}

// decided forgets what was recorded so far, and has a request decided.
func (w *watched) decided(req *shown) gate.Verdict {
	w.log.Reset()
	w.spans = nil
	return w.Decide(w.route, req)
}

// lines are the lines of the log about requests.
func (w *watched) lines() (all []map[string]any) {
	w.t.Helper()
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			w.t.Fatal(err)
		}
		if fields["reason"] != nil {
			all = append(all, fields)
		}
	}
	return all
}

func (w *watched) counted(reason string) (n uint64) {
	for _, c := range w.Records().Decisions() {
		if c.Route == "app" && c.Reason == reason {
			n += c.N
		}
	}
	return n
}

func (w *watched) fault(path, fault string) {
	w.t.Helper()
	if err := w.SetFault(provider.Fault{Path: path, Fault: fault, Code: "MARKED_error", Claims: map[string]any{"MARKED_member": "MARKED-value"}}); err != nil {
		w.t.Fatal(err)
	}
}

// loggedOut is a request with a logout token, as the issuer sends it.
func (w *watched) loggedOut(jti string) *shown {
	w.t.Helper()
	token, err := w.MintLogoutToken(provider.LogoutToken{ClientID: "web", Sub: "auth0|nobody", MintRequest: provider.MintRequest{Claims: map[string]any{"jti": jti}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return &shown{
		method: "POST", path: "/backchannel-logout", body: url.Values{"logout_token": {token}}.Encode(),
		headers: []identity.Header{{Name: "content-type", Value: "application/x-www-form-urlencoded"}},
	}
}

// comesBack is the request of a browser that went to log in and comes back.
func (w *watched) comesBack() *shown {
	w.t.Helper()
	v := w.Decide(w.route, &shown{method: "GET", path: "/login"})
	answer, _ := v.Answer(w.route)
	return &shown{method: "GET", path: w.back(answer), headers: []identity.Header{{Name: "cookie", Value: strings.Join(cookiesOf(v, w.route), "; ")}}}
}

// TestEveryAnswerOfALoginIsCountedTimedTracedAndLogged: a refusal at info, and
// what is no fault at debug.
func TestEveryAnswerOfALoginIsCountedTimedTracedAndLogged(t *testing.T) {
	h := func(headers ...string) (list []identity.Header) {
		for i := 0; i < len(headers); i += 2 {
			list = append(list, identity.Header{Name: headers[i], Value: headers[i+1]})
		}
		return list
	}
	for _, tt := range []struct {
		name, reason string
		status       int
		cause        bool
		req          func(w *watched) *shown
	}{
		{"a page without a session", "login_redirect", 302, false, func(*watched) *shown {
			return &shown{method: "GET", path: "/orders?q=1", headers: h("accept", "text/html")}
		}},
		{"login_path", "login_redirect", 302, false, func(*watched) *shown { return &shown{method: "GET", path: "/login"} }},
		{"a login that came back", "login_completed", 303, false, (*watched).comesBack},
		{"one that the issuer refused", "login_failed", 403, true, func(w *watched) *shown {
			w.Set(provider.Settings{Headless: &provider.Headless{Deny: true}})
			return w.comesBack()
		}},
		{"one that nobody began", "login_failed", 400, true, func(*watched) *shown { return &shown{method: "GET", path: "/callback?code=c&state=s"} }},
		{"one whose code is not redeemed", "login_failed", 502, true, func(w *watched) *shown {
			w.fault("token", "error")
			return w.comesBack()
		}},
		{"an issuer that is away", "session_unavailable", 503, true, func(w *watched) *shown {
			w.fault("token", "reset")
			return w.comesBack()
		}},
		{"a logout", "logout", 302, false, func(w *watched) *shown {
			return &shown{method: "GET", path: "/logout", headers: h("cookie", w.login(w.Gate, w.route))}
		}},
		{"a logout by another site", "cross_site_request", 403, true, func(w *watched) *shown {
			return &shown{method: "GET", path: "/logout", headers: h("cookie", w.login(w.Gate, w.route), "sec-fetch-site", "cross-site")}
		}},
		{"a change by another site, as a page", "cross_site_request", 403, true, func(w *watched) *shown {
			return &shown{method: "POST", path: "/orders", headers: h("cookie", w.login(w.Gate, w.route), "origin", "https://evil.example", "accept", "text/html")}
		}},
		{"a change by another site, as a script", "cross_site_request", 403, false, func(w *watched) *shown {
			return &shown{method: "POST", path: "/orders", headers: h("cookie", w.login(w.Gate, w.route), "origin", "https://evil.example")}
		}},
		{"a logout by the issuer", "backchannel_logout", 200, false, func(w *watched) *shown { return w.loggedOut("1") }},
		{"the same again", "backchannel_logout_failed", 400, true, func(w *watched) *shown {
			w.decided(w.loggedOut("1"))
			return w.loggedOut("1")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, slog.LevelDebug)
			req := tt.req(w)
			before, timed := w.counted(tt.reason), timedIn(w.Gate)
			w.decided(req)
			if n := w.counted(tt.reason) - before; n != 1 {
				t.Errorf("counted %d times", n)
			}
			if n := timedIn(w.Gate) - timed; n != 1 {
				t.Errorf("timed %d times", n)
			}
			if diff := cmp.Diff([]gate.Decided{{Begin: w.now, Route: "app", Reason: tt.reason, Status: tt.status}}, w.spans); diff != "" {
				t.Errorf("traced (-want +got):\n%s", diff)
			}
			lines := w.lines()
			if len(lines) != 1 {
				t.Fatalf("%d lines: %v", len(lines), lines)
			}
			line := lines[0]
			if cause, _ := line["cause"].(string); (cause != "") != tt.cause {
				t.Errorf("cause %q", cause)
			}
			delete(line, "time")
			delete(line, "cause")
			want := map[string]any{
				"level": "DEBUG", "msg": "answered by login", "route": "app", "reason": tt.reason, "status": float64(tt.status),
				"method": req.method, "path": req.Path(), "ip": "192.0.2.1",
			}
			if tt.status >= 400 {
				want["level"], want["msg"] = "INFO", "refused"
			}
			if diff := cmp.Diff(want, line); diff != "" {
				t.Errorf("logged (-want +got):\n%s", diff)
			}
		})
	}
}

func timedIn(g *gate.Gate) (n uint64) {
	for _, d := range g.Records().Durations() {
		n += d.Count
	}
	return n
}

// TestAFloodAtLoginsPathsLeavesTenLinesASecondAndTheirNumber.
func TestAFloodAtLoginsPathsLeavesTenLinesASecondAndTheirNumber(t *testing.T) {
	w := watch(t, slog.LevelInfo)
	forged := &shown{method: "GET", path: "/callback?code=c&state=s"}
	for range 100 {
		w.Decide(w.route, forged.clone())
		w.Decide(w.route, &shown{method: "GET", path: "/login"}) // no fault: nothing at info
	}
	if lines := w.lines(); len(lines) != 10 {
		t.Errorf("%d lines: %v", len(lines), lines[0])
	}
	w.now = w.now.Add(time.Second)
	w.decided(forged.clone())
	if lines := w.lines(); len(lines) != 1 || lines[0]["left_out"] != 90.0 {
		t.Errorf("a second later: %v", lines)
	}
	if failed, redirected := w.counted("login_failed"), w.counted("login_redirect"); failed != 101 || redirected != 100 {
		t.Errorf("counted %d and %d", failed, redirected)
	}
}
