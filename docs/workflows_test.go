package docs_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	uses   = regexp.MustCompile(`(?m)uses: +(\S+)`)
	pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	runs   = regexp.MustCompile(`(?m)apisix: \[(\d+)\.(\d+)\.\d+, (\d+)\.(\d+)\.\d+\]`)
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

func TestWorkflowsTestFuzzAndRelease(t *testing.T) {
	for name, steps := range map[string][]string{
		"../.ci/run":                       {".ci/install", "CI=1 make test"},
		"../.ci/install":                   {"redis-server", "prometheus", "nodejs", "npm", "curl", "jq", "systemd", "chromium", "docker-compose"},
		"../.github/workflows/test.yml":    {".ci/run", ".ci/install", "AUTH0_APP_SECRET SESSION_SECRET", "make up", "make e2e", "make kubernetes CHART=", "make image-check", "make release-snapshot"},
		"../.github/workflows/fuzz.yml":    {"schedule:", "cron:", "make fuzz", "make vulncheck"},
		"../.github/workflows/release.yml": {"tags:", ".ci/run", "make release-snapshot", "cosign sign-blob", "linux/amd64,linux/arm64", "--sbom=true", "cosign sign ", "gh release create"},
	} {
		text := open(t, name).text
		for _, step := range steps {
			if !strings.Contains(text, step) {
				t.Errorf("%s does not have %s", name, step)
			}
		}
	}
}

// The newest is the version that the demo runs, and the other the minor before it.
func TestTheSuiteRunsOnTheTwoNewestMinorVersionsOfAPISIX(t *testing.T) {
	m := runs.FindStringSubmatch(open(t, "../.github/workflows/test.yml").text)
	if m == nil {
		t.Fatal("test.yml does not name two versions")
	}
	var older, newest int
	if _, err := fmt.Sscan(m[2]+" "+m[4], &older, &newest); err != nil || m[1] != m[3] || newest != older+1 {
		t.Errorf("%s.%s and %s.%s are not two minors in a row: %v", m[1], m[2], m[3], m[4], err)
	}
	for _, name := range []string{"../docker-compose.yml", "../Dockerfile", "../apisix-conf/kubernetes/values.yaml"} {
		if !regexp.MustCompile(`(apache/apisix|tag): ?` + m[3] + `\.` + m[4] + `\.\d+-debian`).MatchString(open(t, name).text) {
			t.Errorf("%s does not take APISIX %s.%s", name, m[3], m[4])
		}
	}
}
