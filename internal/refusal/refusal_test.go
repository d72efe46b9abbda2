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

// Dashboards, clients and tests elsewhere rely on these three for each kind;
// the golden file can be written anew by mistake, this table cannot.
func TestReasonsStatusesAndErrorCodesAreThePublishedOnes(t *testing.T) {
	type row struct {
		Reason string
		Status int
		Code   string
	}
	want := []row{
		{"internal_error", 500, "server_error"},
		{"config_invalid", 500, "server_error"},
		{"too_many_headers", 431, "invalid_request"},
		{"multiple_tokens", 400, "invalid_request"},
		{"cross_site_request", 403, "access_denied"},
		{"session_unavailable", 503, "temporarily_unavailable"},
		{"missing_token", 401, ""},
		{"malformed_token", 401, "invalid_token"},
		{"alg_not_allowed", 401, "invalid_token"},
		{"typ_not_allowed", 401, "invalid_token"},
		{"unknown_issuer", 401, "invalid_token"},
		{"keys_unavailable", 503, "temporarily_unavailable"},
		{"unknown_key", 401, "invalid_token"},
		{"bad_signature", 401, "invalid_token"},
		{"expired", 401, "invalid_token"},
		{"not_yet_valid", 401, "invalid_token"},
		{"too_old", 401, "invalid_token"},
		{"bad_audience", 401, "invalid_token"},
		{"dpop_failed", 401, "invalid_token"},
		{"dpop_failed", 503, "temporarily_unavailable"},
		{"revoked", 401, "invalid_token"},
		{"revocations_unavailable", 503, "temporarily_unavailable"},
		{"mtls_failed", 401, "invalid_token"},
		{"wrong_organization", 403, "access_denied"},
		{"wrong_client", 403, "access_denied"},
		{"step_up_required", 401, "insufficient_user_authentication"},
		{"insufficient_scope", 403, "insufficient_scope"},
		{"claim_mismatch", 403, "access_denied"},
		{"schema_mismatch", 403, "access_denied"},
		{"rule_denied", 403, "access_denied"},
		{"claim_header_failed", 403, "access_denied"},
	}
	var got []row
	for _, kind := range refusal.Kinds() {
		a := refusal.Refusal{Kind: kind}.Answer(refusal.Style{Realm: "api"})
		var body map[string]string
		if err := json.Unmarshal(a.Body, &body); err != nil {
			t.Fatalf("%s: body %s: %v", kind.Reason(), a.Body, err)
		}
		code := body["error"]
		if kind == refusal.MissingToken {
			// A bare challenge (RFC 6750 section 3.1); the body repeats the
			// reason.
			code = ""
			if challenge := header(a, "WWW-Authenticate"); challenge != `Bearer realm="api"` {
				t.Errorf("missing_token: challenge %q", challenge)
			}
		} else if challenge := header(a, "WWW-Authenticate"); challenge != "" && !strings.Contains(challenge, `error="`+code+`"`) {
			t.Errorf("%s: challenge %q, body's error %q", kind.Reason(), challenge, code)
		}
		got = append(got, row{kind.Reason(), a.Status, code})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seen := map[row]bool{}
	for _, r := range got {
		// Of one check, the client's fault and ours share the reason.
		if r.Code = ""; seen[r] {
			t.Errorf("two kinds have the reason %s and the status %d", r.Reason, r.Status)
		}
		seen[r] = true
	}
}

func TestRetryAfterIsWholeSecondsAndOnlyWith503(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{-time.Hour, "1"},
		{0, "1"},
		{time.Nanosecond, "1"},
		{time.Second, "1"},
		{time.Second + time.Nanosecond, "2"},
		{time.Minute, "60"},
	} {
		r := refusal.Refusal{Kind: refusal.KeysUnavailable, RetryAfter: c.after}
		if got := header(r.Answer(refusal.Style{}), "Retry-After"); got != c.want {
			t.Errorf("%v: %q, want %q", c.after, got, c.want)
		}
	}
	for _, kind := range refusal.Kinds() {
		a := refusal.Refusal{Kind: kind, RetryAfter: time.Minute}.Answer(refusal.Style{})
		if got := header(a, "Retry-After"); (got != "") != (a.Status == 503) {
			t.Errorf("%s: status %d, Retry-After %q", kind.Reason(), a.Status, got)
		}
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

// TestAPageSaysWhatTheBodySays.
func TestAPageSaysWhatTheBodySays(t *testing.T) {
	for _, kind := range refusal.Kinds() {
		for _, r := range []refusal.Refusal{{Kind: kind}, {Kind: kind, Description: "the token needs the scope <a>"}} {
			a, page := r.Answer(refusal.Style{}), r.Page()
			var body map[string]string
			if err := json.Unmarshal(a.Body, &body); err != nil {
				t.Fatal(err)
			}
			if page.Status != a.Status || page.Description != body["error_description"] || page.Title == "" {
				t.Errorf("%s: %+v, and the answer is %d %s", kind.Reason(), page, a.Status, a.Body)
			}
		}
	}
}
