package rule

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled JSON Schema. Its methods may be called by any
// goroutine.
type Schema struct{ schema *jsonschema.Schema }

// schemaURL names a schema that has no $id; nothing is ever fetched.
const schemaURL = "urn:claim_schema"

var (
	errRemote = errors.New("no remote references")
	errNumber = errors.New("a number of absurd size")
)

// nowhere refuses to load what a schema refers to.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errRemote }

// CompileSchema compiles a JSON Schema of draft 2020-12, or of the draft that
// its $schema names. References outside of it are an error.
func CompileSchema(document any) (*Schema, error) {
	if !countable(document) {
		return nil, errNumber
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	if err := c.AddResource(schemaURL, document); err != nil {
		return nil, firstLine(err)
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		if errors.Is(err, errRemote) {
			return nil, errRemote
		}
		return nil, firstLine(err)
	}
	return &Schema{s}, nil
}

// Fits tells whether a claims set of strictjson values is as the schema asks.
// Numbers of absurd size fit no schema.
func (s *Schema) Fits(claims map[string]any) bool {
	return countable(claims) && s.schema.Validate(claims) == nil
}

// countable tells whether all numbers have at most 400 digits and an exponent
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
