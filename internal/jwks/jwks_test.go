package jwks_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

const (
	issuer    = "https://tenant.example/"
	discovery = issuer + ".well-known/openid-configuration"
	keysURI   = issuer + "keys"
)

var (
	rsaKey   = forge.RSA
	shortKey = forge.WeakRSA
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return forge.Base64URL(b) }

type jwk map[string]any

func rsaJWK(kid string, key *rsa.PrivateKey) jwk {
	return forge.JWK(key, "kid", kid, "use", "sig")
}

func ecJWK(kid string) jwk { return forge.JWK(forge.P256(), "kid", kid) }

func (k jwk) with(name string, value any) jwk {
	k[name] = value
	return k
}

func set(keys ...jwk) string { return string(forge.JWKS(keys...)) }

// web answers by URL; every answer may be changed while it runs.
type web struct {
	mu      sync.Mutex
	pages   map[string]func() *http.Response
	fetches atomic.Int64
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	page := w.pages[r.URL.String()]
	w.mu.Unlock()
	if r.URL.String() == keysURI {
		w.fetches.Add(1)
	}
	if page == nil {
		return nil, errors.New("connection refused")
	}
	resp := page()
	if resp == nil { // hangs
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp.Request = r
	return resp, nil
}

func (w *web) put(url string, page func() *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[url] = page
}

func ok(body string) func() *http.Response {
	return status(http.StatusOK, body)
}

func status(code int, body string) func() *http.Response {
	return func() *http.Response {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	}
}

func hang() *http.Response { return nil }

func healthy(keys string) *web {
	return &web{pages: map[string]func() *http.Response{
		discovery: ok(`{"issuer":"` + issuer + `","jwks_uri":"` + keysURI + `"}`),
		keysURI:   ok(keys),
	}}
}

func provider(t *testing.T, w *web) *jwks.Provider {
	r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(r.Close)
	return r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
}

func find(p *jwks.Provider, kid string) error {
	_, err := p.Key(context.Background(), kid, true, "RS256")
	return err
}

func TestStaticChoosesTheKeyThatFits(t *testing.T) {
	two := set(rsaJWK("r", rsaKey()), ecJWK("e"))
	for _, tt := range []struct {
		name, set, kid string
		noKid          bool
		alg            string
		found          bool
	}{
		{"kid and alg fit", two, "r", false, "RS256", true},
		{"an RSA key without alg verifies PS256", two, "r", false, "PS256", true},
		{"an EC key", two, "e", false, "ES256", true},
		{"another curve's algorithm", two, "e", false, "ES384", false},
		{"an EC key for RS256", two, "e", false, "RS256", false},
		{"an unknown kid", two, "x", false, "RS256", false},
		{"no kid and one key fits", two, "", true, "ES256", true},
		{"no kid and two keys fit", set(rsaJWK("a", rsaKey()), rsaJWK("b", rsaKey())), "", true, "RS256", false},
		{"an empty kid is not none", two, "", false, "RS256", false},
		{"the key's own alg", set(rsaJWK("r", rsaKey()).with("alg", "RS512")), "r", false, "RS256", false},
		{"HS256", two, "r", false, "HS256", false},
		{"none", two, "r", false, "none", false},
		{"an empty alg", two, "r", false, "", false},
		{"one kid on two types of key", set(ecJWK("k"), rsaJWK("k", rsaKey())), "k", false, "RS256", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := jwks.Static([]byte(tt.set))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Key(t.Context(), tt.kid, !tt.noKid, tt.alg)
			if tt.found != (err == nil) || err != nil && !errors.Is(err, jwks.ErrUnknownKey) {
				t.Errorf("Key: %v, want found %v", err, tt.found)
			}
		})
	}
}

func TestStaticRefusesASetWithoutAUsableKey(t *testing.T) {
	for name, document := range map[string]string{
		"no document":     ``,
		"no keys":         `{"keys":[]}`,
		"no list":         `{"keys":{}}`,
		"a repeated name": `{"keys":[],"keys":[]}`,
		"a short RSA key": set(rsaJWK("r", shortKey())),
		"for encryption":  set(rsaJWK("r", rsaKey()).with("use", "enc")),
		"for signing":     set(rsaJWK("r", rsaKey()).with("key_ops", []string{"sign"})),
		"a private key":   set(rsaJWK("r", rsaKey()).with("d", b64(rsaKey().D.Bytes()))),
		"a symmetric key": set(jwk{"kty": "oct", "kid": "s", "k": b64(make([]byte, 32))}),
		"no modulus":      set(jwk{"kty": "RSA", "kid": "r", "e": "AQAB"}),
		"not an object":   `{"keys":["r"]}`,
	} {
		if _, err := jwks.Static([]byte(document)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAMalformedKeyDoesNotTakeTheSetDown(t *testing.T) {
	p, err := jwks.Static([]byte(set(jwk{"kty": "RSA", "kid": "bad", "n": "!", "e": "AQAB"}, rsaJWK("r", rsaKey()))))
	if err != nil {
		t.Fatal(err)
	}
	if err := find(p, "r"); err != nil {
		t.Error(err)
	}
}

func TestEqualSourcesShareAProviderAndItsFirstFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("r", rsaKey())))
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
		defer r.Close()
		src := jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true}
		p := r.Provider(src)
		if p != r.Provider(src) {
			t.Error("two providers for one source")
		}
		var waiting sync.WaitGroup
		for range 50 {
			waiting.Go(func() {
				if err := find(p, "r"); err != nil {
					t.Error(err)
				}
			})
		}
		waiting.Wait()
		if n := w.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestAnAnswerThatIsNoKeySetNeverReplacesGoodKeys(t *testing.T) {
	for name, page := range map[string]func() *http.Response{
		"status 500":   status(500, ""),
		"HTML":         ok("<html></html>"),
		"truncated":    ok(`{"keys":[`),
		"an empty set": ok(`{"keys":[]}`),
		"a redirect": func() *http.Response {
			resp := status(302, "")()
			resp.Header.Set("Location", "https://elsewhere.example/keys")
			return resp
		},
		"endless":   ok(`{"keys":[` + strings.Repeat(" ", 1<<20) + `]}`),
		"hangs":     hang,
		"a private": ok(set(rsaJWK("r", rsaKey()).with("d", "AQAB"))),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := healthy(set(rsaJWK("r", rsaKey())))
				p := provider(t, w)
				if err := find(p, "r"); err != nil {
					t.Fatal(err)
				}
				w.put(keysURI, page)
				for range 100 { // 23 h in the sick issuer's face
					time.Sleep(23 * time.Hour / 100)
					if err := find(p, "r"); err != nil {
						t.Fatalf("a good key was lost: %v", err)
					}
				}
				if n := w.fetches.Load(); n < 50 {
					t.Errorf("only %d tries in 23 h", n)
				}
				time.Sleep(2 * time.Hour)
				if err := find(p, "r"); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("after max-stale: %v", err)
				}
				w.put(keysURI, ok(set(rsaJWK("r", rsaKey()))))
				time.Sleep(2 * time.Minute)
				if err := find(p, "r"); err != nil {
					t.Errorf("healthy again: %v", err)
				}
			})
		})
	}
}

func TestDiscoveryIsHeldToTheConfiguredIssuer(t *testing.T) {
	for name, document := range map[string]string{
		"another issuer":     `{"issuer":"https://evil.example/","jwks_uri":"` + keysURI + `"}`,
		"no slash":           `{"issuer":"https://tenant.example","jwks_uri":"` + keysURI + `"}`,
		"plain http keys":    `{"issuer":"` + issuer + `","jwks_uri":"http://tenant.example/keys"}`,
		"keys with userinfo": `{"issuer":"` + issuer + `","jwks_uri":"https://a@tenant.example/keys"}`,
		"a file":             `{"issuer":"` + issuer + `","jwks_uri":"file:///etc/passwd"}`,
		"two issuers":        `{"issuer":"` + issuer + `","issuer":"` + issuer + `","jwks_uri":"` + keysURI + `"}`,
		"a list":             `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := healthy(set(rsaJWK("r", rsaKey())))
				w.put(discovery, ok(document))
				if err := find(provider(t, w), "r"); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Key: %v", err)
				}
				if n := w.fetches.Load(); n != 0 {
					t.Errorf("%d fetches of keys", n)
				}
			})
		})
	}
}

func TestAHangingIssuerHoldsARequestTwoSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy("")
		w.put(discovery, hang)
		p := provider(t, w)
		start := time.Now()
		err := find(p, "r")
		var unavailable *jwks.UnavailableError
		if !errors.As(err, &unavailable) || unavailable.RetryAfter < time.Second {
			t.Errorf("Key: %v", err)
		}
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestARotationIsPickedUpUnderAFloodOfMadeUpKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("old", rsaKey())))
		p := provider(t, w)
		if err := find(p, "old"); err != nil {
			t.Fatal(err)
		}
		before := w.fetches.Load()
		rotated, picked := time.Time{}, time.Duration(0)
		for n := range 6000 { // 60 s, 100 made-up kids a second
			if n == 3050 {
				w.put(keysURI, ok(set(rsaJWK("old", rsaKey()), rsaJWK("new", rsaKey()))))
				rotated = time.Now()
			}
			if err := find(p, "made-up-"+time.Now().String()); !errors.Is(err, jwks.ErrUnknownKey) {
				t.Fatalf("a made-up kid: %v", err)
			}
			if !rotated.IsZero() && picked == 0 && find(p, "new") == nil {
				picked = time.Since(rotated)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if picked == 0 || picked > 15*time.Second {
			t.Errorf("picked up after %v", picked)
		}
		if n := w.fetches.Load() - before; n > 7 {
			t.Errorf("%d fetches in 60 s", n)
		}
	})
}

func TestAKeyThatLeftTheSetStopsAtTheNextRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("a", rsaKey()), rsaJWK("b", rsaKey())))
		p := provider(t, w)
		first, err := p.Key(t.Context(), "a", true, "RS256")
		if err != nil {
			t.Fatal(err)
		}
		w.put(keysURI, ok(set(rsaJWK("b", rsaKey()))))
		time.Sleep(11 * time.Minute)
		_ = find(p, "b") // starts the refresh
		synctest.Wait()
		if err := find(p, "a"); !errors.Is(err, jwks.ErrUnknownKey) {
			t.Errorf("the key that left: %v", err)
		}
		second, err := p.Key(t.Context(), "b", true, "RS256")
		if err != nil || second.Generation <= first.Generation {
			t.Errorf("generation %d after %d, %v", second.Generation, first.Generation, err)
		}
	})
}
