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

func document(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchema(t *testing.T) {
	for _, tt := range []struct {
		schema string
		fits   bool
	}{
		{`{"type":"object","required":["sub"]}`, true},
		{`{"required":["nope"]}`, false},
		{`{"properties":{"level":{"type":"integer","minimum":3}}}`, true},
		{`{"properties":{"level":{"maximum":2}}}`, false},
		{`{"properties":{"roles":{"contains":{"const":"editor"}}}}`, true},
		{`{"properties":{"sub":{"pattern":"^auth0\\|"}}}`, true},
		{`{"additionalProperties":false}`, false},
		{`{"$defs":{"n":{"type":"number"}},"properties":{"half":{"$ref":"#/$defs/n"}}}`, true},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","required":["sub"]}`, true},
		{`true`, true},
		{`false`, false},
	} {
		s, err := rule.CompileSchema(document(t, tt.schema))
		if err != nil {
			t.Errorf("%s: %v", tt.schema, err)
			continue
		}
		if got := s.Fits(claims); got != tt.fits {
			t.Errorf("%s: %v", tt.schema, got)
		}
	}
}

func TestSchemasThatDoNotCompile(t *testing.T) {
	for _, schema := range []string{
		`{"type":"objekt"}`, `{"pattern":"("}`, `{"$ref":"https://example.com/schema.json"}`, `{"$ref":"file:///etc/passwd"}`,
		`{"$ref":"#/nowhere"}`, `{"$schema":"https://example.com/own"}`, `[]`,
	} {
		if _, err := rule.CompileSchema(document(t, schema)); err == nil {
			t.Errorf("%s: compiled", schema)
		} else {
			t.Log(err)
		}
	}
}

// The validator itself panics over these, or takes gigabytes.
func TestAbsurdNumbersFitNoSchema(t *testing.T) {
	s, err := rule.CompileSchema(document(t, `{"properties":{"n":{"type":["number","integer"],"minimum":1,"multipleOf":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for number, fits := range map[json.Number]bool{
		"1": true, "1e300": true, "1e1000": false, "1e999999999999": false, "1E+999999999": false, "1e-1000000000": false,
		json.Number(strings.Repeat("9", 401)): false,
	} {
		if got := s.Fits(map[string]any{"n": number, "deep": []any{map[string]any{"n": number}}}); got != fits {
			t.Errorf("%.20s: fits %v", number, got)
		}
		e, err := rule.Compile(`claims.n > 0 && claims.n < 1e10`)
		if err != nil {
			t.Fatal(err)
		}
		_ = e.Holds(rule.NewFacts(map[string]any{"n": number}, nil, time.Time{})) // it must end, and not panic
	}
	if _, err := rule.CompileSchema(map[string]any{"maximum": json.Number("1e999999999")}); err == nil {
		t.Error("a schema with such a number was compiled")
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
