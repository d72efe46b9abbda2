package auth0jwt_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// redisConf is loginConf with sessions in Redis.
func redisConf(t *testing.T, i *issuer.Issuer) []byte {
	return []byte(strings.Replace(string(loginConf(t, i, "", "")), `"session":{`, `"session":{"store":"redis",`, 1))
}

// TestSessionsInRedis are those of all gateways, and while it is away there is
// neither a pass nor a redirect.
func TestSessionsInRedis(t *testing.T) {
	i := newIssuer(t)
	server := redisserver.Start(t)
	now := time.Now()
	shared := func() *app {
		p := loginPlugin(t, func(o *auth0jwt.Options) {
			o.RedisURL = server.URL
			auth0jwt.WithClock(o, func() time.Time { return now })
		})
		return &app{i, p, parse(t, p, redisConf(t, i))}
	}
	a, other := shared(), shared()
	b := a.loggedIn(t)
	if n := len(b.cookies["__Host-auth0_session"]); n != 43 {
		t.Errorf("the cookie has %d characters", n)
	}
	there := &browser{other, b.cookies, b.issuer}
	for name, who := range map[string]*browser{"here": b, "there": there} {
		if got := who.get("/"); got.upstream == nil {
			t.Fatalf("%s: %d %s", name, got.status, got.body)
		}
	}
	if !a.plugin.Gate().SessionStoreUp() {
		t.Error("the store is said to be away")
	}
	server.Kill()
	now = now.Add(2 * time.Second) // what was seen in the last second needs no Redis
	for name, got := range map[string]reply{
		"a page": b.get("/"), "a script": b.do("GET", "/"), "a page without a session": a.browser(t).get("/"), "a login": a.browser(t).get("/login"),
		"a callback": a.browser(t).get("/callback?code=c&state=s"),
	} {
		if name == "a callback" {
			if got.status != 400 { // no transaction: nothing to ask Redis for
				t.Errorf("%s: %d", name, got.status)
			}
			continue
		}
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.header.Get("Location") != "" || got.upstream != nil {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
	if a.plugin.Gate().SessionStoreUp() {
		t.Error("the store is said to be there")
	}
	if got := b.get("/logout"); got.status != 503 || sessionCookie(got) != "deleted" {
		t.Errorf("logout: %d %v", got.status, got.header)
	}
}

// frame is a request as APISIX sends it, of a browser with cookies.
func (b *browser) frame(method, target string, headers ...string) a6.Request {
	path, query, _ := strings.Cut(target, "?")
	r := a6.Request{ID: 7, Method: method, Path: path, SrcIP: []byte{10, 1, 2, 3}}
	args, _ := url.ParseQuery(query)
	for name := range args {
		r.Args = append(r.Args, a6.Entry{Name: name, Value: args.Get(name), HasValue: true})
	}
	if line := b.cookieLine(); line != "" {
		headers = append([]string{"cookie", line}, headers...)
	}
	for n := 0; n < len(headers); n += 2 {
		r.Headers = append(r.Headers, a6.Entry{Name: headers[n], Value: headers[n+1], HasValue: true})
	}
	return r
}

// TestALoginInBothRunners: what is repeated in an answer, and what is set on the
// way of a request that is forwarded, reaches the browser by either.
func TestALoginInBothRunners(t *testing.T) {
	i := newIssuer(t)
	register(t, i, issuer.Client{AccessTokenLifetime: 30}) // refreshed by each request
	document := string(loginConf(t, i, "", ""))
	inBothRunners(t, func(t *testing.T, g *gateway) {
		g.vars = map[string]string{"real_request_uri": "/orders?page=2"}
		conf := g.route(t, step{"auth0-jwt", document})
		b := (&app{Issuer: i}).browser(t)
		ask := func(method, target string, headers ...string) (status int, h http.Header, sent a6.Request, a a6.Answer) {
			r := b.frame(method, target, headers...)
			r.ConfToken = conf
			a = g.call(t, r)
			h = http.Header{}
			entries := []a6.Entry{}
			if status = 200; a.Stop != nil {
				status, entries = int(a.Stop.Status), a.Stop.Headers
				if len(a.Stop.Body) == 0 {
					t.Error("no body")
				}
			} else if a.Rewrite != nil {
				entries = a.Rewrite.RespHeaders
			}
			for _, e := range entries {
				h.Add(e.Name, e.Value)
			}
			b.keep(h)
			return status, h, r, a
		}
		status, h, _, _ := ask("GET", "/orders", page...)
		if status != 302 || len(b.cookies) != 1 {
			t.Fatalf("%d %v", status, h)
		}
		to := b.at(t, h.Get("Location"))
		status, h, _, _ = ask("GET", to.RequestURI(), page...)
		if status != 303 || h.Get("Location") != "/orders?page=2" || len(h.Values("Set-Cookie")) != 2 || len(b.cookies) != 1 {
			t.Fatalf("%d %v", status, h)
		}
		status, h, sent, a := ask("GET", "/orders", page...)
		if status != 200 || len(h.Values("Set-Cookie")) != 1 || h.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v", status, h)
		}
		if got := reaches("cookie", sent.Headers, a); len(got) != 0 {
			t.Errorf("the upstream gets cookies: %v", got)
		}
		if got := reaches("x-user-id", sent.Headers, a); len(got) != 1 || got[0] != "auth0|alice" {
			t.Errorf("the upstream gets %v", got)
		}
	})
}
