package rule_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// dearSchemas are schemas that take long to validate a token with.
func dearSchemas() map[string]string {
	doubling := func(levels int) string {
		var defs []string
		for i := range levels {
			defs = append(defs, fmt.Sprintf(`"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1))
		}
		return fmt.Sprintf(`{"$ref":"#/$defs/d0","$defs":{%s,"d%d":{"minProperties":1}}}`, strings.Join(defs, ","), levels)
	}
	chain := func(length int) string {
		var defs []string
		for i := range length {
			defs = append(defs, fmt.Sprintf(`"d%d":{"$ref":"#/$defs/d%d"}`, i, i+1))
		}
		return fmt.Sprintf(`{"properties":{"texts":{"items":{"$ref":"#/$defs/d0"}}},"$defs":{%s,"d%d":{"type":"string"}}}`, strings.Join(defs, ","), length)
	}
	list := func(element string, n int) string { return strings.Repeat(element+",", n-1) + element }
	return map[string]string{
		"doubling":             doubling(24),
		"chain":                chain(900),
		"long chain":           chain(1900),
		"unique objects":       `{"properties":{"objects":{"uniqueItems":true},"texts":{"uniqueItems":true},"many":{"uniqueItems":true}}}`,
		"unique, often":        `{"properties":{"texts":{"allOf":[` + list(`{"uniqueItems":true}`, 900) + `]}}}`,
		"contains":             `{"properties":{"texts":{"allOf":[` + list(`{"contains":{"const":"zzz"}}`, 900) + `]}}}`,
		"unevaluated":          `{"allOf":[` + list(`{"properties":{"many":true}}`, 900) + `],"unevaluatedProperties":{"minLength":0}}`,
		"unevaluated items":    `{"properties":{"many":{"anyOf":[` + list(`{"contains":{"const":8}}`, 400) + `],"unevaluatedItems":false}}}`,
		"one of many":          `{"properties":{"texts":{"items":{"oneOf":[` + list(`{"const":"zzz"}`, 900) + `]}}}}`,
		"enum of texts":        `{"properties":{"texts":{"items":{"enum":[` + list(`"zzz"`, 9000) + `]}}}}`,
		"enum of numbers":      `{"properties":{"many":{"items":{"enum":[` + list(`8`, 500) + `]}}}}`,
		"enum of long numbers": `{"properties":{"many":{"items":{"enum":[` + list(`1e999`, 500) + `]}}}}`,
		"enum of objects":      `{"properties":{"objects":{"items":{"enum":[` + list(`{"a":{"b":1}}`, 900) + `]}}}}`,
		"patterns":             `{"properties":{"texts":{"items":{"pattern":"^(a|b)*([ab]{1,200})c$"}},"long":{"pattern":"^(a|b)*([ab]{1,200})c$"}}}`,
		"property patterns":    `{"properties":{"names":{"patternProperties":{"(a|b)*[ab]{1,200}c":true,"(a|c)*[ab]{1,200}c":true}}}}`,
		"property names":       `{"properties":{"names":{"propertyNames":{"pattern":"^m","minLength":2,"maxLength":20}}}}`,
		"numbers":              `{"properties":{"many":{"items":{"minimum":8,"maximum":6,"multipleOf":3,"exclusiveMinimum":9,"exclusiveMaximum":1}}}}`,
		"required":             `{"required":[` + list(`"zzz"`, 1) + `],"properties":{"objects":{"items":{"required":["a","b","c"]}}}}`,
		"required at length":   `{"properties":{"objects":{"items":{"minProperties":1,"dependentRequired":{"a":["b"]},"propertyNames":{"minLength":3},"required":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q","r","s","t"]}}}}`,
		"formats":              `{"properties":{"texts":{"items":{"allOf":[{"format":"email"},{"format":"uri"},{"format":"date-time"},{"format":"hostname"}]}},"long":{"format":"uri-template"}}}`,
		"regex format":         `{"properties":{"texts":{"items":{"format":"regex"}}}}`,
		"tree":                 `{"additionalProperties":{"$ref":"#/$defs/n"},"$defs":{"n":{"anyOf":[{"items":{"$ref":"#/$defs/n"}},{"items":{"$ref":"#/$defs/n"}},{"additionalProperties":{"$ref":"#/$defs/n"}}]}}}`,
		"dynamic":              `{"$dynamicAnchor":"n","additionalProperties":{"anyOf":[{"type":"string"},{"type":"array"},{"$dynamicRef":"#n"},{"$dynamicRef":"#n"}]}}`,
		"conditions":           `{"properties":{"texts":{"items":{"allOf":[` + list(`{"if":{"minLength":9},"then":{"maxLength":3},"else":{"minLength":5}}`, 300) + `]}}}}`,
		"false":                `{"properties":{"texts":{"items":false},"many":{"items":{"not":true}},"objects":{"items":{"type":"string"}},"names":{"additionalProperties":false}}}`,
	}
}

// 24 references that double took a minute and a half for each request.
func TestValidatingTakesABoundedAmountOfWork(t *testing.T) {
	claims := hostileClaims()
	for name, text := range dearSchemas() {
		s, err := rule.CompileSchema(document(t, text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		work := rule.SchemaWork(s, claims)
		if fits := s.Fits(claims); fits && work > rule.ValidationLimit {
			t.Errorf("%s: fits, with a work of %d", name, work)
		}
		if name != "false" && work <= rule.ValidationLimit {
			t.Errorf("%s: a work of %d", name, work)
		}
	}
}

func TestUsualSchemasAreWithinTheLimit(t *testing.T) {
	roles := make([]any, 300)
	for i := range roles {
		roles[i] = fmt.Sprintf("role:%d", i)
	}
	claims := map[string]any{
		"iss": "https://tenant.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "email": "a@example.com", "roles": roles,
		"address": map[string]any{"country": "DE", "lines": []any{"a", "b"}}, "iat": json.Number("1800000000"),
	}
	properties := make([]string, 200)
	for i := range properties {
		properties[i] = fmt.Sprintf(`"p%d":{"type":"object","properties":{"a":{"type":"string","format":"email"}},"required":["a"]}`, i)
	}
	for name, text := range map[string]string{
		"one of each": `{"type":"object","required":["sub","email"],"properties":{"email":{"format":"email","pattern":"@example[.]com$"},
			"roles":{"type":"array","uniqueItems":true,"items":{"type":"string","pattern":"^role:[0-9]+$"},"contains":{"const":"role:7"}},
			"iat":{"type":"integer","minimum":0},"address":{"$ref":"#/$defs/address"}},
			"$defs":{"address":{"properties":{"country":{"enum":["DE","AT","CH"]}},"additionalProperties":true}}}`,
		"many properties": `{"properties":{` + strings.Join(properties, ",") + `}}`,
		"closed":          `{"allOf":[{"properties":{"iss":true,"sub":true,"email":true}},{"properties":{"roles":true,"address":true,"iat":true}}],"unevaluatedProperties":false}`,
		"a long enum":     `{"properties":{"sub":{"enum":[` + strings.Repeat(`"auth0|0123456789abcdef01234567",`, 5000) + `"auth0|5f7c8ec7c33c6c004bbafe82"]}}}`,
	} {
		s, err := rule.CompileSchema(document(t, text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !s.Fits(claims) {
			t.Errorf("%s: does not fit, a work of %d", name, rule.SchemaWork(s, claims))
		}
	}
}

// smaller takes a tenth of every list and object in claims, and reports whether
// there was anything to take.
func smaller(claims map[string]any) (took bool) {
	for name, v := range claims {
		switch v := v.(type) {
		case []any:
			took = took || len(v) > 0
			claims[name] = v[:len(v)*9/10]
		case map[string]any:
			drop := len(v)/10 + 1
			for member := range v {
				if drop--; drop < 0 {
					break
				}
				delete(v, member)
				took = true
			}
		case string:
			took = took || len(v) > 0
			claims[name] = v[:len(v)*9/10]
		}
	}
	return took
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
