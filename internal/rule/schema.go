package rule

import (
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled JSON Schema. Its methods may be called by any
// goroutine.
type Schema struct{ schema *jsonschema.Schema }

// schemaURL names a schema that has no $id; nothing is ever fetched.
const schemaURL = "urn:claim_schema"

var errRemote = errors.New("no remote references")

// nowhere refuses to load what a schema refers to.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errRemote }

// CompileSchema compiles a JSON Schema of draft 2020-12, or of the draft that
// its $schema names. References outside of it are an error.
func CompileSchema(document any) (*Schema, error) {
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
func (s *Schema) Fits(claims map[string]any) bool { return s.schema.Validate(claims) == nil }

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
