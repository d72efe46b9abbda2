package rule_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

func TestPureIsWhatNamesNothingButTheClaims(t *testing.T) {
	for expression, pure := range map[string]bool{
		`claims.a == 1`:                          true,
		`.claims.a == 1`:                         true,
		`claims.roles.all(r, r == "a")`:          true,
		`claims.roles.map(r, [r].map(s, s))==[]`: true,
		`[1].all(claims, claims == 1)`:           true,
		`claims.request.method == "GET"`:         true,
		`type(claims.a) == int && ip("10.1.2.3") == ip(claims.ip) && sets.contains([1], [1])`: true,
		`claims.?a.orValue(optional.none()) == 1`:                                             true,
		`"request now".contains("now")`:                                                       true,
		`claims.a.sortBy(b, b) == []`:                                                         true,

		`now > timestamp(0)`:                  false,
		`request.method == "GET"`:             false,
		`claims.a == 1 || request.ip == ""`:   false,
		`.now > timestamp(0)`:                 false,
		`has(request.method)`:                 false,
		`claims.a[request.method] == 1`:       false,
		`{"a": request.ip}.a == ""`:           false,
		`claims.a ? true : now < now`:         false,
		`claims.?a.optMap(x, now).hasValue()`: false,
		// These were taken for pure, and their verdicts cached.
		`claims.roles.exists(now, .now < timestamp("2030-01-01T00:00:00Z"))`: false,
		`[1].all(request, .request.method == "GET")`:                         false,
		`[1].all(now, now == 1)`:                                             false,
		`[1].map(request, request)==[1]`:                                     false,
		`[[1]].all(request, request.all(x, .request.ip != ""))`:              false,
	} {
		e, err := rule.Compile(expression)
		if err != nil || e.Pure != pure {
			t.Errorf("%s: %+v, %v", expression, e, err)
		}
	}
}

func TestExpressionsAreBoundedBeforeTheyAreCompiled(t *testing.T) {
	repeat := strings.Repeat
	nested := func(open, inner, end string, n int) string { return repeat(open, n) + inner + repeat(end, n) }
	for name, tt := range map[string]struct{ text, want string }{
		"text":                 {`"` + repeat("a", 4095) + `" == ""`, "longer than 4096 bytes"},
		"words and signs":      {repeat("1+", 1000) + "1 == 1", "more than 1000 words and signs"},
		"after a broken text":  {"'\n" + repeat("1+", 1000), "more than 1000 words and signs"},
		"in a raw text":        {`r"\"` + repeat("+1", 1000) + `"" == ""`, "more than 1000 words and signs"},
		"nodes":                {"[" + repeat("[1].exists_one(a,a>0),", 70) + "true] == []", "expression count exceeds limit of 1000"},
		"brackets":             {nested("(", "true", ")", 240), "recursion limit"},
		"brackets that differ": {nested("([]+[", "1", "])", 60) + "==[]", "recursion"},
		"signs":                {nested("!(", "true", ")", 240), "recursion limit"},
		"a chain":              {"claims" + repeat(".a", 200), "recursion"},
		"macros":               {nested("[1].all(a,", "true", ")", 17), "nested more than 16 deep"},
		"lists":                {nested("[", "1", "]", 17) + "==[]", "nested more than 16 deep"},
		"maps":                 {nested("{1:", "1", "}", 17) + "=={}", "nested more than 16 deep"},
		"objects":              {`rule.Request{method: "GET"} == request`, "line 1, column 13: objects cannot be made"},
		"many patterns":        {repeat(`claims.a.matches("(?:a?){900}") || `, 3) + "true", "more than 4000 instructions"},
		"macros in a row":      {"[1]" + repeat(".map(a,[a])", 20) + "==[]", "nested more than 16 deep"},
		"unknown names":        {"[" + repeat("a,", 400) + "1]==[]", "line 1, column 2: undeclared reference to 'a'"},
		"unknown functions":    {"[" + repeat("f(),", 200) + "1]==[]", "line 1, column 3: undeclared reference to 'f'"},
		"a large pattern":      {`claims.a.matches("(?:a?){999}")`, "line 1, column 17: the pattern of matches: its repetitions and character classes make it too large"},
		"a broken pattern":     {`claims.a.matches("(")`, "missing closing )"},
		"a claim's pattern":    {`claims.a.matches(claims.b)`, "has to be written as a literal"},
		"a request's pattern":  {`matches(claims.a, request.path)`, "has to be written as a literal"},
		"a made pattern":       {`claims.a.matches("a" + "b")`, "has to be written as a literal"},
		"a number's pattern":   {`claims.a.matches(1)`, "no matching overload"},
	} {
		if _, err := rule.Compile(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestExpressionsOfUsualSizeCompile(t *testing.T) {
	for name, text := range map[string]string{
		"a long text":   `claims.a == "` + strings.Repeat("a", 4000) + `"`,
		"a long list":   `claims.a in [` + strings.Repeat(`"https://example.com/a/b", `, 150) + `""]`,
		"comments":      strings.Repeat("// the administrators of this tenant, and nobody else\n", 70) + "claims.a == 1",
		"a long ||":     strings.Repeat("claims.a == 1 || ", 120) + "false",
		"raw texts":     strings.Repeat(`claims.a.matches(r'^\d+"$') || `, 60) + "false",
		"quoted quotes": strings.Repeat(`claims.a == "\"'" || claims.b == '''x"'\'''' || `, 30) + "false",
		"deep":          strings.Repeat("(", 20) + "claims.a.b.c.d == 1" + strings.Repeat(")", 20),
	} {
		if _, err := rule.Compile(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCompileAsksBeforeItWorks(t *testing.T) {
	refused := errors.New("no more")
	for allowed := range 2 {
		asked := 0
		_, err := rule.CompileWithin(`claims.a == 1`, func(units int) error {
			if asked++; asked > allowed || units <= 0 {
				return refused
			}
			return nil
		})
		if !errors.Is(err, refused) {
			t.Errorf("%d allowed: %v", allowed, err)
		}
	}
}

// atTheBounds are expressions that cost as much to compile as the bounds allow,
// or nearly.
var atTheBounds = map[string]string{
	"and":        "true" + strings.Repeat("&&claims.a", 160),
	"list":       "[" + strings.Repeat("1,", 490) + "1]==[1]",
	"macros":     "[" + strings.Repeat(strings.Repeat("[1].map(a,", 7)+"1"+strings.Repeat(")", 7)+",", 6) + "1]==[]",
	"macros2":    "[" + strings.Repeat(strings.Repeat("[1].map(a,true,", 7)+"1"+strings.Repeat(")", 7)+",", 5) + "1]==[]",
	"row":        "[1]" + strings.Repeat(".map(a,[a])", 13) + "==[1]",
	"row2":       "[[1]" + strings.Repeat(".map(a,{1:a})", 11) + ",[1]" + strings.Repeat(".map(a,{1:a})", 11) + "]==[[1]]",
	"sums":       "[" + strings.Repeat("claims.a+claims.b+claims.c+claims.d,", 60) + "1]==[]",
	"lists":      "[" + strings.Repeat(strings.Repeat("[", 14)+"1"+strings.Repeat("]", 14)+",", 30) + "1]==[]",
	"mismatches": "[" + strings.Repeat("1+'',", 190) + "1]==[]",
	"patterns":   "[" + strings.Repeat(`claims.a.matches('(?i)[a-\\x{10FFFF}]'),`, 2) + "true]==[]",
	"maps":       "[" + strings.Repeat(strings.Repeat("{1:", 14)+"''"+strings.Repeat("}", 14)+",", 12) + "1]==[]",
	"optional":   "[" + strings.Repeat(strings.Repeat("claims.?a.optMap(a,", 7)+"1"+strings.Repeat(")", 7)+",", 4) + "1]==[]",
}

// BenchmarkWorstExpressionToCompile shows how long the bounds let compiling take,
// and how much of that is a unit of Spend.
func BenchmarkWorstExpressionToCompile(b *testing.B) {
	for name, text := range atTheBounds {
		b.Run(name, func(b *testing.B) {
			units, problem := 0, error(nil)
			for b.Loop() {
				units = 0
				_, problem = rule.CompileWithin(text, func(n int) error { units += n; return nil })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(units), "ns/unit")
			if problem != nil {
				b.Logf("%.150v", problem)
			}
		})
	}
}
