package rule_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

func document(t testing.TB, text string) any {
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

func TestFormatsAreAsserted(t *testing.T) {
	for format, values := range map[string][2]string{ // one that fits and one that does not
		"date": {"2030-01-01", "2030-13-01"}, "date-time": {"2030-01-01T00:00:00Z", "now"}, "duration": {"P1D", "1d"},
		"email": {"a@example.com", "a"}, "hostname": {"a.example.com", "-"}, "ipv4": {"10.1.2.3", "10.1.2"},
		"ipv6": {"::1", "1"}, "iri": {"https://example.com/ä", "a"}, "iri-reference": {"/ä", "\\"},
		"json-pointer": {"/a", "a"}, "period": {"2030-01-01T00:00:00Z/P1D", "a"}, "regex": {"a+", "("},
		"relative-json-pointer": {"1/a", "a"}, "semver": {"1.2.3", "1"}, "time": {"10:00:00Z", "10"},
		"uri": {"https://example.com/", "a"}, "uri-reference": {"/a", "\\"}, "uri-template": {"/{a}", "/{a"},
		"uuid": {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae"},
	} {
		for _, draft := range []string{"", `"$schema":"http://json-schema.org/draft-07/schema#",`} {
			s, err := rule.CompileSchema(document(t, `{`+draft+`"properties":{"v":{"format":"`+format+`"}}}`))
			if err != nil {
				t.Errorf("%s: %v", format, err)
				continue
			}
			for i, value := range values {
				if got := s.Fits(map[string]any{"v": value}); got != (i == 0) {
					t.Errorf("%s %s: %q fits: %v", draft, format, value, got)
				}
			}
		}
	}
}

func TestWhatASchemaSaysInVainIsAnErrorWithItsPath(t *testing.T) {
	for schema, want := range map[string][]string{
		`{"minimun":1}`: {"#/minimun: no keyword of this draft; a comment is written as $comment"},
		`{"properties":{"a/b":{"items":{"required":["x"],"x-note":"y","Type":"string"}}}}`: {
			"#/properties/a~1b/items/Type: no keyword", "#/properties/a~1b/items/x-note: no keyword",
		},
		`{"allOf":[true,{"not":{"additionalItems":false}}]}`:                                       {"#/allOf/1/not/additionalItems: no keyword"},
		`{"$schema":"http://json-schema.org/draft-07/schema#","$defs":{"a":true}}`:                 {"#/$defs: no keyword"},
		`{"$schema":"http://json-schema.org/draft-07/schema#","dependentRequired":{"a":["b"]}}`:    {"#/dependentRequired: no keyword"},
		`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"const":1}}}`:     {"#/properties/a/const: no keyword"},
		`{"properties":{"a":{"format":"emial"}}}`:                                                  {"#/properties/a/format: no format that is checked"},
		`{"$defs":{"a":{"$schema":"http://json-schema.org/draft-07/schema#"}}}`:                    {"#/$defs/a/$schema: the draft is named at the top only"},
		`{"default":{"a":{"minimun":1}},"$ref":"#/default/a"}`:                                     {"#/$ref: leads to nothing that is a schema"},
		`{"$ref":"#/$defs/b","$defs":{"a":true}}`:                                                  {"#/$ref: leads to nothing that is a schema"},
		`{"$ref":"https://example.com/s.json"}`:                                                    {"#/$ref: no remote references"},
		`{"$ref":"#"}`:                                                                             {"#: leads back to itself"},
		`{"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"allOf":[{"$ref":"#/$defs/b"}]}}}`: {"#/$defs/b: leads back to itself"},
		`{"anyOf":[{"if":{"not":{"$ref":"#"}}}]}`:                                                  {"#: leads back to itself"},
		`{"dependentSchemas":{"a":{"$ref":"#"}}}`:                                                  {"#: leads back to itself"},
		`{"$dynamicAnchor":"n","$dynamicRef":"#n"}`:                                                {"#: leads back to itself"},
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"oneOf":[{"$recursiveRef":"#"}]}`: {
			"leads back to itself",
		},
	} {
		_, err := rule.CompileSchema(document(t, schema))
		problems, ok := errors.AsType[rule.SchemaErrors](err)
		if !ok || len(problems) != len(want) {
			t.Errorf("%s: %v, want %q", schema, err, want)
			continue
		}
		for i := range want {
			if !strings.Contains(problems[i].Error(), want[i]) {
				t.Errorf("%s: %v, want %q", schema, problems[i], want[i])
			}
		}
	}
}

func TestSchemasMayLeadToThemselvesWhereTheyGoDeeper(t *testing.T) {
	deep := func(depth int) any {
		return map[string]any{"a": document(t, strings.Repeat(`{"child":`, depth)+`{"name":"x"}`+strings.Repeat(`}`, depth))}
	}
	for _, schema := range []string{
		`{"properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"object","properties":{"child":{"$ref":"#/$defs/n"},"name":{"const":"x"}}}}}`,
		`{"additionalProperties":{"$ref":"#/$defs/n"},"$defs":{"n":{"anyOf":[{"const":"x"},{"additionalProperties":{"$ref":"#/$defs/n"}}]}}}`,
		`{"$id":"https://example.com/tree","$dynamicAnchor":"n","additionalProperties":{"anyOf":[{"type":"string"},{"$dynamicRef":"#n"}]}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/n"}},"definitions":{"n":{"properties":{"child":{"$ref":"#/definitions/n"}}}}}`,
		`{"$comment":"why","$defs":{"s":{"$anchor":"here","type":"object"}},"properties":{"a":{"$ref":"#here"}}}`,
	} {
		s, err := rule.CompileSchema(document(t, schema))
		if err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		claims := deep(40).(map[string]any)
		if !s.Fits(claims) {
			t.Errorf("%s: does not fit", schema)
		}
	}
}

func TestSchemasAreBoundedBeforeTheyAreCompiled(t *testing.T) {
	for name, tt := range map[string]struct{ schema, want string }{
		"text":       {`{"title":"` + strings.Repeat("a", 256<<10) + `"}`, "a schema has at most 262144"},
		"subschemas": {`{"allOf":[` + strings.Repeat(`true,`, 2000) + `true]}`, "more than 2000 schemas within each other"},
		"a pattern":  {`{"pattern":"(?:a?){999}"}`, "at most 2000 instructions"},
		"patterns":   {`{"patternProperties":{"(?:a?){999}":true}}`, "at most 2000 instructions"},
	} {
		if _, err := rule.CompileSchema(document(t, tt.schema)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %.200v, want %q", name, err, tt.want)
		}
	}
	refused := errors.New("no more")
	for allowed := range 2 {
		asked := 0
		_, err := rule.CompileSchemaWithin(document(t, `{"pattern":"a"}`), func(units int) error {
			if asked++; asked > allowed || units <= 0 {
				return refused
			}
			return nil
		})
		if err == nil || allowed == 0 && !errors.Is(err, refused) {
			t.Errorf("%d allowed: %v", allowed, err)
		}
	}
}
