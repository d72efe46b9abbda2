package gate_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	provider "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// TestNothingPassesAfterALogout: while many requests carry a session, and refresh
// it all the time, it is ended. None that begins after the logout was answered is
// forwarded for it, and no cookie that any of them got revives it.
func TestNothingPassesAfterALogout(t *testing.T) {
	a := newApp(t)
	// Tokens with under 60 s left are refreshed by whoever comes.
	if err := a.Register(provider.Client{ID: "web", Secret: "the client's secret", RedirectURIs: []string{webOrigin + "/callback"}, AccessTokenLifetime: 50}); err != nil {
		t.Fatal(err)
	}
	g := a.gate(gate.NewCache(8<<20), nil)
	for round := range 4 {
		r := g.Compile(a.document("web", fmt.Sprintf(`,"unauth_action":"auth","name":"%d"`, round), ``))
		first := a.login(g, r)
		var out atomic.Bool
		var late, passed atomic.Int64
		var all sync.WaitGroup
		logout := make(chan struct{})
		var once sync.Once
		for n := range 8 {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(n), uint64(round)))
				mine := first
				for i := range 200 {
					if n == 0 && i == 40 {
						once.Do(func() { close(logout) })
					}
					ended := out.Load()
					req := &shown{method: choose(rnd, "GET", "HEAD", "POST"), path: "/page", headers: []identity.Header{{Name: "cookie", Value: mine}}}
					d, decided := g.Known(r, req)
					v := gate.Verdict{Decision: d}
					if !decided {
						v = g.Decide(r, req)
					}
					if _, answered := v.Answer(r); !answered {
						passed.Add(1)
						if ended {
							late.Add(1)
						}
						for _, h := range req.answer {
							if pair, _, _ := strings.Cut(h.Value, ";"); h.Name == "Set-Cookie" && !strings.HasSuffix(pair, "=") {
								mine = pair
							}
						}
					}
				}
			})
		}
		<-logout
		g.Decide(r, &shown{method: "GET", path: "/logout", headers: []identity.Header{{Name: "cookie", Value: first}}})
		out.Store(true)
		all.Wait()
		if late.Load() > 0 || passed.Load() == 0 {
			t.Errorf("%d passed, %d of them after the logout", passed.Load(), late.Load())
		}
	}
}

// TestLoginsThatChangedAreForgotten: a route author may change his login as often
// as he likes, and no configuration is ever closed.
func TestLoginsThatChangedAreForgotten(t *testing.T) {
	a := newApp(t)
	g := a.gate(nil, nil)
	const changes = 2000
	for n := range changes {
		r := g.Compile(a.document("web", ``, fmt.Sprintf(`,"login_path":"/login-%d"`, n)))
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}
	for hung := time.Now().Add(time.Minute); time.Now().Before(hung); {
		runtime.GC() // what is unreachable is forgotten after a while, by a goroutine of the runtime
		if gate.Flows(g) < changes/10 {
			return
		}
	}
	t.Errorf("%d of %d logins are still held", gate.Flows(g), changes)
}
