package ci_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ofIssuer is a policy with the issuer's key set fetched from its URL. Each
// combination of URL and ssl_verify is a set of its own in the runner.
func ofIssuer(own policy) policy {
	return policy{"issuer": under.issuer.url, "audience": audience}.with(withUserID).with(own)
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(data, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

// TestSickIssuer makes the issuer fail, and heals it.
func TestSickIssuer(t *testing.T) {
	known := newRoute(t, ofIssuer(nil))
	good := request{token: under.issuer.mint(t, minting{})}
	known.await(t, wantStatus(200), good)
	heal := func() {
		under.issuer.fault(t, "jwks", "none")
		under.issuer.fault(t, "discovery", "none")
	}
	t.Cleanup(heal)
	under.issuer.fault(t, "jwks", "status")
	under.issuer.fault(t, "discovery", "status")

	run(t, "keys that were fetched keep verifying", func(t *testing.T) {
		known.passes(t, good).has(t, "X-User-Id", "auth0|user-1")
	})
	run(t, "an unknown kid is refused meanwhile", func(t *testing.T) {
		known.refuses(t, request{token: under.issuer.mint(t, minting{Header: map[string]any{"kid": "made-up-key-1"}})}, badToken)
		known.passes(t, good)
	})
	// Keys that nobody asked for before.
	fresh := newRoute(t, ofIssuer(policy{"jwks_uri": under.issuer.jwksURI(), "ssl_verify": false}))
	run(t, "a route without keys answers 503", func(t *testing.T) {
		fresh.refuses(t, good, noKeys)
	})
	heal()
	run(t, "a route without keys gets them from the healed issuer", func(t *testing.T) {
		fresh.await(t, wantStatus(200), good)
	})
}

// TestRotation changes the issuer's keys until the runner has to ask again.
func TestRotation(t *testing.T) {
	r := newRoute(t, ofIssuer(nil))
	old := under.issuer.mint(t, minting{})
	r.await(t, wantStatus(200), request{token: old})
	known := under.issuer.published(t)

	run(t, "a key never seen is picked up", func(t *testing.T) {
		var fresh string
		for range 5 { // the next key is published ahead of its use
			under.issuer.rotate(t)
			if fresh = under.issuer.mint(t, minting{}); !known[kidOf(t, fresh)] {
				break
			}
		}
		if known[kidOf(t, fresh)] {
			t.Fatal("five rotations brought no new key")
		}
		start := time.Now()
		r.await(t, wantStatus(200), request{token: fresh})
		t.Logf("picked up after %v", time.Since(start).Round(time.Millisecond))
		r.passes(t, request{token: fresh}).has(t, "X-User-Id", "auth0|user-1")
	})
	run(t, "a key that left the set stops verifying", func(t *testing.T) {
		if under.issuer.published(t)[kidOf(t, old)] {
			r.passes(t, request{token: old}) // still published, still good
			return
		}
		// A refresh of its own accord, between two rotations, can have brought the
		// new key while the old one was still there. Unknown kids ask for another.
		made := 0
		err := eventually(50*time.Second, func() error {
			made++
			r.send(t, request{token: under.issuer.mint(t, minting{Header: map[string]any{"kid": fmt.Sprintf("%s-left-%d", suiteID, made)}})})
			return wantStatus(401)(r.send(t, request{token: old}))
		})
		if err != nil {
			t.Fatal(err)
		}
		r.refuses(t, request{token: old}, badToken)
	})
	run(t, "the old kid with a rogue key is refused", func(t *testing.T) {
		r.refuses(t, request{token: under.issuer.mint(t, minting{Key: "rogue"})}, badToken)
	})
	run(t, "made-up kids do not disturb good tokens", func(t *testing.T) {
		good := request{token: under.issuer.mint(t, minting{})}
		for i := range 20 {
			made := jws{header: map[string]any{"kid": suiteID + string(rune('a'+i))}, claims: map[string]any{"iss": under.issuer.url}}
			if a := r.send(t, request{token: made.String()}); a.status != 401 {
				t.Fatalf("status %d for a made-up kid, want 401", a.status)
			}
			start := time.Now()
			r.send(t, good).passed(t)
			if d := time.Since(start); d > time.Second {
				t.Errorf("a good token took %v", d)
			}
		}
	})
}
