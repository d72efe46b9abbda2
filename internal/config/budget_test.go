package config_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// list is n elements, each made of its index.
func list(n int, element string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(element, "#", fmt.Sprint(i))
	}
	return strings.Join(all, ",")
}

func with(members string) string { return `{"domain":"a.eu.auth0.com","audience":"x",` + members + `}` }

// nested is n lists of rules' values within each other.
func nested(open, inner, end string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

// large are documents that take the longer to read the larger n is.
var large = map[string]func(n int) string{
	"values":         func(n int) string { return with(`"claims":{"a":{"one_of":[` + list(n, `{}`) + `]}}`) },
	"scopes":         func(n int) string { return with(`"required_scopes":[` + list(n, `"s#"`) + `]`) },
	"the same scope": func(n int) string { return with(`"required_scopes":[` + list(n, `"s"`) + `]`) },
	"claims":         func(n int) string { return with(`"claims":{` + list(n, `"c#":"x"`) + `}`) },
	"expectations":   func(n int) string { return with(`"claims":{` + list(n, `"c#":{"exists":true}`) + `}`) },
	"wrong ones":     func(n int) string { return with(`"claims":{` + list(n, `"c#":{"is":true}`) + `}`) },
	"patterns":       func(n int) string { return with(`"claims":{` + list(n, `"c#":{"matches":"a"}`) + `}`) },
	"large patterns": func(n int) string {
		return with(`"claims":{` + list(n, `"c#":{"matches":"(?:[a-z]{1,9}){1,90}"}`) + `}`)
	},
	"slow patterns": func(n int) string {
		return with(`"claims":{` + list(n, `"c#":{"matches":"(?i)[a-\\x{10FFFF}]"}`) + `}`)
	},
	"Unicode": func(n int) string {
		return with(`"claims":{` + list(n, `"c#":{"matches":"`+strings.Repeat(`[\\pN]|`, 90)+`a"}`) + `}`)
	},
	"headers":       func(n int) string { return with(`"claim_headers":{` + list(n, `"x-#":{"claim":"a"}`) + `}`) },
	"short headers": func(n int) string { return with(`"claim_headers":{` + list(n, `"x-#":"a"`) + `}`) },
	"stripped":      func(n int) string { return with(`"strip_headers":[` + list(n, `"x-#"`) + `]`) },
	"issuers": func(n int) string {
		return `{"audience":"x","issuers":[` + list(n, `{"issuer":"https://a#.example.com/"}`) + `]}`
	},
	"sources":      func(n int) string { return with(`"token_from":[` + list(n, `{"query":"a#"}`) + `]`) },
	"unknown keys": func(n int) string { return with(list(n, `"required_scope#":1`)) },
	"a long key": func(n int) string {
		return with(`"` + strings.Repeat("k", 500_000) + `":1,"claims":{` + list(n, `"c#":{"is":1}`) + `}`)
	},
	"repeated keys": func(n int) string {
		return with(`"` + strings.Repeat("k", 500_000) + `":{"a":1,` + list(n, `"a":1`) + `}`)
	},
	"rules": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"claims.a == '#' && claims.b != claims.c[7]"}`) + `]`)
	},
	"long rules": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"[`+list(400, "#")+`] == claims.a"}`) + `]`)
	},
	"and": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"true`+strings.Repeat("&&claims.a", 160)+`"}`) + `]`)
	},
	"nested rules": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"[`+list(5, nested("[1].map(a,", "1", ")", 7))+`] == claims.a"}`) + `]`)
	},
	"rules in a row": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"[1]`+strings.Repeat(".map(a,{1:a})", 12)+` == claims.a"}`) + `]`)
	},
	"wrong rules": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"[`+list(190, "1+''")+`] == []"}`) + `]`)
	},
	"no rules": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"`+strings.Repeat("(", 39)+`"}`) + `]`)
	},
	"rules' patterns": func(n int) string {
		return with(`"rules":[` + list(min(n, 100), `{"expression":"claims.a.matches('(?i)[a-\\\\x{10FFFF}]')"}`) + `]`)
	},
	"schemas": func(n int) string {
		return with(`"claim_schema":{"properties":{` + list(n, `"p#":{"type":"string"}`) + `}}`)
	},
	"deep schemas": func(n int) string {
		return with(`"claim_schema":{"allOf":[` + list(n, nested(`{"properties":{"a":`, "true", `}}`, 25)) + `]}`)
	},
	"long pointers": func(n int) string {
		return with(`"claim_schema":{"properties":{"` + strings.Repeat("k", 100_000) + `":{"allOf":[` + list(n, `{"minLength":#}`) + `]}}}`)
	},
	"references": func(n int) string {
		return with(`"claim_schema":{"$defs":{"a":{"type":"string"}},"allOf":[` + list(n, `{"$ref":"#/$defs/a"}`) + `]}`)
	},
	"anchors": func(n int) string {
		return with(`"claim_schema":{"allOf":[` + list(n, `{"$anchor":"a#","$ref":"#a#"}`) + `]}`)
	},
	"dynamic anchors": func(n int) string {
		return with(`"claim_schema":{"allOf":[` + list(n, `{"$dynamicAnchor":"a#"}`) + `]}`)
	},
	"resources": func(n int) string {
		return with(`"claim_schema":{"$id":"https://example.com/","allOf":[` + list(n, `{"$id":"a#","type":"string"}`) + `]}`)
	},
	"enum": func(n int) string { return with(`"claim_schema":{"enum":[` + list(n, `"v#"`) + `]}`) },
	"schema patterns": func(n int) string {
		return with(`"claim_schema":{"patternProperties":{` + list(n, `"p#{9}":true`) + `}}`)
	},
	"wrong schemas": func(n int) string { return with(`"claim_schema":{"allOf":[` + list(n, `{"type":"x"}`) + `]}`) },
	"unknown words": func(n int) string { return with(`"claim_schema":{` + list(n, `"p#":true`) + `}`) },
	"draft 7": func(n int) string {
		return with(`"claim_schema":{"$schema":"http://json-schema.org/draft-07/schema#","properties":{` + list(n, `"p#":{"type":"string"}`) + `}}`)
	},
	"all of it": func(n int) string {
		return with(`"rules":[` + list(min(n, 20), `{"expression":"claims.a == '#' && claims.b != claims.c[7]"}`) + `],"claim_schema":{"properties":{` +
			list(n, `"p#":{"type":"string","pattern":"^a{#}"}`) + `}},"claims":{` + list(n, `"c#":{"matches":"^[a-z]+[0-9]{3}$"}`) + `},"required_scopes":[` + list(n, `"s#"`) + `]`)
	},
}

func read(document string) error {
	_, err := config.Parse([]byte(document), config.Options{AllowInsecure: true})
	return err
}

// What every request costs anew is bounded likewise: a hundred of them are taken,
// and a thousand are not.
func TestWhatEveryRequestCostsIsBounded(t *testing.T) {
	for name, document := range map[string]func(n int) string{
		"claim headers":      large["short headers"],
		"places of a token":  large["sources"],
		"cookies of a token": func(n int) string { return with(`"token_from":[` + list(n, `{"cookie":"a#"}`) + `]`) },
	} {
		if err := read(document(100)); err != nil {
			t.Errorf("100 %s: %v", name, err)
		}
		if err := read(document(1000)); err == nil || !strings.Contains(err.Error(), "300 for each claim header and each place of a token") {
			t.Errorf("1000 %s: %v", name, err)
		}
	}
	if err := read(with(`"claims":{"a":{"contains_any":[` + list(40_000, `#`) + `]}}`)); err == nil {
		t.Error("40,000 values to compare are taken")
	}
}

// A document of 1 MiB of anything is an error that says which bound it exceeds.
func TestWhatTakesTooLongToReadIsAnErrorThatSaysSo(t *testing.T) {
	bounds := []string{
		"more work than one configuration may make", "one value too many", "one more of many repeated keys",
		"schemas within each other", "more problems",
	}
	for name, document := range large {
		n := 60_000
		for len(document(n)) > config.MaxDocument {
			n = n * 3 / 4
		}
		err := read(document(n))
		switch {
		case name == "rules": // a hundred of this size are read
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil:
			t.Errorf("%s: %d of them were read", name, n)
		case !slices.ContainsFunc(bounds, func(bound string) bool { return strings.Contains(err.Error(), bound) }):
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// BenchmarkWorstConfiguration reads the largest documents of each kind that are
// taken, and the longest that are refused.
func BenchmarkWorstConfiguration(b *testing.B) {
	for name, document := range large {
		low, high := 0, 60_000
		for high-low > max(low/50, 1) {
			middle := (low + high) / 2
			if text := document(middle); len(text) <= config.MaxDocument && read(text) == nil {
				low = middle
			} else {
				high = middle
			}
		}
		if low > 0 {
			b.Run(name, func(b *testing.B) {
				text := document(low)
				before := cpu(b)
				for b.Loop() {
					if err := read(text); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(len(text)), "bytes")
			})
		}
		b.Run(name+", refused", func(b *testing.B) {
			text := document(high)
			for len(text) < config.MaxDocument/2 && high < 30_000 {
				high *= 2
				text = document(high)
			}
			before := cpu(b)
			for b.Loop() {
				_ = read(text)
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(len(text)), "bytes")
		})
	}
}

// cpu is how many milliseconds all cores worked for this process, collecting
// garbage included: other than the time, it does not depend on how busy they are.
func cpu(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
}
