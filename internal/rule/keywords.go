package rule

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxSchema is the longest JSON Schema, in bytes as compact JSON.
	MaxSchema = 256 << 10
	// maxSubschemas bounds the validator's compiler, which looks for each schema
	// among all others.
	maxSubschemas = 2_000
	// maxSchemaErrors is how many errors of one schema are told.
	maxSchemaErrors = 20
)

// Units of [Spend] for the steps of reading a schema.
const (
	unitsPerSubschema = 30
	unitsPerLevel     = 2  // for each subschema, times how deep it is
	pointerPerUnit    = 16 // bytes of a subschema's pointer
	resourcesPerUnit  = 4  // an $id is compared with all others
	nodesPerRead      = 2  // values that are read for a unit
)

// shape is where the value of a keyword holds schemas.
type shape uint8

const (
	noSchema       shape = iota
	oneSchema            // the value is one
	listOfSchemas        // the elements are
	mapOfSchemas         // the members are
	schemaOrList         // either
	mapOfEither          // members are schemas or lists of names
	formatName           // the value is the name of a format
	reference            // the value leads to a schema
	anotherDialect       // allowed at the top only
)

// keyword is a keyword, its shape, and the drafts that know it.
type keyword struct {
	shape       shape
	first, last int
}

const newest = 2020

// keywords are those of drafts 4, 6, 7, 2019-09 and 2020-12. $comment is taken
// in all of them.
var keywords = map[string]keyword{
	"$schema": {anotherDialect, 4, newest}, "$comment": {noSchema, 4, newest}, "$ref": {reference, 4, newest},
	"id": {noSchema, 4, 4}, "$id": {noSchema, 6, newest}, "$anchor": {noSchema, 2019, newest},
	"$recursiveRef": {noSchema, 2019, 2019}, "$recursiveAnchor": {noSchema, 2019, 2019},
	"$dynamicRef": {reference, 2020, newest}, "$dynamicAnchor": {noSchema, 2020, newest},
	"definitions": {mapOfSchemas, 4, newest}, "$defs": {mapOfSchemas, 2019, newest},

	"title": {noSchema, 4, newest}, "description": {noSchema, 4, newest}, "default": {noSchema, 4, newest},
	"examples": {noSchema, 6, newest}, "readOnly": {noSchema, 7, newest}, "writeOnly": {noSchema, 7, newest},
	"deprecated": {noSchema, 2019, newest}, "format": {formatName, 4, newest},
	"contentEncoding": {noSchema, 7, newest}, "contentMediaType": {noSchema, 7, newest}, "contentSchema": {oneSchema, 2019, newest},

	"type": {noSchema, 4, newest}, "enum": {noSchema, 4, newest}, "const": {noSchema, 6, newest},
	"multipleOf": {noSchema, 4, newest}, "maximum": {noSchema, 4, newest}, "exclusiveMaximum": {noSchema, 4, newest},
	"minimum": {noSchema, 4, newest}, "exclusiveMinimum": {noSchema, 4, newest},
	"maxLength": {noSchema, 4, newest}, "minLength": {noSchema, 4, newest}, "pattern": {noSchema, 4, newest},
	"maxItems": {noSchema, 4, newest}, "minItems": {noSchema, 4, newest}, "uniqueItems": {noSchema, 4, newest},
	"maxContains": {noSchema, 2019, newest}, "minContains": {noSchema, 2019, newest},
	"maxProperties": {noSchema, 4, newest}, "minProperties": {noSchema, 4, newest}, "required": {noSchema, 4, newest},
	"dependentRequired": {noSchema, 2019, newest},

	"allOf": {listOfSchemas, 4, newest}, "anyOf": {listOfSchemas, 4, newest}, "oneOf": {listOfSchemas, 4, newest},
	"not": {oneSchema, 4, newest}, "if": {oneSchema, 7, newest}, "then": {oneSchema, 7, newest}, "else": {oneSchema, 7, newest},
	"properties": {mapOfSchemas, 4, newest}, "patternProperties": {mapOfSchemas, 4, newest},
	"additionalProperties": {oneSchema, 4, newest}, "propertyNames": {oneSchema, 6, newest},
	"dependencies": {mapOfEither, 4, newest}, "dependentSchemas": {mapOfSchemas, 2019, newest},
	"unevaluatedProperties": {oneSchema, 2019, newest}, "unevaluatedItems": {oneSchema, 2019, newest},
	"items": {schemaOrList, 4, newest}, "prefixItems": {listOfSchemas, 2020, newest},
	"additionalItems": {oneSchema, 4, 2019}, "contains": {oneSchema, 6, newest},
}

// formats are those that the validator asserts.
var formats = []string{
	"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "iri", "iri-reference", "json-pointer", "period",
	"regex", "relative-json-pointer", "semver", "time", "uri", "uri-reference", "uri-template", "uuid",
}

var drafts = map[string]int{
	"json-schema.org/draft-04/schema": 4, "json-schema.org/draft-06/schema": 6, "json-schema.org/draft-07/schema": 7,
	"json-schema.org/draft/2019-09/schema": 2019, "json-schema.org/draft/2020-12/schema": 2020, "json-schema.org/schema": newest,
}

// draftOf is the draft that a document names. One that is not known is told by
// the validator.
func draftOf(document any) int {
	members, _ := document.(map[string]any)
	named, _ := members["$schema"].(string)
	named = strings.TrimSuffix(named, "#")
	for _, scheme := range []string{"http://", "https://"} {
		if draft := drafts[strings.TrimPrefix(named, scheme)]; draft > 0 {
			return draft
		}
	}
	return newest
}

// keywordReader reads the keywords of a schema before it is compiled.
type keywordReader struct {
	draft      int
	errors     SchemaErrors
	subschemas map[string]bool // their pointers
	resources  map[string]string
	references []jumps
	units      int
	tooMany    bool
}

// jumps is a reference, where it stands, and the pointer of the resource that
// it is resolved in.
type jumps struct{ pointer, resource, to string }

func readKeywords(document any, spend Spend) error {
	nodes, length := measure(document)
	if length > MaxSchema {
		return fmt.Errorf("%d bytes; a schema has at most %d", length, MaxSchema)
	}
	r := &keywordReader{draft: draftOf(document), subschemas: map[string]bool{}, resources: map[string]string{}}
	r.schema(document, "", "", 0)
	if r.tooMany {
		return fmt.Errorf("more than %d schemas within each other", maxSubschemas)
	}
	for _, ref := range r.references {
		r.follow(ref)
	}
	if len(r.errors) > 0 {
		slices.SortFunc(r.errors, func(a, b *SchemaError) int { return strings.Compare(a.Pointer, b.Pointer) })
		return r.errors
	}
	return spend(r.units + nodes/nodesPerRead)
}

func (r *keywordReader) wrong(pointer, text string) {
	if len(r.errors) < maxSchemaErrors {
		r.errors = append(r.errors, &SchemaError{pointer, text})
	}
}

func (r *keywordReader) schema(v any, pointer, resource string, depth int) {
	members, isObject := v.(map[string]any)
	if _, isBool := v.(bool); !isObject && !isBool {
		return // the validator tells
	}
	if len(r.subschemas) >= maxSubschemas {
		r.tooMany = true
		return
	}
	r.subschemas[pointer] = true
	r.units += unitsPerSubschema + unitsPerLevel*depth + len(pointer)/pointerPerUnit
	for _, id := range []string{"$id", "id"} {
		if name, ok := members[id].(string); ok && !strings.HasPrefix(name, "#") && keywords[id].knownIn(r.draft) {
			resource = pointer
			r.units += unitsPerSubschema + len(r.resources)/resourcesPerUnit
			r.resources[strings.TrimSuffix(name, "#")] = pointer
		}
	}
	if _, ok := members["$dynamicAnchor"]; ok {
		r.units += unitsPerSubschema
	}
	for name, value := range members {
		r.keyword(name, value, pointer, resource, depth+1)
	}
}

func (k keyword) knownIn(draft int) bool { return k.first <= draft && draft <= k.last }

func (r *keywordReader) keyword(name string, value any, schema, resource string, depth int) {
	at := schema + "/" + escaped(name)
	k, known := keywords[name]
	if !known || !k.knownIn(r.draft) {
		r.wrong(at, "no keyword of this draft; a comment is written as $comment")
		return
	}
	each := func(v any) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				r.schema(e, at+"/"+strconv.Itoa(i), resource, depth)
			}
		case map[string]any:
			for member, e := range v {
				r.schema(e, at+"/"+escaped(member), resource, depth)
			}
		}
	}
	_, isList := value.([]any)
	switch {
	case k.shape == formatName:
		if format, ok := value.(string); ok && !slices.Contains(formats, format) {
			r.wrong(at, "no format that is checked; those are "+strings.Join(formats, ", "))
		}
	case k.shape == anotherDialect && schema != "":
		r.wrong(at, "the draft is named at the top only")
	case k.shape == reference:
		if to, ok := value.(string); ok {
			r.references = append(r.references, jumps{at, resource, to})
		}
	case k.shape == listOfSchemas || k.shape == mapOfSchemas || k.shape == mapOfEither || k.shape == schemaOrList && isList:
		each(value)
	case k.shape == oneSchema || k.shape == schemaOrList:
		r.schema(value, at, resource, depth)
	}
}

// follow sees to it that a reference leads to a schema of the document. For what
// lies elsewhere in it, such as in an example, the validator would look at all
// of the document anew. Names of anchors and relative URLs are left to it.
func (r *keywordReader) follow(ref jumps) {
	base, fragment, _ := strings.Cut(ref.to, "#")
	resource := ref.resource
	if base != "" {
		var here bool
		if resource, here = r.resources[base]; !here {
			if u, err := url.Parse(base); err == nil && u.IsAbs() {
				r.wrong(ref.pointer, errRemote.Error())
			}
			r.units += unitsPerLevel * len(r.subschemas)
			return
		}
	}
	to, err := url.PathUnescape(fragment)
	if err == nil && (to == "" || strings.HasPrefix(to, "/")) && !r.subschemas[resource+to] {
		r.wrong(ref.pointer, "leads to nothing that is a schema")
	}
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escaped(name string) string { return pointerEscaper.Replace(name) }

// measure counts the values in v, and its length as compact JSON without
// escapes.
func measure(v any) (nodes, length int) {
	nodes = 1
	add := func(v any) {
		n, l := measure(v)
		nodes, length = nodes+n, length+l+1
	}
	switch v := v.(type) {
	case string:
		length = len(v) + 2
	case json.Number:
		length = len(v)
	case []any:
		length = 1
		for _, e := range v {
			add(e)
		}
	case map[string]any:
		length = 1
		for name, e := range v {
			length += len(name) + 3
			add(e)
		}
	default:
		length = 4
	}
	return nodes, length
}
