package auth0jwt_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// ordinary are the headers of a browser's request through APISIX.
var ordinary = []string{
	"host", "upstream:9001", "accept", "*/*", "user-agent", "Mozilla/5.0 (X11; Linux x86_64)",
	"accept-encoding", "gzip, deflate, br", "accept-language", "en",
	"x-forwarded-proto", "https", "x-forwarded-host", "app.example", "x-forwarded-port", "443",
}

// knownFrames are requests of one user that a runner over the plugin knows: by the
// session's access token in Authorization, by the session's cookie alone, and by
// the cookie beside another.
func knownFrames(tb testing.TB, serve func(*app) (path string)) (w *worker, frames map[string][]byte) {
	tb.Helper()
	i := newIssuer(tb)
	a := newApp(tb, i, "", "")
	b := a.loggedIn(tb)
	w = dial(tb, serve(a))
	tb.Cleanup(func() { _ = w.Close() })
	conf := w.prepare(tb, "auth0-jwt", string(loginConf(tb, i, "", "")))
	token := bearer(tb, i, map[string]any{"azp": "web", "scope": "openid offline_access", "sub": "auth0|alice", "aud": []string{issuer.DefaultAudience, i.URL() + "userinfo"}})
	frames = map[string][]byte{}
	for name, headers := range map[string][]string{
		"bearer": {"authorization", token, "cookie", "a=1; b=2"}, "session": {"cookie", b.cookieLine()}, "session and others": {"cookie", "a=1; b=2; " + b.cookieLine()},
	} {
		r := (&browser{}).frame("GET", "/orders", append(headers, ordinary...)...)
		r.ConfToken = conf
		payload, err := a6.EncodeRequest(r)
		if err != nil {
			tb.Fatal(err)
		}
		if frames[name], err = a6.AppendFrame(nil, a6.HTTPReqCall, payload); err != nil {
			tb.Fatal(err)
		}
		for range 3 {
			if !w.passes(frames[name]) {
				tb.Fatal(name)
			}
		}
	}
	return w, frames
}

// inProcess serves the application's plugin here.
func inProcess(tb testing.TB, a *app) (path string) {
	s, err := runner.New(runner.Options{Plugins: []plugin.Plugin{a.plugin}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	path = filepath.Join(tb.TempDir(), "r.sock")
	l, err := runner.Socket{Path: path}.Listen()
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	tb.Cleanup(func() { s.Shutdown(context.Background()); <-served })
	return path
}

// TestAKnownSessionAllocatesLittle: what the edit of the Cookie header takes, where
// the browser has other cookies, and else nothing.
func TestAKnownSessionAllocatesLittle(t *testing.T) {
	w, frames := knownFrames(t, func(a *app) string { return inProcess(t, a) })
	for name, atMost := range map[string]float64{"bearer": 0, "session": 0, "session and others": 3} {
		if n := testing.AllocsPerRun(200, func() { w.do(frames[name]) }); n > atMost && !underRace {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkKnownSession is one exchange of a request with a known session beside
// one with a known token, in turns, with a runner in a process of its own. It
// reports the runner's processor time for each, in microseconds.
func BenchmarkKnownSession(b *testing.B) {
	const turns, each = 10, 5000
	var runner process
	w, frames := knownFrames(b, func(*app) string {
		runner = startProcess(b, "engine", 0)
		return runner.path
	})
	spent, n := map[string]time.Duration{}, 0
	for b.Loop() {
		for range turns {
			for name, frame := range frames {
				before := runner.cpu()
				for range each {
					w.do(frame)
				}
				spent[name] += runner.cpu() - before
			}
		}
		n += turns * each
	}
	b.ReportMetric(0, "ns/op")
	for name, used := range spent {
		b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(n), strings.ReplaceAll(name, " ", "-")+"-us")
		b.ReportMetric(float64(len(frames[name])), strings.ReplaceAll(name, " ", "-")+"-bytes")
	}
}
