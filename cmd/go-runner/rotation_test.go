package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// status is what a client with a token gets.
func (s *served) status(token string) int {
	s.t.Helper()
	return s.ask("/", "Authorization", "Bearer "+token).StatusCode
}

// TestARotationOfKeysNeedsNothing, as docs/operations.md has it: the next key is
// known before it signs, the old one's tokens are good while it is published, and
// not when the runner has seen that it no longer is.
func TestARotationOfKeysNeedsNothing(t *testing.T) {
	s := serve(t)
	s.protect("")
	old := s.mint(nil)
	if status := s.status(old); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	next, err := s.issuer.Mint(issuer.MintRequest{Key: "next"})
	if err != nil {
		t.Fatal(err)
	}
	families := s.scrape()
	for name, token := range map[string]string{"the current key": old, "the next key": next} {
		if value(families, "auth0_jwt_provider_key_info", "kid="+kidOf(t, token)) != 1 {
			t.Errorf("auth0_jwt_provider_key_info does not show %s", name)
		}
	}
	if err := s.issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"old": old, "new": s.mint(nil)} {
		if status := s.status(token); status != http.StatusOK {
			t.Errorf("after the rotation a token of the %s key gets %d", name, status)
		}
	}
	s.issuer.Revoke()
	unseen, err := s.issuer.Mint(issuer.MintRequest{Header: map[string]any{"kid": "unseen"}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		s.status(unseen) // a key that nobody has seen makes the runner ask again
		return s.status(old) == http.StatusUnauthorized
	})
	if n := value(s.scrape(), "auth0_jwt_decisions_total", "route=orders", "reason=unknown_key"); n < 2 {
		t.Errorf("unknown_key is counted %v times", n)
	}
	if status := s.status(s.mint(nil)); status != http.StatusOK {
		t.Errorf("a token of the new key gets %d", status)
	}
}

// kidOf is the kid of a token's header.
func kidOf(t *testing.T, token string) string {
	t.Helper()
	var header struct{ Kid string }
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

var issuerHeader = regexp.MustCompile("`(\"claim_headers\": \\{\"X-Issuer\": \"iss\"\\})`")

// TestAMigrationTakesTheTokensOfBothTenantsForAWhile, as docs/operations.md has it,
// with the header that the page gives to tell them apart.
func TestAMigrationTakesTheTokensOfBothTenantsForAWhile(t *testing.T) {
	shown := issuerHeader.FindStringSubmatch(openPage(t, "operations.md").text)
	if shown == nil {
		t.Fatal("the page does not show how to send the issuer to the upstream")
	}
	s := serve(t)
	before := s.issuer
	after, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = after.Close() })
	old, moved := s.mint(nil), ""
	if moved, err = after.Mint(issuer.MintRequest{}); err != nil {
		t.Fatal(err)
	}
	both := fmt.Sprintf(`{"name":"orders","issuers":[{"issuer":%q,"audience":%q},{"issuer":%q,"audience":%q}],%s}`,
		before.URL(), issuer.DefaultAudience, after.URL(), issuer.DefaultAudience, shown[1])
	file := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := execute([]string{"check", "--online", "--allow-insecure", file}, &out, &out); code != 0 || !strings.Contains(out.String(), "ok") {
		t.Errorf("check --online ends with %d: %s", code, out.String())
	}
	for _, step := range []struct {
		name, conf string
		old, moved int
	}{
		{"before", fmt.Sprintf(`{"name":"orders","issuer":%q,"audience":%q}`, before.URL(), issuer.DefaultAudience), 200, 401},
		{"meanwhile", both, 200, 200},
		{"after", fmt.Sprintf(`{"name":"orders","issuer":%q,"audience":%q}`, after.URL(), issuer.DefaultAudience), 401, 200},
	} {
		s.put(step.conf)
		if got := [2]int{s.status(old), s.status(moved)}; got != [2]int{step.old, step.moved} {
			t.Errorf("%s: the tokens get %v", step.name, got)
		}
	}
	s.says(`"reason":"unknown_issuer"`)
	if n := value(s.scrape(), "auth0_jwt_decisions_total", "route=orders", "reason=unknown_issuer"); n != 2 {
		t.Errorf("unknown_issuer is counted %v times", n)
	}
}

// TestAHangupFetchesKeysWhereSettingsChanged, and not without: docs/operations.md
// says so for an emergency.
func TestAHangupFetchesKeysWhereSettingsChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("max-stale: 24h\n")
	s := serve(t, "--config", file)
	s.protect("")
	token := s.mint(nil)
	if status := s.status(token); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	s.signal(syscall.SIGHUP)
	s.says("the configurations were read again")
	if status := s.status(token); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	write("max-stale: 23h\n")
	s.signal(syscall.SIGHUP)
	s.says("the settings changed")
	s.says("the configurations were read again")
	if status := s.status(token); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if n := s.issuer.Counters().JWKS; n != 2 {
		t.Errorf("the keys were fetched %d times, want at the start and where the settings changed", n)
	}
}
