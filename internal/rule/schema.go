package rule

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

// Schema is a compiled JSON Schema. Its methods may be called by any
// goroutine.
type Schema struct {
	schema *jsonschema.Schema
	known  map[*jsonschema.Schema]*known
}

// known is what a validation has to know of a schema beside what it says.
type known struct {
	sameValue []*jsonschema.Schema // what it applies to the same value
	values    choice               // of enum and const
}

// schemaURL names a schema that has no $id; nothing is ever fetched.
const schemaURL = "urn:claim_schema"

var (
	errRemote = errors.New("no remote references")
	errNumber = errors.New("a number of absurd size")
)

// SchemaError is what is wrong at one place of a schema.
type SchemaError struct {
	Pointer string // JSON Pointer (RFC 6901) into the schema
	Text    string
}

func (e *SchemaError) Error() string { return "#" + e.Pointer + ": " + e.Text }

// SchemaErrors is everything that is wrong with the keywords of a schema.
type SchemaErrors []*SchemaError

func (e SchemaErrors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Error()
	}
	return strings.Join(texts, "; ")
}

// nowhere refuses to load what a schema refers to.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errRemote }

// CompileSchema compiles a JSON Schema of draft 2020-12, or of the draft that
// its $schema names. References outside of it are an error, and so are keywords
// and formats that the draft does not know and references that lead back to
// where they stand. Formats are asserted.
func CompileSchema(document any) (*Schema, error) { return CompileSchemaWithin(document, unlimited) }

// CompileSchemaWithin is CompileSchema for a schema that has to share what a
// document may cost. An error of spend is returned as it is; others may be
// [SchemaErrors].
func CompileSchemaWithin(document any, spend Spend) (*Schema, error) {
	if !countable(document) {
		return nil, errNumber
	}
	if err := readKeywords(document, spend); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	c.UseRegexpEngine(engine(spend))
	c.AssertFormat()
	if err := c.AddResource(schemaURL, document); err != nil {
		return nil, firstLine(err)
	}
	root, err := c.Compile(schemaURL)
	if err != nil {
		if errors.Is(err, errRemote) {
			return nil, errRemote
		}
		return nil, firstLine(err)
	}
	s := &Schema{schema: root}
	return s, s.survey()
}

// boundedRegexp is a pattern and how many instructions it has.
type boundedRegexp struct {
	*regexp.Regexp
	size int64
}

// engine compiles the patterns of one schema, each of them once: the draft's own
// schema asks for them too.
func engine(spend Spend) jsonschema.RegexpEngine {
	compiled := map[string]jsonschema.Regexp{}
	return func(text string) (jsonschema.Regexp, error) {
		if re, ok := compiled[text]; ok {
			return re, nil
		}
		size, err := pattern.Size(text)
		if err != nil {
			return nil, err
		}
		if err := spend(unitsPerPattern * size); err != nil {
			return nil, err
		}
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		compiled[text] = &boundedRegexp{re, int64(size)}
		return compiled[text], nil
	}
}

// Fits reports whether a claims set of strictjson values is as the schema asks.
// Numbers of absurd size fit no schema, and neither does what would take longer
// to validate than a rule may take.
func (s *Schema) Fits(claims map[string]any) bool {
	return countable(claims) && s.affordable(claims) && s.schema.Validate(claims) == nil
}

// countable reports whether all numbers have at most 400 digits and an exponent
// of at most three: the validator writes out what an exponent stands for, which
// 1e1000000000 makes a matter of gigabytes, and panics beyond that.
func countable(v any) bool {
	switch v := v.(type) {
	case json.Number:
		mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		return len(mantissa) <= 400 && len(strings.TrimLeft(exponent, "+-")) <= 3
	case []any:
		for _, e := range v {
			if !countable(e) {
				return false
			}
		}
	case map[string]any:
		for _, e := range v {
			if !countable(e) {
				return false
			}
		}
	}
	return true
}

func firstLine(err error) error {
	text := strings.ReplaceAll(err.Error(), schemaURL+"#", "#")
	if broken := (*jsonschema.SchemaValidationError)(nil); errors.As(err, &broken) {
		// The last line is the innermost cause, with its place in the schema.
		lines := strings.Split(strings.TrimSpace(text), "\n")
		text = strings.TrimLeft(lines[len(lines)-1], " -")
	}
	line, _, _ := strings.Cut(text, "\n")
	return errors.New(line)
}

// also adds schemas of which only one is applied to the same value: which, the
// validation decides.
func (k *known) also(candidates []*jsonschema.Schema) {
	for _, sch := range candidates {
		if !slices.Contains(k.sameValue, sch) {
			k.sameValue = append(k.sameValue, sch)
		}
	}
}

// survey walks through a compiled schema, once: for what validation has to know
// of it and for references in a circle.
func (s *Schema) survey() error {
	s.known = map[*jsonschema.Schema]*known{}
	anchors := map[string][]*jsonschema.Schema{}
	var all []*jsonschema.Schema
	var visit func(*jsonschema.Schema)
	visit = func(sch *jsonschema.Schema) {
		if s.known[sch] != nil {
			return
		}
		k := &known{sameValue: sameValue(sch), values: choiceOf(sch)}
		s.known[sch] = k
		all = append(all, sch)
		if sch.DynamicAnchor != "" {
			anchors[sch.DynamicAnchor] = append(anchors[sch.DynamicAnchor], sch)
		}
		if sch.RecursiveAnchor {
			anchors[recursive] = append(anchors[recursive], sch)
		}
		for _, next := range slices.Concat(k.sameValue, deeper(sch)) {
			visit(next)
		}
	}
	visit(s.schema)
	for _, sch := range all {
		k := s.known[sch]
		if sch.RecursiveRef != nil {
			k.also(anchors[recursive])
		}
		if sch.DynamicRef != nil && sch.DynamicRef.Anchor != "" {
			k.also(anchors[sch.DynamicRef.Anchor])
		}
	}
	return s.circles(all)
}

// recursive is the name of what $recursiveRef may lead to, which has none.
const recursive = ""

// circles finds a schema that applies to the same value as one of those that it
// is applied by: a walk through such a circle would not end.
func (s *Schema) circles(all []*jsonschema.Schema) error {
	const (
		open = iota + 1
		done
	)
	state := map[*jsonschema.Schema]int{}
	var visit func(*jsonschema.Schema) error
	visit = func(sch *jsonschema.Schema) error {
		switch state[sch] {
		case open:
			_, pointer, _ := strings.Cut(sch.Location, "#")
			return SchemaErrors{{pointer, "leads back to itself without going deeper into the claims"}}
		case done:
			return nil
		}
		state[sch] = open
		for _, next := range s.known[sch].sameValue {
			if err := visit(next); err != nil {
				return err
			}
		}
		state[sch] = done
		return nil
	}
	for _, sch := range all {
		if err := visit(sch); err != nil {
			return err
		}
	}
	return nil
}

// sameValue is every schema that a schema applies to the value it is applied to.
func sameValue(sch *jsonschema.Schema) []*jsonschema.Schema {
	all := present(sch.Ref, sch.RecursiveRef, sch.Not, sch.If, sch.Then, sch.Else)
	if sch.DynamicRef != nil {
		all = append(all, sch.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{sch.AllOf, sch.AnyOf, sch.OneOf} {
		all = append(all, list...)
	}
	for _, dependent := range sch.DependentSchemas {
		all = append(all, dependent)
	}
	for _, dependency := range sch.Dependencies {
		if dependent, ok := dependency.(*jsonschema.Schema); ok {
			all = append(all, dependent)
		}
	}
	return all
}

// deeper is every schema that a schema applies to what is in its value.
func deeper(sch *jsonschema.Schema) []*jsonschema.Schema {
	all := present(sch.PropertyNames, sch.UnevaluatedProperties, sch.Contains, sch.Items2020, sch.UnevaluatedItems, sch.ContentSchema)
	all = append(all, sch.PrefixItems...)
	for _, property := range sch.Properties {
		all = append(all, property)
	}
	for _, property := range sch.PatternProperties {
		all = append(all, property)
	}
	for _, either := range []any{sch.AdditionalProperties, sch.Items, sch.AdditionalItems} {
		switch either := either.(type) {
		case *jsonschema.Schema:
			all = append(all, either)
		case []*jsonschema.Schema:
			all = append(all, either...)
		}
	}
	return all
}

func present(schemas ...*jsonschema.Schema) (all []*jsonschema.Schema) {
	for _, sch := range schemas {
		if sch != nil {
			all = append(all, sch)
		}
	}
	return all
}
