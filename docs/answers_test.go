package docs_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

var (
	shownAnswer = regexp.MustCompile("(?ms)^```http (\\S+)\n(.*?)^```$")
	untilRetry  = regexp.MustCompile(`(?m)^Retry-After: \d+$`)
)

// TestAClientIsAnsweredAsTheReferenceShows asks the gateway for each of the
// answers on the page. Of their headers the page has those that the plugin makes.
func TestAClientIsAnsweredAsTheReferenceShows(t *testing.T) {
	s := startSite(t)
	p := open(t, "reference.md")
	policy := func(more string) string {
		return `{"issuer": "` + s.issuer.URL() + `", "audience": "https://api.example.com"` + more + `}`
	}
	valid, past := issuer.MintRequest{}, issuer.MintRequest{ExpiresIn: -3600}
	many := http.Header{}
	for n := range 100 {
		many.Set(fmt.Sprintf("X-Filler-%d", n), "x")
	}
	answers := map[string]struct {
		policy  string
		token   *issuer.MintRequest
		headers http.Header
	}{
		"missing_token":      {policy: policy("")},
		"expired":            {policy: policy(""), token: &past},
		"insufficient_scope": {policy: policy(`, "required_scopes": ["read:orders"]`), token: &valid},
		"access_denied":      {policy: policy(`, "claims": {"email_verified": true}`), token: &valid},
		"step_up_required":   {policy: policy(`, "require_mfa": true`), token: &valid},
		"multiple_tokens":    {policy: policy(`, "token_from": [{"header": "Authorization", "scheme": "Bearer"}, {"cookie": "token"}]`), token: &valid, headers: http.Header{"Cookie": {"token=x"}}},
		"too_many_headers":   {policy: policy(""), token: &valid, headers: many},
		"keys_unavailable":   {policy: strings.Replace(policy(""), s.issuer.URL(), "http://127.0.0.1:1/", 1), token: &issuer.MintRequest{Claims: map[string]any{"iss": "http://127.0.0.1:1/"}}},
		"config_invalid":     {policy: policy(`, "audiance": "x"`), token: &valid},
	}
	shown := 0
	happens := shownAnswer.ReplaceAllStringFunc(p.text, func(block string) string {
		name := shownAnswer.FindStringSubmatch(block)[1]
		a, ok := answers[name]
		if !ok {
			t.Fatalf("nothing is known of the answer %s", name)
		}
		shown++
		s.putRoute(t, "/"+name, a.policy)
		return "```http " + name + "\n" + s.answer(t, "/"+name, a.token, a.headers) + "```"
	})
	if shown != len(answers) {
		t.Errorf("the page shows %d of %d answers", shown, len(answers))
	}
	if *update {
		writeFile(t, p.path, happens)
		return
	}
	if diff := cmp.Diff(strings.Split(p.text, "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("reference.md, rewritten by -update (-document +what happens):\n%s", diff)
	}
}

func (s *site) answer(t *testing.T, path string, token *issuer.MintRequest, headers http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.gateway.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if headers != nil {
		req.Header = headers
	}
	if token != nil {
		raw, err := s.issuer.Mint(*token)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	client := http.Client{Timeout: hangGuard}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %s\n", resp.Status)
	for _, name := range []string{"Cache-Control", "WWW-Authenticate", "Retry-After", "Content-Type"} {
		for _, value := range resp.Header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	body := make([]byte, 4096)
	n, _ := resp.Body.Read(body)
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(string(body[:n])))
	return untilRetry.ReplaceAllString(b.String(), "Retry-After: 1")
}
