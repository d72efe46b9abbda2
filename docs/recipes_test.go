package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The end-to-end suite runs the recipes. Here go-runner check reads every body: it
// says what the page shows, and of a body of which the page shows nothing that it
// is fine.
func TestCheckSaysOfEveryRecipeWhatThePageShows(t *testing.T) {
	p := open(t, "recipes.md")
	said := map[string]string{}
	for _, session := range shownSession.FindAllStringSubmatch(p.text, -1) {
		for shown := range strings.SplitSeq(session[1], "$ ") {
			if check, found := strings.CutPrefix(shown, "go-runner check "); found {
				name, output, _ := strings.Cut(check, "\n")
				said[name] = output
			}
		}
	}
	if len(said) == 0 {
		t.Fatal("the page shows no check")
	}
	dir := t.TempDir()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		name := m[1]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		want, shown := said[name]
		if !shown {
			want = name + ": ok\n"
		}
		got := shell(t, dir, environment(), []string{"go-runner check " + name}, strings.NewReplacer())[0]
		if got != want {
			t.Errorf("check says\n%s\nand the page\n%s", got, want)
		}
	}
}
