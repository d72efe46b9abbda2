package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// everyPage is each document of the repository that shows commands.
func everyPage(t *testing.T) (pages []page) {
	t.Helper()
	names := []string{"../README.md", "../ci/README.md"}
	for _, pattern := range []string{"*.md", "../apisix-conf/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	if len(names) < 15 {
		t.Fatalf("the documents are %q", names)
	}
	for _, name := range names {
		pages = append(pages, open(t, name))
	}
	return pages
}

var (
	madeTarget = regexp.MustCompile("(?m)(?:^ {4}|`)make ([a-z0-9-]+)")
	goTest     = regexp.MustCompile("(?m)(?:^ {4}|`)(?:[A-Z]+=\\S+ )*go test ([^`\n]*)")
	// chosen are the tests or benchmarks that a command picks.
	chosen = regexp.MustCompile(`-(run|bench) '?([A-Za-z|]+)'?( |$)`)
	inPath = regexp.MustCompile(`(?:^| )\./(\S+)`)
)

func TestEveryMakeTargetOfADocumentIsThere(t *testing.T) {
	makefile, found := open(t, "../Makefile").text, 0
	for _, p := range everyPage(t) {
		for _, m := range madeTarget.FindAllStringSubmatch(p.text, -1) {
			if found++; !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s: there is no make %s", p.path, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("%d targets were found", found)
	}
}

// TestEveryGoTestOfADocumentPicksWhatIsThere: a test or a benchmark that was renamed
// is picked by no command any more, and go test is content with that.
func TestEveryGoTestOfADocumentPicksWhatIsThere(t *testing.T) {
	found := 0
	for _, p := range everyPage(t) {
		for _, m := range goTest.FindAllStringSubmatch(p.text, -1) {
			path := inPath.FindStringSubmatch(m[1])
			if path == nil || path[1] == "..." {
				continue
			}
			dir := filepath.Join("..", strings.TrimSuffix(path[1], "/..."))
			sources, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
			var text strings.Builder
			for _, source := range sources {
				text.WriteString(open(t, source).text)
			}
			if len(sources) == 0 {
				t.Errorf("%s: go test %s: there are no tests in %s", p.path, m[1], dir)
			}
			for _, pick := range chosen.FindAllStringSubmatch(m[1], -1) {
				if pick[2] == "none" {
					continue
				}
				found++
				kind := map[string]string{"run": "Test", "bench": "Benchmark"}[pick[1]]
				for alternative := range strings.SplitSeq(pick[2], "|") {
					name := strings.TrimPrefix(alternative, kind)
					if !regexp.MustCompile(`(?m)^func ` + kind + `\w*` + name).MatchString(text.String()) {
						t.Errorf("%s: go test %s: there is no %s in %s", p.path, m[1], alternative, dir)
					}
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d tests and benchmarks were found", found)
	}
}

var (
	ofRunner = regexp.MustCompile("go-runner (run|check|explain|route|convert|schema|resource-metadata|revoke|ping)\\b((?:[^\n`]|\\\\\n)*)")
	flagged  = regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]+)`)
)

// TestEveryFlagOfACommandInADocumentIsOneOfThatCommand, also where the command itself
// cannot be run by a test.
func TestEveryFlagOfACommandInADocumentIsOneOfThatCommand(t *testing.T) {
	helps, found := map[string]string{}, 0
	for _, p := range everyPage(t) {
		for _, m := range ofRunner.FindAllStringSubmatch(p.text, -1) {
			if helps[m[1]] == "" {
				help, err := exec.Command(filepath.Join(bin, "go-runner"), m[1], "--help").Output()
				if err != nil {
					t.Fatal(err)
				}
				helps[m[1]] = string(help)
			}
			for _, flag := range flagged.FindAllStringSubmatch(m[2], -1) {
				if found++; !regexp.MustCompile(regexp.QuoteMeta(flag[1]) + `\b`).MatchString(helps[m[1]]) {
					t.Errorf("%s: go-runner %s has no %s", p.path, m[1], flag[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d flags were found", found)
	}
}

var (
	putRoutes = regexp.MustCompile(`(?s)\n((?:    [^\n]*\n)+)\n\| file \|`)
	asBrowser = regexp.MustCompile(`(?m)^    (curl -i .*)$`)
	putOne    = regexp.MustCompile(`(?m)^    (curl -X PUT .*\\\n.*)$`)
)

// TestTheRoutesToCopyArePutAsTheirPageSays, and those with a login send a browser to
// the issuer and refuse a script. So is the route of the tutorial of login put.
func TestTheRoutesToCopyArePutAsTheirPageSays(t *testing.T) {
	need(t, "curl")
	for _, name := range []string{"AUTH0_APP_SECRET", "SESSION_SECRET"} {
		t.Setenv(name, strings.Repeat("s", 32))
	}
	s, clone, readme := startSite(t), t.TempDir(), open(t, "../apisix-conf/routes/README.md")
	local := strings.NewReplacer(append(s.here(), "http://issuer:9000/", s.issuer.URL(), "upstream:9001", s.upstream.Node())...)
	if err := os.MkdirAll(filepath.Join(clone, "apisix-conf/routes"), 0o755); err != nil {
		t.Fatal(err)
	}
	routes, err := filepath.Glob("../apisix-conf/routes/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range routes {
		if err := os.WriteFile(filepath.Join(clone, "apisix-conf/routes", filepath.Base(route)), []byte(local.Replace(open(t, route).text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(clone, ".env"), []byte("ADMIN_KEY=key-of-the-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	put := putRoutes.FindStringSubmatch(readme.text)
	one := putOne.FindStringSubmatch(open(t, "login.md").text)
	asked := asBrowser.FindAllStringSubmatch(readme.text, -1)
	if put == nil || one == nil || len(asked) != 2 {
		t.Fatal("the pages do not show how to put the routes, and how to ask them")
	}
	printed := shell(t, clone, []string{"ADMIN_KEY=key-of-the-test"}, []string{put[1], one[1], asked[0][1], asked[1][1]}, local)
	if n := strings.Count(printed[0], `"key":"/apisix/routes/`); n != len(routes) {
		t.Errorf("%d routes of %d were put:\n%s", n, len(routes), printed[0])
	}
	if !strings.Contains(printed[1], `"key":"/apisix/routes/app"`) {
		t.Errorf("the route of the tutorial: %s", printed[1])
	}
	if !strings.Contains(printed[2], " 302 ") || !strings.Contains(printed[2], "location: "+s.issuer.URL()+"authorize?") {
		t.Errorf("a browser is not sent to log in: %s", printed[2])
	}
	if !strings.Contains(printed[3], " 401 ") {
		t.Errorf("a script is not refused: %s", printed[3])
	}
}
