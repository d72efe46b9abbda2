package rule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The validator has no bound of its own, and a few references make a schema of
// any size. So each value is walked through with the schema before it is
// validated, as the validator would at worst, and the work of it is added up: in
// the units of an expression's cost.

// What validating takes, in units.
const (
	schemaCost  = 6 // a schema applied to a value, and the error that may come of it
	numberCost  = 8 // a number made into a fraction; more where it is long
	errorCost   = 4 // a keyword that may not hold
	memberCost  = 1 // a member or an element looked at
	formatRegex = validationLimit / 4

	namesPerUnit = 4 // looked up
)

// validationLimit bounds the work of one validation.
const validationLimit = 20_000

// affordable reports whether a claims set takes no more work to validate than
// that.
func (s *Schema) affordable(claims map[string]any) bool {
	w := &validation{schema: s, left: validationLimit}
	w.apply(s.schema, claims, position{})
	return w.left >= 0
}

// validation adds up the work of one validation.
type validation struct {
	schema *Schema
	left   int64
}

// position is where in a validation a schema is applied.
type position struct {
	chain       int64 // schemas above it that apply to the same value
	depth       int64 // all schemas above it
	unevaluated bool  // one of the chain asks what was not evaluated
}

func (p position) same(sch *jsonschema.Schema) position {
	return position{p.chain + 1, p.depth + 1, p.unevaluated || sch.UnevaluatedProperties != nil || sch.UnevaluatedItems != nil}
}

func (p position) within() position { return position{depth: p.depth + 1} }

func (w *validation) pay(work int64) { w.left -= work }

// apply pays for a schema and all that it applies, until nothing is left.
func (w *validation) apply(sch *jsonschema.Schema, v any, at position) {
	// The validator looks for circles among the schemas above.
	if w.pay(schemaCost + at.chain/8); w.left < 0 || sch.Bool != nil {
		return
	}
	known := w.schema.known[sch]
	w.pay(known.values.work(v))
	w.format(sch, v)
	if at.unevaluated || sch.UnevaluatedProperties != nil || sch.UnevaluatedItems != nil {
		w.pay(memberCost * members(v))
	}
	if sch.RecursiveRef != nil || sch.DynamicRef != nil {
		w.pay(at.depth / 4)
	}
	for _, next := range known.sameValue {
		w.apply(next, v, at.same(sch))
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(sch, v, at.within())
	case []any:
		w.list(sch, v, at.within())
	case string:
		w.text(sch, v)
	case json.Number:
		for _, bound := range []bool{
			sch.Minimum != nil, sch.Maximum != nil, sch.ExclusiveMinimum != nil, sch.ExclusiveMaximum != nil, sch.MultipleOf != nil,
		} {
			if bound {
				w.pay(2 * scalarWeight(v))
			}
		}
	}
}

// mayFail pays for the errors of keywords that are there.
func (w *validation) mayFail(keywords ...bool) {
	for _, there := range keywords {
		if there {
			w.pay(errorCost)
		}
	}
}

func (w *validation) format(sch *jsonschema.Schema, v any) {
	s, isText := v.(string)
	switch {
	case sch.Format == nil || !isText:
	case sch.Format.Name == "regex":
		w.pay(formatRegex) // it is compiled
	default:
		w.pay(numberCost + int64(len(s))/charsPerUnit)
	}
}

func (w *validation) object(sch *jsonschema.Schema, object map[string]any, at position) {
	w.mayFail(sch.MinProperties != nil, sch.MaxProperties != nil, len(sch.Required) > 0)
	w.pay(int64(len(sch.Required)+len(sch.Dependencies)+len(sch.DependentSchemas)+len(sch.DependentRequired)) * memberCost)
	for name := range object {
		if list, ok := sch.Dependencies[name].([]string); ok {
			w.pay(int64(len(list)) * memberCost)
		}
		w.pay(int64(len(sch.DependentRequired[name])) * memberCost)
	}
	for name, value := range object {
		if w.pay(memberCost); w.left < 0 {
			return
		}
		if property, ok := sch.Properties[name]; ok {
			w.apply(property, value, at)
		}
		for re, property := range sch.PatternProperties {
			w.match(re, name)
			w.apply(property, value, at)
		}
		for _, other := range []any{sch.AdditionalProperties, sch.UnevaluatedProperties, sch.PropertyNames} {
			next, ok := other.(*jsonschema.Schema)
			switch {
			case !ok || next == nil:
			case next == sch.PropertyNames:
				w.pay(schemaCost)
				w.apply(next, name, position{depth: at.depth})
			default:
				w.apply(next, value, at)
			}
		}
	}
}

func (w *validation) list(sch *jsonschema.Schema, list []any, at position) {
	w.mayFail(sch.MinItems != nil, sch.MaxItems != nil, sch.MinContains != nil, sch.MaxContains != nil)
	if sch.UniqueItems {
		w.unique(list)
	}
	each := present(sch.Items2020, sch.Contains, sch.UnevaluatedItems)
	for _, either := range []any{sch.Items, sch.AdditionalItems} {
		if next, ok := either.(*jsonschema.Schema); ok {
			each = append(each, next)
		}
	}
	single, _ := sch.Items.([]*jsonschema.Schema)
	single = slices.Concat(sch.PrefixItems, single)
	for i, value := range list {
		if w.pay(memberCost); w.left < 0 {
			return
		}
		for _, next := range each {
			w.apply(next, value, at)
		}
		if i < len(single) {
			w.apply(single[i], value, at)
		}
	}
}

// unique pays for the search for an element that is there twice: each with each
// where they are few, by their hashes where they are many.
func (w *validation) unique(list []any) {
	times := int64(3)
	if len(list) <= 20 {
		times = int64(len(list))
	}
	w.pay(int64(len(list)) + times*jsonWeight(list))
}

func (w *validation) text(sch *jsonschema.Schema, s string) {
	w.mayFail(sch.MinLength != nil, sch.MaxLength != nil, sch.Pattern != nil)
	if sch.MinLength != nil || sch.MaxLength != nil {
		w.pay(1 + int64(len(s))/bytesPerUnit)
	}
	if sch.Pattern != nil {
		w.match(sch.Pattern, s)
	}
}

func (w *validation) match(re jsonschema.Regexp, s string) {
	size := int64(1)
	if bounded, ok := re.(*boundedRegexp); ok {
		size = bounded.size
	}
	w.pay(1 + size*int64(len(s)+1)/stepsPerUnit)
}

// choice is what comparing a value with those of enum and const takes.
type choice struct {
	values                int64 // how many there are
	numbers, numberWeight int64 // how many are numbers, and what reading them takes
	nestedWeight          int64 // of those that are lists and objects
}

func choiceOf(sch *jsonschema.Schema) (c choice) {
	var values []any
	if sch.Enum != nil {
		values = sch.Enum.Values
	}
	if sch.Const != nil {
		values = append(slices.Clone(values), *sch.Const)
	}
	for _, v := range values {
		c.values++
		switch v.(type) {
		case json.Number:
			c.numbers++
			c.numberWeight += scalarWeight(v)
		case []any, map[string]any:
			c.nestedWeight += jsonWeight(v)
		}
	}
	return c
}

// work is what finding v among the values takes.
func (c choice) work(v any) int64 {
	work := (c.values + namesPerUnit - 1) / namesPerUnit
	switch v := v.(type) {
	case string:
		work += int64(len(v)) / bytesPerUnit
	case json.Number:
		work += c.numbers*scalarWeight(v) + c.numberWeight
	case []any, map[string]any:
		work += c.nestedWeight
	}
	return work
}

func members(v any) int64 {
	switch v := v.(type) {
	case map[string]any:
		return int64(len(v))
	case []any:
		return int64(len(v))
	}
	return 0
}

// scalarWeight is the work of comparing a value that is no list and no object.
func scalarWeight(v any) int64 {
	switch v := v.(type) {
	case json.Number:
		weight := numberCost + int64(len(v))/charsPerUnit
		if strings.ContainsAny(string(v), "eE") {
			weight += 10 * numberCost
		}
		return weight
	case string:
		return 1 + int64(len(v))/bytesPerUnit
	}
	return 1
}

// jsonWeight is the work of comparing a value and all that is in it.
func jsonWeight(v any) int64 {
	weight := scalarWeight(v)
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			weight += jsonWeight(e)
		}
	case map[string]any:
		for name, e := range v {
			weight += scalarWeight(name) + jsonWeight(e)
		}
	}
	return weight
}
