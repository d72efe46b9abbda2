package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const document, readme = "docs/playground.md", "README.md"

// section is a part of a document, by the line of its heading.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", document, heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	part, _, _ := strings.Cut(rest, "\n"+level+" ")
	return part
}

var (
	outcomes = regexp.MustCompile("`(\\d{3} [a-z_]+)`")
	rows     = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `(\\d{3} [a-z_]+)` \\|$")
	buttons  = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|")
)

func TestTheDocumentsExamplesAndWalkAreWhatHappens(t *testing.T) {
	r := startRig(t)
	begun := r.begin()
	var happens, says []string
	for _, e := range begun.Examples {
		got := r.try(e.Config, e.Request, e.Caller)
		happens = append(happens, fmt.Sprintf("%s: %d %s", e.Title, got.Answer.Status, got.Answer.Reason))
	}
	for _, row := range rows.FindAllStringSubmatch(section(t, document, "## The examples"), -1) {
		says = append(says, row[1]+": "+row[2])
	}
	if diff := cmp.Diff(says, happens); diff != "" {
		t.Errorf("the examples (-document +what happens):\n%s", diff)
	}

	happens, says = nil, nil
	e := begun.example(t, "email")
	send := func(variant string, verified bool) tried {
		got := r.try(e.Config, e.Request, map[string]any{"kind": "minted", "variant": variant, "claims": map[string]any{
			"sub": "auth0|alice", "email": "alice@example.com", "email_verified": verified,
		}})
		happens = append(happens, fmt.Sprintf("%d %s", got.Answer.Status, got.Answer.Reason))
		return got
	}
	send("valid", false)
	got := send("valid", true)
	if got.identity("X-User-Id") != "auth0|alice" || len(got.Upstream.Stripped) != 1 || got.Upstream.Stripped[0].Value != "mallory" {
		t.Errorf("the upstream's side is %+v", got.Upstream)
	}
	send("forged", true)
	send("expired", true)
	send("valid", true)
	r.act("revoke-user", "auth0|alice")
	send("valid", true)
	for _, said := range outcomes.FindAllStringSubmatch(section(t, readme, "### See a decision happen"), -1) {
		says = append(says, said[1])
	}
	if diff := cmp.Diff(says, happens); diff != "" {
		t.Errorf("the walk of README (-document +what happens):\n%s", diff)
	}
}

func TestTheDocumentNamesEveryButton(t *testing.T) {
	var named []string
	for _, row := range buttons.FindAllStringSubmatch(section(t, document, "## The buttons"), -1) {
		named = append(named, row[1])
	}
	r := startRig(t)
	for _, act := range named {
		subject := ""
		if act == "revoke-user" {
			subject = "auth0|bob"
		}
		if said := r.act(act, subject); said == "" {
			t.Errorf("%s says nothing", act)
		}
	}
	for _, act := range []string{"rotate-keys", "issuer-sick", "issuer-well", "revoke-user", "clear-revocations", "restart-runner", "reload-gateway", "load-start", "load-stop"} {
		if !slices.Contains(named, act) {
			t.Errorf("the document does not name %s", act)
		}
	}
}
