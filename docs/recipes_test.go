package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The end-to-end suite runs the recipes. Here every body is what `go-runner check`
// takes without a word, as the page's beginning shows it.
func TestCheckFindsNothingInTheRecipes(t *testing.T) {
	p := open(t, "recipes.md")
	dir := t.TempDir()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(bin, "go-runner"), "check", m[1])
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != m[1]+": ok\n" {
			t.Errorf("%s: %v\n%s", m[1], err, out)
		}
	}
	beginning, _, _ := strings.Cut(p.text, "\n## ")
	session := shownSession.FindStringSubmatch(beginning)
	if session == nil {
		t.Fatal("the page begins without a session")
	}
	commands := typed(session[1])
	printed := shell(t, dir, environment(), commands, strings.NewReplacer())
	happens := ""
	for i, command := range commands {
		happens += "$ " + command + "\n" + printed[i]
	}
	if happens != session[1] {
		t.Errorf("the page shows\n%s\nand this happens:\n%s", session[1], happens)
	}
}
