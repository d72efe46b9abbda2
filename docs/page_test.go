package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what happens into the documents")

var (
	// shownFile is a fenced block with a file's name behind its language.
	shownFile = regexp.MustCompile("(?ms)^```[a-z]+ (\\S+)\n(.*?)^```$")
	// shownSession is what a reader types and sees. A command begins with "$ "
	// and continues on the next line after a backslash at the end.
	shownSession = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
	link         = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	// localIssuer is a warning about the issuer of the tests, which the page's
	// own would not cause.
	localIssuer = regexp.MustCompile(`(?m)^.*\$\.issuer: plain http: .*\n`)
)

// page is a document of the repository.
type page struct{ path, text string }

func open(t *testing.T, path string) page {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return page{path, string(text)}
}

// file is the content of a file that the page shows.
func (p page) file(t *testing.T, name string) string {
	t.Helper()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Fatalf("%s shows no file %s", p.path, name)
	return ""
}

// runs writes the files that the page shows into dir, runs its commands there in
// one shell, and compares all that they print. here replaces what the page names
// by what is there on this machine.
func (p page) runs(t *testing.T, dir string, env []string, here ...string) {
	t.Helper()
	there := make([]string, 0, len(here))
	for i := 0; i < len(here); i += 2 {
		there = append(there, here[i+1], here[i])
	}
	local, shown := strings.NewReplacer(here...), strings.NewReplacer(there...)
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(m[1])), []byte(local.Replace(m[2])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var commands []string
	for _, m := range shownSession.FindAllStringSubmatch(p.text, -1) {
		commands = append(commands, typed(m[1])...)
	}
	if len(commands) == 0 {
		t.Fatalf("%s shows no commands", p.path)
	}
	printed := shell(t, dir, env, commands, local)
	next := 0
	happens := shownSession.ReplaceAllStringFunc(p.text, func(block string) string {
		var b strings.Builder
		for _, command := range typed(shownSession.FindStringSubmatch(block)[1]) {
			fmt.Fprintf(&b, "$ %s\n%s", command, localIssuer.ReplaceAllString(shown.Replace(printed[next]), ""))
			next++
		}
		return "```console\n" + b.String() + "```"
	})
	if *update {
		if err := os.WriteFile(p.path, []byte(happens), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(p.text, "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("%s, rewritten by -update (-document +what happens):\n%s", p.path, diff)
	}
}

// typed are the commands of a session, each with the lines that continue it.
func typed(session string) (commands []string) {
	continues := false
	for line := range strings.Lines(session) {
		line = strings.TrimSuffix(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case continues:
			commands[len(commands)-1] += "\n" + line
		case isCommand:
			commands = append(commands, command)
		default:
			continue
		}
		continues = strings.HasSuffix(line, `\`)
	}
	return commands
}

// shell is what each of the commands prints, in one shell.
func shell(t *testing.T, dir string, env, commands []string, local *strings.Replacer) []string {
	t.Helper()
	const mark = "\x1e"
	var script strings.Builder
	for _, command := range commands {
		fmt.Fprintf(&script, "%s\nprintf '\\036'\n", local.Replace(command))
	}
	cmd := exec.Command(need(t, "bash"), "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Logf("the last command: %v", err)
	}
	printed := strings.Split(out.String(), mark)
	if len(printed) != len(commands)+1 {
		t.Fatalf("%d commands printed this:\n%s", len(commands), out.String())
	}
	return printed
}

// need is the path of a program that a page uses. Nothing is skipped in CI.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("this test needs %s", program)
	default:
		t.Skipf("this test needs %s", program)
	}
	return path
}

func TestEveryLinkOfADocumentLeadsToAFile(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(pages, "../README.md", "../CHANGELOG.md") {
		p := open(t, name)
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p.path), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
	}
}

var (
	toAnchor = regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchorID = regexp.MustCompile(`<a id="([^"]+)">`)
	unslug   = regexp.MustCompile(`[^a-z0-9_ -]`)
)

// anchors are the places of a page that a link may name, as GitHub makes them of
// headings.
func (p page) anchors() map[string]bool {
	there, seen := map[string]bool{}, map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		slug := strings.ReplaceAll(unslug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		if n := seen[slug]; n > 0 {
			there[fmt.Sprintf("%s-%d", slug, n)] = true
		}
		seen[slug]++
		there[slug] = true
	}
	for _, m := range anchorID.FindAllStringSubmatch(p.text, -1) {
		there[m[1]] = true
	}
	return there
}

func TestEveryAnchorThatADocumentNamesIsThere(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(pages, "../README.md") {
		p := open(t, name)
		for _, m := range toAnchor.FindAllStringSubmatch(p.text, -1) {
			target := p
			if m[1] != "" {
				target = open(t, filepath.Join(filepath.Dir(p.path), m[1]))
			}
			if !target.anchors()[m[2]] {
				t.Errorf("%s: %s#%s leads nowhere", name, m[1], m[2])
			}
		}
	}
}

var phrases = regexp.MustCompile(`(?i)\b(at hand|goes on|(is|are) let go|belongs? into|has a say|have a say)\b`)

// TestTheDocumentsUsePlainWords keeps phrases out that readers stumbled over.
func TestTheDocumentsUsePlainWords(t *testing.T) {
	read := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".md"):
			return nil
		}
		read++
		for n, line := range strings.Split(open(t, path).text, "\n") {
			if said := phrases.FindString(line); said != "" {
				t.Errorf("%s:%d: say %q in plain words", path, n+1, said)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 10 {
		t.Errorf("only %d documents were read", read)
	}
}
