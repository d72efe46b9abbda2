package rule_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// TestExpressionsSeeTheIDToken beside the claims, and never one in place of the
// other; without a session it is an empty map.
func TestExpressionsSeeTheIDToken(t *testing.T) {
	idToken := map[string]any{"email": "a@example.com", "level": json.Number("3"), "sub": "auth0|1"}
	for _, tt := range []struct {
		expression    string
		with, without bool // holds with an ID token, and without one
	}{
		{`id_token.email == "a@example.com"`, true, false},
		{`id_token.level > 2`, true, false},
		{`id_token.sub == claims.sub`, true, false},
		{`"roles" in id_token`, false, false},
		{`claims.?email.orValue("none") == "none"`, true, true},
		{`id_token.?email.orValue("none") == "none"`, false, true},
		{`id_token == {}`, false, true},
		{`id_token.size() == 0 || id_token.email.endsWith("@example.com")`, true, true},
	} {
		e, err := rule.Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		if got := e.Holds(facts().WithIDToken(idToken)) == nil; got != tt.with {
			t.Errorf("%s: %v with an ID token", tt.expression, got)
		}
		if got := e.Holds(facts()) == nil; got != tt.without {
			t.Errorf("%s: %v without one", tt.expression, got)
		}
	}
	if _, err := rule.Compile(`id_token + 1 == 2`); err == nil {
		t.Error("id_token is not type-checked")
	}
}

// TestAnExpressionSaysWhetherItNamesTheIDToken: a verdict is remembered by what
// it says.
func TestAnExpressionSaysWhetherItNamesTheIDToken(t *testing.T) {
	for _, tt := range []struct {
		expression  string
		pure, names bool
	}{
		{`claims.sub == "a"`, true, false},
		{`id_token.sub == "a"`, true, true},
		{`.id_token.sub == "a"`, true, true},
		{`id_token.sub == claims.sub && request.method == "GET"`, false, true},
		{`claims.roles.all(id_token, .id_token.sub == id_token)`, true, true},
		{`claims.roles.all(id_token, true)`, true, false},
		{`claims.id_token == "a"`, true, false},
		{`now == now`, false, false},
	} {
		e, err := rule.Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		if e.Pure != tt.pure || e.NamesIDToken != tt.names {
			t.Errorf("%s: pure %v, names it %v", tt.expression, e.Pure, e.NamesIDToken)
		}
	}
}

// TestTheWorkOverAnIDTokenIsBounded as that over the claims is.
func TestTheWorkOverAnIDTokenIsBounded(t *testing.T) {
	many := make([]any, 3000)
	for i := range many {
		many[i] = json.Number("1")
	}
	e, err := rule.Compile(`id_token.n.all(a, id_token.n.all(b, a == b))`)
	if err != nil {
		t.Fatal(err)
	}
	f := rule.NewFacts(nil, nil, time.Time{}).WithIDToken(map[string]any{"n": many})
	if err := e.Holds(f); err == nil || rule.IsFalse(err) {
		t.Errorf("9,000,000 comparisons: %v", err)
	}
}
