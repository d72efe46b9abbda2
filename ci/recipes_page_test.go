package ci_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// metricsOfPage is where the page's runner has its metrics.
const metricsOfPage = "127.0.0.1:9100"

// recipe is one section of docs/recipes.md on this stack. The page's names stand
// for what is there: its paths below /orders for paths of this recipe alone, its
// upstream and gateway for the stack's, and its tenant for the suite's own issuer.
type recipe struct {
	route
	dir      string
	sessions []string          // what a reader types and sees
	tokens   map[string]string // by the variable that the commands have them in
	// settles says, by a body's file, what a request without a token gets as
	// soon as the body is in force; elsewhere everything but 404, 502 and 503.
	settles map[string]func(r recipe) error
	page    *strings.Replacer // from what is there to what the page shows
}

var (
	shownBody    = regexp.MustCompile("(?ms)^```json (\\S+)\n(.*?)^```$")
	shownSession = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
)

// newRecipe reads the section of this heading and has no route yet: its commands
// put them.
func newRecipe(t *testing.T, on *stack, heading string, tokens map[string]string) recipe {
	t.Helper()
	page, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/recipes.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	r := recipe{route: freshRoute(), dir: t.TempDir(), tokens: tokens}
	r.on = on
	names := []string{
		"/orders", r.prefix + "/orders", "/routes/", "/routes/" + r.id + "-",
		"127.0.0.1:9180", host(on.admin), "127.0.0.1:9080", host(on.gateway),
		"127.0.0.1:8080", on.upstream.node, "127.0.0.1:9200/apisix", on.upstream.node + "/control/log/" + r.id,
		"grpc.example.com", r.id + ".example",
	}
	if on.metrics != "" {
		names = append(names, metricsOfPage, on.metrics)
	}
	back := make([]string, 0, len(names))
	for i := 0; i < len(names); i += 2 {
		back = append(back, names[i+1], names[i])
	}
	r.page = strings.NewReplacer(back...)
	local := strings.NewReplacer(names...)
	for _, m := range shownBody.FindAllStringSubmatch(section, -1) {
		body := localTenant(t, local.Replace(m[2]))
		if err := os.WriteFile(filepath.Join(r.dir, m[1]), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range shownSession.FindAllStringSubmatch(section, -1) {
		r.sessions = append(r.sessions, local.Replace(m[1]))
	}
	if len(r.sessions) == 0 {
		t.Fatalf("the section %q shows no command", heading)
	}
	return r
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }

// localTenant is a route's body with the suite's own issuer for each tenant of
// the page, so that a case can sign any token.
func localTenant(t *testing.T, body string) []byte {
	t.Helper()
	var route map[string]any
	if err := json.Unmarshal([]byte(body), &route); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, block := range route["plugins"].(map[string]any) {
		entries, _ := block.(map[string]any)["conf"].([]any)
		for _, e := range entries {
			entry := e.(map[string]any)
			var p policy
			if err := json.Unmarshal([]byte(entry["value"].(string)), &p); err != nil {
				t.Fatalf("%v: %s", err, entry["value"])
			}
			tenant := p["domain"].(string)
			entry["value"] = p.with(policy{"domain": nil, "issuer": issuerOf(tenant), "jwks": keysOf(tenant)}).text()
		}
	}
	data, err := json.Marshal(route)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// issuerOf is the suite's own issuer for a tenant of the page.
func issuerOf(tenant string) string {
	if tenant == "tenant.eu.auth0.com" {
		return ownIssuer
	}
	return "https://" + tenant + "/"
}

func keysOf(tenant string) map[string]any {
	if strings.HasPrefix(tenant, "staging.") {
		return keySet(publicJWK(rogueRSA, rsaKid))
	}
	return ownRSAKeys
}

// step is a command of a session, and what the page shows that it prints.
type step struct{ command, shown string }

// runs runs the commands of the section and compares all that they print. A
// command for the runner's metrics is left out where the suite has none, and so is
// go-runner, which the test of the documents runs.
func (r recipe) runs(t *testing.T) {
	t.Helper()
	for _, session := range r.sessions {
		var shown, happens strings.Builder
		for _, s := range steps(session) {
			printed := s.shown
			if !strings.HasPrefix(s.command, "go-runner ") && !strings.Contains(s.command, metricsOfPage) {
				printed = r.shell(t, s.command)
			}
			fmt.Fprintf(&shown, "$ %s\n%s", s.command, s.shown)
			fmt.Fprintf(&happens, "$ %s\n%s", s.command, printed)
			if m := putRoute.FindStringSubmatch(s.command); m != nil {
				r.inForce(t, m[2])
			}
		}
		want, got := r.page.Replace(shown.String()), r.page.Replace(happens.String())
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Fatalf("(-document +what happens):\n%s", diff)
		}
	}
}

// steps are those of a session. A command continues behind a backslash at the
// end of its line.
func steps(session string) (all []step) {
	continues := false
	for line := range strings.Lines(session) {
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			all = append(all, step{command: command})
		case continues:
			all[len(all)-1].command += line
		default:
			all[len(all)-1].shown += line
			continue
		}
		continues = strings.HasSuffix(line, "\\\n")
	}
	for i := range all {
		all[i].command = strings.TrimSuffix(all[i].command, "\n")
	}
	return all
}

func (r recipe) shell(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "ADMIN_KEY="+r.on.adminKey)
	for name, token := range r.tokens {
		cmd.Env = append(cmd.Env, name+"="+token)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out.String())
	}
	return out.String()
}

// putRoute is a command that puts a route: its id and its body's file.
var putRoute = regexp.MustCompile(`-X PUT \S+/routes/(\S+)[^@]*@(\S+\.json)`)

// inForce waits until every worker has the route of a file.
func (r recipe) inForce(t *testing.T, file string) {
	t.Helper()
	var body struct {
		URI   string
		Hosts []string
	}
	text, err := os.ReadFile(filepath.Join(r.dir, file))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := route{id: r.id, on: r.on}
	if len(body.Hosts) > 0 {
		at.host = body.Hosts[0]
	}
	settled, special := r.settles[file]
	at.await(t, func(a answer) error {
		switch a.status {
		case http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable:
			return fmt.Errorf("still %d", a.status)
		}
		if special {
			return settled(r)
		}
		return nil
	}, request{path: strings.ReplaceAll(body.URI, "*", "x")})
}

// cook runs the section's commands, which put its routes, as a case of its own.
func cook(t *testing.T, r recipe) recipe {
	t.Helper()
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("this test needs %s", program)
		}
		t.Skipf("not run: this test needs %s", program)
	}
	ids := map[string]bool{}
	for _, m := range putRoute.FindAllStringSubmatch(strings.Join(r.sessions, ""), -1) {
		ids[m[1]] = true
	}
	t.Cleanup(func() {
		for id := range ids {
			put := r.route
			put.id = id
			put.admin(t, http.MethodDelete, nil)
		}
	})
	run(t, "what the page shows happens", r.runs)
	if t.Failed() {
		t.FailNow()
	}
	return r
}

// tokenOf is a token of a person with further claims.
func tokenOf(person string, more map[string]any) string {
	return claims(overlaid(map[string]any{"sub": "auth0|" + person}, more))
}

// overlaid are claims with others on top.
func overlaid(all, top map[string]any) map[string]any {
	all = maps.Clone(all)
	maps.Copy(all, top)
	return all
}
