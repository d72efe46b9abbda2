package jwks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
)

func withHeader(page func() *http.Response, name, value string) func() *http.Response {
	return func() *http.Response {
		resp := page()
		resp.Header.Set(name, value)
		return resp
	}
}

func TestKeysAreRefreshedAsCacheControlSays(t *testing.T) {
	for _, tt := range []struct {
		name, control, age string
		least, most        time.Duration
	}{
		{"nothing said", "", "", 9 * time.Minute, 11 * time.Minute},
		{"another directive", "public", "", 9 * time.Minute, 11 * time.Minute},
		{"not a number", "max-age=soon", "", 9 * time.Minute, 11 * time.Minute},
		{"five minutes", "public, max-age=300", "", 5 * time.Minute, 5 * time.Minute},
		{"quoted, in capitals", `Max-Age="300"`, "", 5 * time.Minute, 5 * time.Minute},
		{"partly used up", "max-age=300", "120", 3 * time.Minute, 3 * time.Minute},
		{"under a minute", "max-age=1", "", time.Minute, time.Minute},
		{"no-store", "max-age=300, no-store", "", time.Minute, time.Minute},
		{"over what half of max-stale allows", "max-age=999999999", "", 12 * time.Hour, 12 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := healthy("")
				w.put(keysURI, withHeader(withHeader(ok(set(rsaJWK("r", rsaKey()))), "Cache-Control", tt.control), "Age", tt.age))
				p := provider(t, w)
				synctest.Wait()
				if next := time.Until(p.Status().NextTry); next < tt.least || next > tt.most {
					t.Errorf("the next fetch is in %v, want %v to %v", next, tt.least, tt.most)
				}
			})
		})
	}
}

// conditional answers 304 to a fitting validator.
type conditional struct {
	web
	etag, since string
	hits        int
}

func (c *conditional) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.web.RoundTrip(r)
	if err == nil && r.URL.String() == keysURI {
		if r.Header.Get("If-None-Match") == c.etag && r.Header.Get("If-Modified-Since") == c.since {
			c.hits++
			resp = status(http.StatusNotModified, "")()
		}
		resp.Header.Set("ETag", c.etag)
		resp.Header.Set("Last-Modified", c.since)
	}
	return resp, err
}

func TestNotModifiedKeepsTheKeysAsFreshOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &conditional{etag: `"v1"`, since: "Tue, 01 Jan 2030 00:00:00 GMT"}
		w.pages = healthy(set(rsaJWK("r", rsaKey()))).pages
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
		defer r.Close()
		p := r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
		for range 60 { // two days, beyond max-stale
			time.Sleep(48 * time.Minute)
			if err := find(p, "r"); err != nil {
				t.Fatal(err)
			}
		}
		s := p.Status()
		if w.hits < 100 || s.Generation != 1 || s.LastError != "" || time.Since(s.Fetched) > 11*time.Minute {
			t.Errorf("%d answers 304, then %+v", w.hits, s)
		}
	})
}

func TestNotModifiedUnaskedIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy("")
		w.put(keysURI, status(http.StatusNotModified, ""))
		p := provider(t, w)
		if err := find(p, "r"); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("Key: %v", err)
		}
	})
}

func TestFailuresAreNamedAndRetriedEverMoreSeldom(t *testing.T) {
	for kind, page := range map[string]func() *http.Response{
		fetch.FailedStatus:   status(503, "down"),
		fetch.FailedRedirect: status(302, ""),
		fetch.FailedTooLarge: ok(strings.Repeat(" ", 1<<20+1)),
		jwks.FailedMalformed: ok("<html>"),
		jwks.FailedNoKey:     ok(`{"keys":[]}`),
		fetch.FailedTimeout:  hang,
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := healthy("")
				w.put(keysURI, page)
				p := provider(t, w)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if s := p.Status(); s.LastError != kind || s.Ready || s.NextTry.IsZero() {
					t.Errorf("%+v", s)
				}
				time.Sleep(10 * time.Minute)
				before := w.fetches.Load()
				time.Sleep(10 * time.Minute)
				if n := w.fetches.Load() - before; n < 8 || n > 12 {
					t.Errorf("%d tries in ten minutes of a long outage", n)
				}
			})
		})
	}
}

func TestARequestDoesNotWaitForAnIssuerThatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy("")
		w.put(keysURI, hang)
		p := provider(t, w)
		time.Sleep(15 * time.Second) // the third try hangs by now
		start := time.Now()
		if err := find(p, "r"); !errors.Is(err, jwks.ErrUnavailable) || time.Since(start) != 0 {
			t.Errorf("Key: %v after %v", err, time.Since(start))
		}
	})
}

func TestACancelledRequestStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy("")
		w.put(keysURI, hang)
		p := provider(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := p.Key(ctx, "r", true, "RS256"); !errors.Is(err, jwks.ErrUnavailable) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("Key: %v after %v", err, time.Since(start))
		}
	})
}

func TestTheLogSaysOnlyChangesBetweenHealthyAndFailing(t *testing.T) {
	for _, tt := range []struct {
		name               string
		first, then        func() *http.Response
		says               []string
		neverAboutGoodKeys bool
	}{
		{"an issuer that fails after it was good", ok(set(rsaJWK("r", rsaKey()))), status(500, "top secret"), []string{
			`the last good keys stay in use" issuer=` + issuer + ` kind=status at=jwks status=500 next_try=`, "fetched again",
		}, false},
		{"one that never was", status(500, "top secret"), status(503, "top secret"), []string{
			`there are none, so its tokens are answered with 503" issuer=` + issuer + ` kind=status at=jwks status=500 next_try=`, "fetched again",
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				w := healthy("")
				w.put(keysURI, tt.first)
				r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.NewTextHandler(&out, nil))})
				r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
				synctest.Wait()
				w.put(keysURI, tt.then)
				time.Sleep(30 * time.Minute)
				w.put(keysURI, ok(set(rsaJWK("r", rsaKey()))))
				time.Sleep(15 * time.Minute)
				r.Close()
				lines := strings.Split(strings.TrimSpace(out.String()), "\n")
				if len(lines) != len(tt.says) || strings.Contains(out.String(), "secret") {
					t.Fatalf("the log:\n%s", out.String())
				}
				for i, want := range tt.says {
					if !strings.Contains(lines[i], want) {
						t.Errorf("line %d: %s\nwant %s", i, lines[i], want)
					}
				}
				if tt.neverAboutGoodKeys && strings.Contains(out.String(), "good keys") {
					t.Errorf("there were no good keys:\n%s", out.String())
				}
			})
		})
	}
}

// TestTheLogSaysWhenTheLastGoodKeysAreTooOld: until then it said that they stay in
// use.
func TestTheLogSaysWhenTheLastGoodKeysAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := healthy("")
		w.put(keysURI, ok(set(rsaJWK("r", rsaKey()))))
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), MaxStale: time.Hour, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		defer r.Close()
		p := r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
		synctest.Wait()
		w.put(keysURI, status(500, ""))
		for range 12 { // the provider stays in use
			time.Sleep(10 * time.Minute)
			p.Generation(time.Now())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "stay in use") || !strings.Contains(lines[1], "older than --max-stale, so its tokens are answered with 503") {
			t.Errorf("the log:\n%s", out.String())
		}
	})
}

func TestTheLogWritesThePauseWithItsUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := healthy("")
		w.put(discovery, nil)
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.NewJSONHandler(&out, nil))})
		r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
		synctest.Wait()
		r.Close()
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		text, _ := line["next_try"].(string)
		if pause, err := time.ParseDuration(text); err != nil || pause < time.Second || pause > 2*time.Second || line["kind"] != fetch.FailedConnection {
			t.Errorf("the line: %v", line)
		}
		if _, there := line["status"]; there {
			t.Errorf("the status of no answer: %v", line)
		}
	})
}

// Without Close: synctest fails a test that leaves a goroutine behind.
func TestAnUnusedProviderSleepsAndItsNextUseWakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("r", rsaKey())))
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
		p := r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true})
		time.Sleep(2 * time.Hour)
		slept := w.fetches.Load()
		time.Sleep(4 * time.Hour)
		if n := w.fetches.Load(); n != slept {
			t.Errorf("%d fetches while unused", n-slept)
		}
		start := time.Now()
		if err := find(p, "r"); err != nil || time.Since(start) != 0 {
			t.Errorf("the use that wakes it: %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if n := w.fetches.Load(); n != slept+1 {
			t.Errorf("%d fetches on waking", n-slept)
		}
		time.Sleep(48 * time.Hour) // asleep, and its keys too old
		if err := find(p, "r"); err != nil {
			t.Errorf("the use that has to wait: %v", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestAProviderThatNobodyHoldsIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy("")
		w.put(keysURI, withHeader(ok(set(rsaJWK("r", rsaKey()))), "Cache-Control", "max-age=36000"))
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
		defer r.Close()
		use := func() {
			if err := find(r.Provider(jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true}), "r"); err != nil {
				t.Error(err)
			}
		}
		use()
		time.Sleep(2 * time.Hour)
		runtime.GC()
		use() // its keys would be fresh yet
		if n := w.fetches.Load(); n != 2 {
			t.Errorf("%d fetches, want one for each of two providers", n)
		}
	})
}

func TestAfterCloseTheKeysAtHandStayInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := healthy(set(rsaJWK("r", rsaKey())))
		r := jwks.NewRegistry(jwks.Options{Fetch: fetch.New(fetch.Options{Transport: w}), Logger: slog.New(slog.DiscardHandler)})
		src := jwks.Source{Issuer: issuer, DiscoveryURL: discovery, SSLVerify: true}
		p := r.Provider(src)
		synctest.Wait()
		r.Close()
		start := time.Now()
		if err := find(p, "r"); err != nil {
			t.Error(err)
		}
		if err := find(p, "x"); !errors.Is(err, jwks.ErrUnknownKey) {
			t.Errorf("an unknown kid: %v", err)
		}
		src.SSLVerify = false
		if err := find(r.Provider(src), "r"); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("a new provider: %v", err)
		}
		if time.Since(start) != 0 || w.fetches.Load() != 1 {
			t.Errorf("waited %v, %d fetches", time.Since(start), w.fetches.Load())
		}
	})
}

func TestGenerationGrowsOnlyWhenTheSetChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := rsaJWK("a", rsaKey()), rsaJWK("b", rsaKey())
		w := healthy("")
		p := (*jwks.Provider)(nil)
		var generations []uint64
		for _, document := range []string{
			set(a, b), set(a, b),
			set(b, a),                    // another order
			set(a, b, jwk{"kty": "oct"}), // one that is not used
			set(b),                       // one left
			set(rsaJWK("b", rsaKey()).with("alg", "RS256")), // one verifies less
			set(a, b),
		} {
			w.put(keysURI, ok(document))
			if p == nil {
				p = provider(t, w)
			}
			time.Sleep(12 * time.Minute)
			if err := find(p, "b"); err != nil {
				t.Fatal(err)
			}
			generations = append(generations, p.Status().Generation)
		}
		if diff := cmp.Diff([]uint64{1, 1, 1, 1, 2, 3, 4}, generations); diff != "" {
			t.Error(diff)
		}
	})
}
