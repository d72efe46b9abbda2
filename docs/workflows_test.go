package docs_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

var (
	uses   = regexp.MustCompile(`(?m)uses: +(\S+)`)
	pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	makes  = regexp.MustCompile(`(?m)run: +make ([a-z0-9-]+)`)
)

// A tag can be moved to other code after somebody read it.
func TestWorkflowsPinActionsByCommitAndRunTargetsThatAreThere(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	makefile := open(t, "../Makefile").text
	for _, file := range files {
		text := open(t, file).text
		for _, m := range uses.FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %s is not pinned by a commit", file, m[1])
			}
		}
		for _, m := range makes.FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s: there is no make %s", file, m[1])
			}
		}
	}
}
