package pattern_test

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

func TestTheSizeIsNoSmallerThanTheProgram(t *testing.T) {
	for _, text := range []string{
		``, `a`, `abc`, `(?i)abc`, `a|b|cd`, `(a)(b)(?:c)`, `a*b+c?`, `a{3}`, `a{3,}`, `a{0,}`, `a{1,}`, `a{0,5}`, `(?:ab){2,7}`,
		`[a-z]{1,100}`, `(?:[a-z]{1,10}){1,10}`, `^auth0\|[0-9a-f]{24}$`, `\pL+`, `(?i)\pL\pN`, `(?s).*`, `(a|b|)*`,
		`[^\x00-\x{10FFFF}]`, `(?:a{0,2}){0,3}`, `(?:){5}`, `x{0}`, `\bfoo\b`, `(?:a?){20}`, `(?:a*){3,}`,
	} {
		size, err := pattern.Size(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if len(program.Inst) > size {
			t.Errorf("%s: %d instructions, counted %d", text, len(program.Inst), size)
		}
	}
}

func TestPatternsThatAreTooLarge(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"long text":        {strings.Repeat("a", 1025), "1025 bytes; a pattern has at most 1024"},
		"one repetition":   {`(?:abcdefgh){300}`, "at most 2000 instructions"},
		"nested":           {`(?:(?:abcdefghijkl){10}){50}`, "at most 2000 instructions"},
		"optional":         {`(?:a?){999}b`, "at most 2000 instructions"},
		"a class":          {`\pL{100}`, "at most 2000 instructions"},
		"side by side":     {strings.Repeat(`a{500}`, 10), "at most 2000 instructions"},
		"folded ranges":    {strings.Repeat(`(?i)[a-\x{10FFFE}]`, 2), "at most 2000 instructions"},
		"folded range":     {strings.Repeat(`(?s-i:[a-\x{10FFFE}\00-\x{10FFFE}])`, 2), "at most 2000 instructions"},
		"folded zeros":     {strings.Repeat(`(?i)[a-\x{0000000000010FFFE}]`, 2), "at most 2000 instructions"},
		"folded text":      {strings.Repeat(`(?i)[a-􏿿]`, 2), "at most 2000 instructions"},
		"classes":          {strings.Repeat(`\PL`, 126), "at most 2000 instructions"},
		"beyond RE2":       {`(?:(?:a{1000}){1000}){1000}`, "invalid repeat count"},
		"not valid":        {`(`, "missing closing )"},
		"valid in a group": {`a)(b`, "unexpected )"},
	} {
		if _, err := pattern.Compile(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Compile: %v, want %q", name, err, tt.want)
		}
		if _, err := pattern.CompileWhole(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: CompileWhole: %v, want %q", name, err, tt.want)
		}
	}
}

// What SizeWhole takes, compiles.
func TestAQuoteThatDoesNotEndMatchesNoWholeString(t *testing.T) {
	for text, fits := range map[string]bool{`\Qa.b\E`: true, `\Qa`: false, `\Qa\E(b)\Q`: false} {
		_, err := pattern.SizeWhole(text)
		_, compiled := pattern.CompileWhole(text)
		if (err == nil) != fits || (compiled == nil) != fits {
			t.Errorf("%s: %v, %v", text, err, compiled)
		}
	}
}

func TestTheLargestPatternsCompile(t *testing.T) {
	for _, text := range []string{strings.Repeat("a", 1024), `[a-z]{1,900}`, "(?i)[à-ÿ]" + strings.Repeat(`[à-ÿ\-\x00-\xff]`, 40), `(?i)^[\w\-\.]+@[\w\-\.]+\.[a-z\-]{2,63}$`, strings.Repeat("a|", 511) + "b"} {
		if _, err := pattern.CompileWhole(text); err != nil {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

// worst are the patterns that take longest of those that pass, so far.
var worst = map[string]string{
	"classes":      "(?i)" + strings.Repeat(`\pL|`, 11),
	"range":        `(?i)[a-\x{10FFFE}]`,
	"many classes": strings.Repeat(`[\pN]|`, 99),
	"repetition":   `(?:[a-zA-Z0-9]{1,9}){1,90}`,
	"optional":     `(?:a?){950}`,
	"alternatives": strings.Repeat("ab|", 340),
	"onepass":      strings.Repeat(`a?b`, 340),
	"folded":       `(?i)` + strings.Repeat("k", 1000),
	"captures":     strings.Repeat(`(a)`, 340),
	"nested":       strings.Repeat(`(?:`, 250) + "a" + strings.Repeat(`)*`, 150),
}

func BenchmarkWorstPattern(b *testing.B) {
	for name, text := range worst {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = pattern.CompileWhole(text)
			}
		})
	}
}
