package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var (
	shownFile = regexp.MustCompile("(?ms)^```[a-z]+ (\\S+)\n(.*?)^```$")
	console   = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
	shownLog  = regexp.MustCompile("(?ms)^```log (\\S+) (good|expired)\n(.*?)^```$")
	reasons   = regexp.MustCompile("(?s)<!-- reasons -->\n(.*?)<!-- /reasons -->")
)

// page is a document whose contents are what happens.
type page struct {
	t    *testing.T
	path string
	text string
}

func openPage(t *testing.T, name string) *page {
	t.Helper()
	path, err := filepath.Abs("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &page{t, path, string(text)}
}

// is compares the page with what it should be; -update writes that into the
// document.
func (p *page) is(happens string) {
	p.t.Helper()
	if *update {
		if err := os.WriteFile(p.path, []byte(happens), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(p.text, "\n"), strings.Split(happens, "\n")); diff != "" {
		p.t.Errorf("%s, rewritten by -update (-document +what happens):\n%s", filepath.Base(p.path), diff)
	}
}

// files writes the files that the page shows into the working directory.
func (p *page) files() {
	p.t.Helper()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// sessions runs the commands in a text, at least that many, and writes what they
// write below them.
func (p *page) sessions(text string, least int) string {
	p.t.Helper()
	commands := 0
	happens := console.ReplaceAllStringFunc(text, func(block string) string {
		var lines strings.Builder
		for line := range strings.Lines(console.FindStringSubmatch(block)[1]) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ go-runner ")
			if !ok {
				continue
			}
			commands++
			var both strings.Builder
			args, file, redirected := strings.Cut(command, " < ")
			if redirected {
				p.withInput(file, func() { execute(strings.Fields(args), &both, &both) })
			} else {
				execute(strings.Fields(args), &both, &both)
			}
			lines.WriteString("$ go-runner " + command + "\n" + both.String())
		}
		return "```console\n" + lines.String() + "```"
	})
	if commands < least {
		p.t.Errorf("%d commands were found", commands)
	}
	return happens
}

// withInput runs what reads its standard input from a file.
func (p *page) withInput(file string, run func()) {
	p.t.Helper()
	in, err := os.Open(file)
	if err != nil {
		p.t.Fatal(err)
	}
	defer in.Close()
	before := os.Stdin
	defer func() { os.Stdin = before }()
	os.Stdin = in
	run()
}

// TestWhatTheReferenceShowsIsWhatHappens writes the files that the document
// shows, runs its commands and compares all that they write; -update writes it
// into the document.
func TestWhatTheReferenceShowsIsWhatHappens(t *testing.T) {
	p := openPage(t, "reference.md")
	t.Chdir(t.TempDir())
	p.files()
	p.is(p.sessions(p.text, 3))
}

func TestWhatTheTutorialOfLoginShowsIsWhatHappens(t *testing.T) {
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	p := openPage(t, "login.md")
	t.Chdir(t.TempDir())
	p.files()
	p.is(p.sessions(p.text, 2))
}

func TestWhatConvertShowsIsWhatHappens(t *testing.T) {
	p := openPage(t, "coming-from.md")
	t.Chdir(t.TempDir())
	p.files()
	p.is(p.sessions(p.text, 2))
}

// TestTheWalksOfTroubleshootingAreWhatHappens: the commands, the lines of a
// runner's log, and the table of every reason.
func TestTheWalksOfTroubleshootingAreWhatHappens(t *testing.T) {
	p := openPage(t, "troubleshooting.md")
	t.Chdir(t.TempDir())
	p.files()
	const tenant, api = "https://tenant.eu.auth0.com/", "https://api.example.com"
	signed := func(from time.Time) string {
		return forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "2026-03"), forge.Claims(tenant, api, from,
			"exp", forge.Seconds(from.Add(time.Hour)), "iat", forge.Seconds(from)))
	}
	keys := forge.JWKS(forge.JWK(forge.Ed25519(), "kid", "2026-03"))
	for name, content := range map[string]string{"token.jwt": signed(mintedAt), "keys.json": string(keys)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	happens := p.sessions(p.text, 3)
	happens = shownLog.ReplaceAllStringFunc(happens, func(block string) string {
		m := shownLog.FindStringSubmatch(block)
		conf, err := os.ReadFile(m[1])
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now().Add(-time.Minute)
		if m[2] == "expired" {
			from = from.Add(-2 * time.Hour)
		}
		return "```log " + m[1] + " " + m[2] + "\n" + loggedLine(t, conf, keys, signed(from)) + "```"
	})
	p.is(reasons.ReplaceAllStringFunc(happens, func(table string) string {
		return "<!-- reasons -->\n" + reasonTable(t, table) + "<!-- /reasons -->"
	}))
}

var onceOnly = regexp.MustCompile(`("time"|"subject"):"[^"]*"`)

// loggedLine is what a runner logs about a token on a route with these keys in
// place of the issuer's.
func loggedLine(t *testing.T, conf, keys []byte, token string) string {
	t.Helper()
	o := startObserved(t)
	var document map[string]json.RawMessage
	if err := json.Unmarshal(conf, &document); err != nil {
		t.Fatal(err)
	}
	document["jwks"] = keys
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	o.request(o.route("orders", "auth0-jwt", string(text)), "/orders", bearer(token))
	return onceOnly.ReplaceAllString(o.says("refused"), `$1:"…"`)
}

// reasonTable is the table of all reasons, with what the page says they mean.
func reasonTable(t *testing.T, page string) string {
	t.Helper()
	meanings := map[string]string{}
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 5 {
			meanings[strings.TrimSpace(cells[0])+cells[1]] = strings.TrimSpace(cells[4])
		}
	}
	var table bytes.Buffer
	row := func(reason, status, code, description string) {
		meaning := meanings["`"+reason+"`"+status]
		if meaning == "" {
			t.Errorf("the page does not say what %s, %s means", reason, status)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", reason, status, code, description, meaning)
	}
	table.WriteString("| reason | status | `error` | `error_description` | what it means, and what to do |\n| --- | --- | --- | --- | --- |\n")
	for _, kind := range refusal.Kinds() {
		answer := refusal.Refusal{Kind: kind}.Answer(refusal.Style{})
		var body struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(answer.Body, &body); err != nil {
			t.Fatal(err)
		}
		status := fmt.Sprint(answer.Status)
		if kind == refusal.RuleDenied {
			status += " or " + fmt.Sprint(http.StatusUnauthorized)
		}
		row(kind.Reason(), status, "`"+body.Error+"`", body.Description)
	}
	for _, of := range []struct{ reason, status string }{
		{login.ReasonRedirect, "302"},
		{login.ReasonCompleted, "303"},
		{login.ReasonFailed, "400, 403, 405, 500 or 502"},
		{login.ReasonLogout, "302 or 200"},
		{login.ReasonBackchannel, "200"},
		{login.ReasonBackchannelFailed, "400 or 405"},
	} {
		row(of.reason, of.status, "", "")
	}
	return table.String()
}
