package main

import (
	"slices"
	"strings"
	"testing"
)

// The page says how a second gate judges; what counts is what the runner did.
func TestTheWalkAndTheRunnerAgreeForEveryExampleAndEveryCaller(t *testing.T) {
	r := startRig(t)
	begun := r.begin()
	if len(begun.Examples) != 7 || len(begun.Variants) != 8 {
		t.Fatalf("%d examples and %d variants", len(begun.Examples), len(begun.Variants))
	}
	for _, e := range begun.Examples {
		callers := map[string]map[string]any{
			"as it comes": e.Caller, "nobody": {"kind": "none"},
			"no token": {"kind": "pasted", "token": "no-token"},
		}
		for _, v := range begun.Variants {
			callers[v.ID] = map[string]any{"kind": "minted", "variant": v.ID, "claims": e.Caller["claims"]}
		}
		for name, caller := range callers {
			t.Run(e.ID+" "+name, func(t *testing.T) {
				before := r.verdicts()
				got := r.try(e.Config, e.Request, caller)
				r.agrees(t, got, before)
			})
		}
	}
}

// agrees holds a try to the runner's own count, the answer and the walk.
func (r *rig) agrees(t *testing.T, got tried, before map[string]string) {
	t.Helper()
	if reasons := r.decided(before); !slices.Equal(reasons, []string{got.Answer.Reason}) {
		t.Errorf("the runner counted %q, and the page says %q; notes %q", reasons, got.Answer.Reason, got.Notes)
	}
	if got.Shown == nil || got.Runner == nil {
		t.Fatal("nothing of the wire is told")
	}
	refused := ""
	for _, c := range got.Checks {
		if c.Outcome == "refused" {
			refused = c.Reason
		}
	}
	switch got.Answer.Reason {
	case "forwarded":
		if got.Answer.Status != 200 || got.Runner.Kind == "stop" || got.Upstream == nil || refused != "" {
			t.Errorf("forwarded, with %d, %s and check %q", got.Answer.Status, got.Runner.Kind, refused)
		}
	case "login_redirect":
		if got.Answer.Status != 302 || got.Answer.Location == "" || got.Runner.Kind != "stop" {
			t.Errorf("got %d to %q", got.Answer.Status, got.Answer.Location)
		}
	default:
		if got.Answer.Reason != refused || got.Runner.Kind != "stop" || got.Runner.Status != got.Answer.Status || got.Upstream != nil {
			t.Errorf("%s, with status %d by %s %d, and check %q", got.Answer.Reason, got.Answer.Status, got.Runner.Kind, got.Runner.Status, refused)
		}
	}
	if notes := strings.Join(got.Notes, " "); strings.Contains(notes, "decided otherwise") {
		t.Error(notes)
	}
}

func TestEveryExampleIsValidAndItsCallerGivesTheInterestingOutcome(t *testing.T) {
	r := startRig(t)
	begun := r.begin()
	for id, want := range map[string]struct {
		status int
		reason string
	}{
		"email": {403, "claim_mismatch"}, "machine": {403, "insufficient_scope"}, "tenants": {200, "forwarded"},
		"organization-mfa": {401, "step_up_required"}, "dpop": {401, "dpop_failed"}, "login": {302, "login_redirect"}, "revoked": {401, "revoked"},
	} {
		t.Run(id, func(t *testing.T) {
			e := begun.example(t, id)
			var checked struct {
				OK       bool
				Findings []struct{ Severity, Path, Message string }
			}
			r.post("check", map[string]string{"config": e.Config}, &checked)
			if !checked.OK {
				t.Errorf("%+v", checked.Findings)
			}
			got := r.try(e.Config, e.Request, e.Caller)
			if got.Answer.Status != want.status || got.Answer.Reason != want.reason {
				t.Errorf("got %d %s, want %d %s", got.Answer.Status, got.Answer.Reason, want.status, want.reason)
			}
		})
	}
}
