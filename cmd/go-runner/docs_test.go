package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	shownFile = regexp.MustCompile("(?ms)^```[a-z]+ (\\S+)\n(.*?)^```$")
	console   = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
)

// The documents' files are written, their commands run, and all that they write is
// compared; -update writes it into the document.

func TestWhatTheReferenceShowsIsWhatHappens(t *testing.T) {
	showsWhatHappens(t, "../../docs/reference.md", 3)
}

func TestWhatTheTutorialOfLoginShowsIsWhatHappens(t *testing.T) {
	t.Setenv("SESSION_SECRET", strings.Repeat("s", 32))
	showsWhatHappens(t, "../../docs/login.md", 2)
}

// showsWhatHappens is for a page with at least that many commands.
func showsWhatHappens(t *testing.T, path string, least int) {
	page, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, m := range shownFile.FindAllStringSubmatch(string(text), -1) {
		if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := 0
	happens := console.ReplaceAllStringFunc(string(text), func(block string) string {
		var lines strings.Builder
		for line := range strings.Lines(console.FindStringSubmatch(block)[1]) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ go-runner ")
			if !ok {
				continue
			}
			commands++
			var both strings.Builder
			execute(strings.Fields(command), &both, &both)
			lines.WriteString("$ go-runner " + command + "\n" + both.String())
		}
		return "```console\n" + lines.String() + "```"
	})
	if commands < least {
		t.Errorf("%d commands were found", commands)
	}
	if *update {
		if err := os.WriteFile(page, []byte(happens), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("%s, rewritten by -update (-document +what happens):\n%s", path, diff)
	}
}
