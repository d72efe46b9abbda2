package refusal_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestEveryAnswer holds the whole table: every kind in every format.
func TestEveryAnswer(t *testing.T) {
	var got bytes.Buffer
	for _, kind := range refusal.Kinds() {
		r := refusal.Refusal{Kind: kind, RetryAfter: 1500 * time.Millisecond}
		if kind == refusal.InsufficientScope {
			r.Scope = "read:orders write:orders"
		}
		fmt.Fprintf(&got, "== %s\n", kind.Reason())
		for _, format := range []refusal.Format{refusal.JSON, refusal.Problem, refusal.None} {
			a := r.Answer(refusal.Style{Realm: "api", Format: format})
			fmt.Fprintf(&got, "%d\n", a.Status)
			for _, h := range a.Headers {
				fmt.Fprintf(&got, "%s: %s\n", h.Name, h.Value)
			}
			fmt.Fprintf(&got, "%s\n", a.Body)
		}
	}
	const golden = "testdata/answers.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got, -update writes it anew):\n%s", diff)
	}
}

func header(a refusal.Answer, name string) string {
	for _, h := range a.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func TestEvery401AndInsufficientScopeCarryAChallenge(t *testing.T) {
	for _, kind := range refusal.Kinds() {
		a := refusal.Refusal{Kind: kind}.Answer(refusal.Style{Realm: "api"})
		asked := a.Status == 401 || kind == refusal.InsufficientScope
		if challenge := header(a, "WWW-Authenticate"); asked != (challenge != "") {
			t.Errorf("%s: status %d, challenge %q", kind.Reason(), a.Status, challenge)
		}
	}
}

func TestReasonsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range refusal.Kinds() {
		if reason := kind.Reason(); reason == "" || seen[reason] {
			t.Errorf("kind %d: reason %q is empty or taken", kind, reason)
		}
		seen[kind.Reason()] = true
	}
}

func TestARefusalNobodyFilledInDenies(t *testing.T) {
	for name, r := range map[string]refusal.Refusal{"zero": {}, "unknown kind": {Kind: 200}} {
		if a := r.Answer(refusal.Style{}); a.Status != 500 {
			t.Errorf("%s: status %d", name, a.Status)
		}
	}
}

func TestADescriptionCannotBreakOutOfTheChallenge(t *testing.T) {
	const hostile = "a\"b\\c\r\nSet-Cookie: x=1\x7fé"
	a := refusal.Refusal{Kind: refusal.BadAudience, Description: hostile}.Answer(refusal.Style{Realm: "api"})
	challenge := header(a, "WWW-Authenticate")
	if strings.ContainsAny(challenge, "\r\n\\\x7f") || strings.Count(challenge, `"`) != 6 {
		t.Errorf("challenge %q", challenge)
	}
	var body map[string]string
	if err := json.Unmarshal(a.Body, &body); err != nil || body["error_description"] != hostile {
		t.Errorf("body %s, %v", a.Body, err)
	}
}
