package rule_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

var claims = map[string]any{
	"sub": "auth0|1", "email_verified": true, "admin": "true", "level": json.Number("3"),
	"half": json.Number("0.5"), "big": json.Number("18446744073709551615"), "none": nil,
	"roles": []any{"editor", "viewer"}, "https://example.com/teams": []any{map[string]any{"id": json.Number("7")}},
	"iat": json.Number("1800000000"), "text": strings.Repeat("a", 10_000),
}

func facts() *rule.Facts {
	return rule.NewFacts(claims, func() rule.Request {
		return rule.Request{
			Method: "GET", Path: "/orders/7", IP: "10.1.2.3",
			Headers: map[string][]string{"x-tier": {"gold"}}, Query: map[string][]string{"id": {"7", "8"}},
		}
	}, time.Unix(1_800_000_060, 0))
}

func TestExpressions(t *testing.T) {
	for _, tt := range []struct {
		expression string
		holds      bool
	}{
		{`claims.email_verified == true`, true},
		{`claims.email_verified`, true},
		{`claims.admin`, false}, // a string is not true
		{`claims.admin == true`, false},
		{`claims.missing == "x"`, false},
		{`claims.missing`, false},
		{`!has(claims.missing)`, true},
		{`claims.?missing.orValue("x") == "x"`, true},
		{`claims.level >= 3`, true},
		{`claims.level == 3.0`, true},
		{`claims.half < 1`, true},
		{`claims.big == 18446744073709551615u`, true},
		{`claims.none == null`, true},
		{`"editor" in claims.roles`, true},
		{`"admin" in claims.roles`, false},
		{`claims["https://example.com/teams"].exists(t, t.id == 7)`, true},
		{`claims.sub.startsWith("auth0|")`, true},
		{`claims.sub.matches("^auth0[|][0-9]+$")`, true},
		{`claims.sub.split("|")[1] == "1"`, true},
		{`sets.contains(claims.roles, ["viewer"])`, true},
		{`claims.roles.slice(0, 1) == ["editor"]`, true},
		{`now - timestamp(claims.iat) <= duration("60s")`, true},
		{`now.getFullYear() == 2027`, true},
		{`request.method == "GET" && request.path.startsWith("/orders/")`, true},
		{`request.headers["x-tier"] == ["gold"]`, true},
		{`request.headers["x-other"] == ["gold"]`, false},
		{`request.query.id.size() == 2`, true},
		{`cidr("10.0.0.0/8").containsIP(ip(request.ip))`, true},
		{`cidr("192.168.0.0/16").containsIP(request.ip)`, false},
		{`1 / 0 == 1`, false},
		{`true`, true},
		{`false`, false},
		{`[1,2,3,4,5,6,7,8,9,10].all(a, claims.roles.all(b, [1,2,3,4,5,6,7,8,9,10].all(c, claims.text.contains("b") == false && ` +
			`claims.text.matches("a*") && claims.text.matches("a+"))))`, false}, // over the cost limit
	} {
		e, err := rule.Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		if err := e.Holds(facts()); (err == nil) != tt.holds {
			t.Errorf("%s: %v, want %v", tt.expression, err, tt.holds)
		}
	}
}

func TestExpressionsThatDoNotCompile(t *testing.T) {
	for expression, want := range map[string]string{
		``:                              "line 1",
		`claims.`:                       "line 1, column 8",
		`claim.sub == "x"`:              "undeclared reference to 'claim'",
		`request.methods == "GET"`:      "undefined field 'methods'",
		`request.method == 1`:           "found no matching overload",
		`"a string"`:                    "gives string and not a bool",
		`now`:                           "and not a bool",
		`claims.sub.nope()`:             "undeclared reference to 'nope'",
		strings.Repeat(" ", 9000) + "1": "longer than 4096 bytes",
	} {
		if _, err := rule.Compile(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", expression, err, want)
		}
	}
}

func BenchmarkExpression(b *testing.B) {
	e, err := rule.Compile(`claims.email_verified == true && "editor" in claims.roles`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Holds(facts()); err != nil {
			b.Fatal(err)
		}
	}
}
