package inspect_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

var update = flag.Bool("update", false, "write the table of checks into docs/reference.md")

const tableHead = "| # | check | reasons | status | `error` |\n| --- | --- | --- | --- | --- |\n"

// TestTheReferenceHasTheTableOfChecks holds the document to the table that
// decides.
func TestTheReferenceHasTheTableOfChecks(t *testing.T) {
	const file = "../../docs/reference.md"
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(document), tableHead)
	table, after, _ := strings.Cut(rest, "\n\n")
	if *update {
		text := before + tableHead + strings.Join(rows(), "\n") + "\n\n" + after
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(table, "\n"), rows()); diff != "" {
		t.Errorf("docs/reference.md, rewritten by -update (-document +table):\n%s", diff)
	}
}

func rows() (lines []string) {
	for n, c := range policy.Checks {
		var reasons, statuses, codes []string
		for _, kind := range c.Kinds {
			r := refusal.Refusal{Kind: kind}
			reasons = add(reasons, "`"+kind.Reason()+"`")
			statuses = add(statuses, strconv.Itoa(kind.Status()))
			if code := r.Code(); code != "" {
				codes = add(codes, "`"+code+"`")
			}
		}
		lines = append(lines, fmt.Sprintf("| %d | %s | %s | %s | %s |", n+1, c.Name,
			strings.Join(reasons, ", "), strings.Join(statuses, ", "), strings.Join(codes, ", ")))
	}
	return lines
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
