package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// kept is what Auth0 puts into an access token of what an Action sets: it drops
// the claims that it or a standard uses, those of its own domains, and those of a
// person's profile whose scope was not asked for.
func kept(set map[string]any, scope string) map[string]any {
	in := map[string]any{}
	for name, value := range set {
		switch {
		case slices.Contains([]string{"roles", "groups", "permissions", "org_id", "org_name", "amr", "acr", "auth_time", "azp", "gty", "sid", "sub"}, name):
		case slices.Contains([]string{"email", "email_verified"}, name) && !slices.Contains(strings.Fields(scope), "email"):
		case strings.Contains(name, "auth0.com") || strings.Contains(name, "webtask."):
		default:
			in[name] = value
		}
	}
	return in
}

// flow runs Actions one after the other on an event, as Auth0 does, and returns
// the claims that they set and the factors that they ask for.
func flow(t *testing.T, trigger, event string, codes ...string) (claims map[string]any, factors []map[string]string) {
	t.Helper()
	var script strings.Builder
	script.WriteString("const set = {}, factors = [];\n" +
		"const api = {accessToken: {setCustomClaim: (name, value) => { set[name] = value; }}, authentication: {challengeWithAny: (any) => factors.push(...any)}};\n" +
		"(async () => {\n")
	for _, code := range codes {
		fmt.Fprintf(&script, "{ const exports = {};\n%s\nawait exports.%s(%s, api); }\n", code, trigger, event)
	}
	script.WriteString("console.log(JSON.stringify({set, factors})); })();")
	out, err := exec.Command(need(t, "node"), "-e", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	var happened struct {
		Set     map[string]any
		Factors []map[string]string
	}
	if err := json.Unmarshal(out, &happened); err != nil {
		t.Fatal(err)
	}
	return happened.Set, happened.Factors
}

const (
	postLogin = "onExecutePostLogin"
	exchange  = "onExecuteCredentialsExchange"
	somebody  = `{"user": {"email_verified": true}, "authorization": {"roles": ["support"]}, "organization": {"id": "org_9ybsU1dN2dKfDkBi", "name": "acme"}}`
)

func withClaims(claims map[string]any, more ...map[string]any) map[string]any {
	all := maps.Clone(claims)
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

// person is somebody with a role, after the page's first Action.
func person(t *testing.T, s *site, page page) map[string]any {
	t.Helper()
	set, _ := flow(t, postLogin, somebody, page.file(t, "person.js"))
	stock := stockClaims(s)
	return withClaims(stock, map[string]any{"permissions": []string{"read:orders"}}, kept(set, stock["scope"].(string)))
}

func machine(id string, more ...map[string]any) map[string]any {
	return withClaims(map[string]any{
		"sub": id + "@clients", "aud": "https://api.example.com", "azp": id, "gty": "client-credentials", "scope": "read:orders",
	}, more...)
}

func TestTheAuth0PageRunsAsItIsShown(t *testing.T) {
	need(t, "curl")
	need(t, "jq")
	s := startSite(t)
	p := open(t, "auth0.md")
	token, err := s.issuer.Mint(issuer.MintRequest{Claims: person(t, s, p)})
	if err != nil {
		t.Fatal(err)
	}
	p.runs(t, t.TempDir(), environment("CLIENT_ID=machine", "CLIENT_SECRET=its-secret", "PERSON="+token), s.here()...)
}

func TestTheAuth0PagesRoutesJudgeTokensAsItSays(t *testing.T) {
	s := startSite(t)
	second, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	p := open(t, "auth0.md")
	stock, good := stockClaims(s), person(t, s, p)
	set, _ := flow(t, postLogin, somebody, p.file(t, "person.js"))
	loggedIn := func(ago time.Duration, methods ...string) map[string]any {
		var list []map[string]string
		for _, m := range methods {
			list = append(list, map[string]string{"name": m, "timestamp": time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z")})
		}
		set, _ := flow(t, postLogin, `{"authentication": {"methods": `+forge.JSON(list)+`}}`, p.file(t, "strength.js"))
		return withClaims(stock, kept(set, ""), map[string]any{"scope": "openid transfer:money"})
	}
	refreshed, _ := flow(t, postLogin, `{"authentication": {"methods": []}}`, p.file(t, "strength.js"))
	team, _ := flow(t, exchange, `{"client": {"metadata": {"team": "billing"}}}`, p.file(t, "machine.js"))
	bare, _ := flow(t, postLogin, somebody, strings.ReplaceAll(p.file(t, "person.js"), "NAMESPACE + ", ""))
	for _, c := range []struct {
		policy, token string
		claims        map[string]any
		want          int
	}{
		{"first.json", "of a person", stock, http.StatusOK},
		{"first.json", "of a machine", machine("machine"), http.StatusOK},
		{"people.json", "with the Action's claims", good, http.StatusOK},
		{"people.json", "without an Action", withClaims(stock, map[string]any{"permissions": []string{"read:orders"}}), http.StatusForbidden},
		{"people.json", "without permissions", withClaims(stock, kept(set, "email")), http.StatusForbidden},
		{"people.json", "whose application did not ask for email", withClaims(good, kept(set, "openid"), map[string]any{"email_verified": nil}), http.StatusForbidden},
		{"people.json", "with roles that Auth0 dropped", withClaims(stock, map[string]any{"permissions": []string{"read:orders"}}, kept(bare, "email")), http.StatusForbidden},
		{"people.json", "of a machine", machine("machine"), http.StatusForbidden},
		{"transfer.json", "with the second factor", loggedIn(time.Minute, "pwd", "mfa"), http.StatusOK},
		{"transfer.json", "with one factor", loggedIn(time.Minute, "pwd"), http.StatusForbidden},
		{"transfer.json", "of a login long ago", loggedIn(time.Hour, "pwd", "mfa"), http.StatusForbidden},
		{"transfer.json", "that a refresh token got", withClaims(stock, kept(refreshed, ""), map[string]any{"scope": "openid transfer:money"}), http.StatusForbidden},
		{"organization.json", "with the organization's ID", withClaims(stock, map[string]any{"org_id": "org_9ybsU1dN2dKfDkBi"}), http.StatusOK},
		{"organization.json", "with the organization's name", withClaims(stock, map[string]any{"org_id": "org_other", "org_name": "acme"}), http.StatusOK},
		{"organization.json", "of another organization", withClaims(stock, map[string]any{"org_id": "org_other"}), http.StatusForbidden},
		{"organization.json", "of no organization", stock, http.StatusForbidden},
		{"machines.json", "of a machine of the list", machine("night-job", team), http.StatusOK},
		{"machines.json", "of another machine", machine("other", team), http.StatusForbidden},
		{"machines.json", "of a person of that application", withClaims(stock, map[string]any{"azp": "machine", "scope": "read:orders"}), http.StatusForbidden},
		{"no-machines.json", "of a person", stock, http.StatusOK},
		{"no-machines.json", "of a machine", machine("machine"), http.StatusForbidden},
		{"tenants.json", "of the tenant's own domain", stock, http.StatusOK},
		{"tenants.json", "of that, for its older API", withClaims(stock, map[string]any{"aud": "https://old.example.com"}), http.StatusOK},
		{"tenants.json", "of the custom domain", withClaims(stock, map[string]any{"iss": second.URL()}), http.StatusOK},
		{"tenants.json", "of the custom domain, for an API of the other", withClaims(stock, map[string]any{"iss": second.URL(), "aud": "https://old.example.com"}), http.StatusUnauthorized},
	} {
		t.Run(c.policy+" "+c.token, func(t *testing.T) {
			by := s.issuer
			if c.claims["iss"] == second.URL() {
				by = second
			}
			token, err := by.Mint(issuer.MintRequest{Claims: c.claims})
			if err != nil {
				t.Fatal(err)
			}
			custom := strings.NewReplacer(`"domain": "login.example.com"`, `"issuer": "`+second.URL()+`"`)
			s.putRoute(t, "/judged/*", strings.NewReplacer(s.here()...).Replace(custom.Replace(p.file(t, c.policy))))
			if got, body := s.ask(t, "/judged/x", token); got != c.want {
				t.Errorf("status %d, want %d: %s", got, c.want, body)
			}
		})
	}
}

func TestTheAuth0PagesActionAsksForASecondFactorOnceAndWhereItIsNeeded(t *testing.T) {
	code := open(t, "auth0.md").file(t, "second-factor.js")
	for _, c := range []struct {
		name, event string
		want        int
	}{
		{"the scope, with one factor", `{"transaction": {"requested_scopes": ["transfer:money"]}, "authentication": {"methods": [{"name": "pwd"}]}}`, 2},
		{"the scope, with the second", `{"transaction": {"requested_scopes": ["transfer:money"]}, "authentication": {"methods": [{"name": "pwd"}, {"name": "mfa"}]}}`, 0},
		{"another scope", `{"transaction": {"requested_scopes": ["read:orders"]}, "authentication": {"methods": [{"name": "pwd"}]}}`, 0},
		{"a refresh token", `{}`, 0},
	} {
		if _, factors := flow(t, postLogin, c.event, code); len(factors) != c.want {
			t.Errorf("%s: it asks for %v", c.name, factors)
		}
	}
}

func TestTheHeadersOfTheAuth0PageReachTheUpstream(t *testing.T) {
	s := startSite(t)
	p := open(t, "auth0.md")
	team, _ := flow(t, exchange, `{"client": {"metadata": {}}}`, p.file(t, "machine.js"))
	for _, c := range []struct {
		policy string
		claims map[string]any
		want   map[string]string
	}{
		{"people.json", person(t, s, p), map[string]string{"X-User-Id": "auth0|5f7c8ec7c33c6c004bbafe82", "X-User-Roles": "support", "X-Organization": "acme"}},
		{"organization.json", withClaims(stockClaims(s), map[string]any{"org_id": "org_9ybsU1dN2dKfDkBi"}), map[string]string{"X-Organization-Id": "org_9ybsU1dN2dKfDkBi"}},
		{"machines.json", machine("machine", team), map[string]string{"X-Client-Id": "machine", "X-Team": "none"}},
	} {
		token, err := s.issuer.Mint(issuer.MintRequest{Claims: c.claims})
		if err != nil {
			t.Fatal(err)
		}
		s.putRoute(t, "/judged/*", strings.NewReplacer(s.here()...).Replace(p.file(t, c.policy)))
		_, body := s.ask(t, "/judged/x", token)
		var echo struct{ Headers map[string][]string }
		if err := json.Unmarshal(body, &echo); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		for name, want := range c.want {
			if got := strings.Join(echo.Headers[name], ","); got != want {
				t.Errorf("%s: %s is %q, want %q", c.policy, name, got, want)
			}
		}
	}
}

var shownMistake = regexp.MustCompile("(?ms)^```explain (\\S+)\n(.*?)^```$")

// TestExplainSaysOfEachMistakeWhatTheAuth0PageShows makes each mistake with a
// token of the tenant that the page names.
func TestExplainSaysOfEachMistakeWhatTheAuth0PageShows(t *testing.T) {
	p, dir := open(t, "auth0.md"), t.TempDir()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		if strings.HasSuffix(m[1], ".json") {
			writeFile(t, filepath.Join(dir, m[1]), m[2])
		}
	}
	writeFile(t, filepath.Join(dir, "mfa.json"), strings.Replace(p.file(t, "first.json"), "{\n", "{\n  \"require_mfa\": true,\n", 1))
	writeFile(t, filepath.Join(dir, "roles.json"), strings.Replace(p.file(t, "people.json"), `"https://api.example.com/roles": {`, `"roles": {`, 1))
	writeFile(t, filepath.Join(dir, "keys.json"), string(forge.JWKS(forge.JWK(forge.RSA(), "kid", "r"))))
	const tenant, api = "https://tenant.eu.auth0.com/", "https://api.example.com"
	now := time.Now()
	signed := func(more map[string]any) string {
		claims := withClaims(map[string]any{
			"iss": tenant, "aud": []string{api, tenant + "userinfo"}, "sub": "auth0|alice", "azp": "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
			"scope": "openid email", "iat": now.Unix(), "exp": now.Add(24*time.Hour + time.Minute).Unix(),
		}, more)
		return forge.Sign("RS256", forge.RSA(), forge.Header("RS256", "r"), forge.JSON(claims))
	}
	type claims = map[string]any
	allowed := []string{"read:orders"}
	mistakes := map[string]struct{ policy, token string }{
		"opaque":          {"first.json", "gx4sVVkXvOs8WGzGlR4"},
		"id-token":        {"first.json", signed(claims{"aud": "AbCdEfGhIjKlMnOpQrStUvWxYz012345", "nonce": "n", "scope": nil})},
		"another-api":     {"first.json", signed(claims{"aud": "https://billing.example.com"})},
		"audience-slash":  {"first.json", signed(claims{"aud": api + "/"})},
		"custom-domain":   {"first.json", signed(claims{"iss": "https://login.example.com/"})},
		"another-tenant":  {"first.json", signed(claims{"iss": "https://tenant-dev.eu.auth0.com/"})},
		"hs256":           {"first.json", forge.Sign("HS256", []byte(strings.Repeat("s", 32)), forge.Header("HS256", ""), forge.JSON(claims{"iss": tenant}))},
		"no-permission":   {"people.json", signed(claims{"permissions": []string{}})},
		"permissions-off": {"people.json", signed(nil)},
		"no-action":       {"people.json", signed(claims{"permissions": allowed})},
		"bare-roles":      {"people.json", signed(claims{"permissions": allowed, "email_verified": true})},
		"roles":           {"roles.json", signed(claims{"permissions": allowed, "email_verified": true})},
		"one-factor":      {"transfer.json", signed(claims{"scope": "transfer:money", api + "/amr": []string{"pwd"}, api + "/auth_time": now.Unix()})},
		"require-mfa":     {"mfa.json", signed(nil)},
		"no-organization": {"organization.json", signed(nil)},
		"another-machine": {"machines.json", signed(machine("other"))},
		"machine":         {"no-machines.json", signed(machine("machine"))},
		"expired":         {"first.json", signed(claims{"iat": now.Add(-96 * time.Hour).Unix(), "exp": now.Add(-72 * time.Hour).Unix()})},
	}
	shown := 0
	happens := shownMistake.ReplaceAllStringFunc(p.text, func(block string) string {
		name := shownMistake.FindStringSubmatch(block)[1]
		m, ok := mistakes[name]
		if !ok {
			t.Fatalf("nothing is known of the mistake %s", name)
		}
		shown++
		cmd := exec.Command(filepath.Join(bin, "go-runner"), "explain", "-c", m.policy, "--jwks", "keys.json", "-t", "-")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(m.token)
		out, _ := cmd.CombinedOutput() // it ends with an error where a request is refused
		return "```explain " + name + "\n" + failed(t, string(out)) + "```"
	})
	if shown != len(mistakes) {
		t.Errorf("the page shows %d of %d mistakes", shown, len(mistakes))
	}
	if *update {
		writeFile(t, p.path, happens)
		return
	}
	if diff := cmp.Diff(strings.Split(p.text, "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("auth0.md, rewritten by -update (-document +what happens):\n%s", diff)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// failed is the check that failed, with what explain says of it.
func failed(t *testing.T, explained string) string {
	t.Helper()
	_, after, ok := strings.Cut(explained, "FAILED ")
	if !ok {
		t.Fatalf("no check failed:\n%s", explained)
	}
	line := explained[strings.LastIndex(explained[:len(explained)-len(after)], "\n")+1:]
	var b strings.Builder
	for i, l := range slices.Collect(strings.Lines(line)) {
		if i > 0 && !strings.HasPrefix(l, "    ") {
			break
		}
		b.WriteString(l)
	}
	return b.String()
}
