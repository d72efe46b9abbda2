package ci_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type logLine map[string]any

// logged are the lines that the gateway sent of requests to a path, once there are
// so many.
func (r recipe) logged(t *testing.T, path string, many int) (lines []logLine) {
	t.Helper()
	if err := eventually(hangGuard, func() error {
		var all []logLine
		if err := getJSON(r.on.upstream.control+"/control/log/"+r.id, &all); err != nil {
			return err
		}
		lines = nil
		for _, line := range all {
			if line["path"] == path {
				lines = append(lines, line)
			}
		}
		if len(lines) < many {
			return errors.New("the line did not come")
		}
		return nil
	}); err != nil {
		t.Fatalf("%v: %v", err, lines)
	}
	return lines
}

var shownLines = regexp.MustCompile("(?ms)^```jsonl\n(.*?)^```$")

func TestRecipeUserInTheLog(t *testing.T) {
	r := cook(t, newRecipe(t, under, "The user in the log", map[string]string{"ALICE": tokenOf("alice", nil)}))
	run(t, "the collector receives what the page shows", func(t *testing.T) {
		page, err := os.ReadFile("../docs/recipes.md")
		if err != nil {
			t.Fatal(err)
		}
		shown := shownLines.FindAllStringSubmatch(string(page), -1)
		if len(shown) != 1 {
			t.Fatalf("the page shows %d logs", len(shown))
		}
		var got strings.Builder
		for _, path := range []string{"/orders/1", "/orders/2"} {
			line := r.logged(t, r.prefix+path, 1)[0]
			line["path"], line["status"] = path, fmt.Sprint(line["status"])
			if line["route_id"] == r.id+"-log" {
				line["route_id"] = "log"
			}
			if _, there := line["upstream"]; there { // the address, where the page's node is a name
				line["upstream"] = "127.0.0.1:8080"
			}
			fmt.Fprintln(&got, policy(line).text())
		}
		if diff := cmp.Diff(shown[0][1], got.String()); diff != "" {
			t.Errorf("(-page +log):\n%s", diff)
		}
	})
	for name, headers := range claimsToBe {
		run(t, "a line with an upstream names the verified user, whatever comes with "+name, func(t *testing.T) {
			path := "/orders/" + strings.ReplaceAll(name, " ", "-")
			r.send(t, request{path: path, token: tokenOf("alice", nil), headers: headers}).passed(t)
			r.send(t, request{path: path, token: "opaque", headers: headers}).isRefusal(t, badToken)
			for _, line := range r.logged(t, r.prefix+path, 2) {
				upstream, passed := line["upstream"]
				switch {
				case passed && line["user"] != "auth0|alice":
					t.Errorf("the upstream %v is logged beside %v", upstream, line["user"])
				case !passed && fmt.Sprint(line["status"]) != "401":
					t.Errorf("a refusal is logged as %v", line)
				}
			}
		})
	}
}
