// Package rule decides by what a route author writes in a language: CEL
// expressions and JSON Schema. It must not know where claims come from or what
// an answer looks like.
package rule

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

const (
	// MaxExpression is the longest expression, in bytes.
	MaxExpression = 8 << 10
	// costLimit bounds one evaluation, in CEL's own units; about a unit for
	// each operation and element looked at.
	costLimit = 100_000
)

// Request is what an expression sees as request.
type Request struct {
	Method  string              `cel:"method"`
	Path    string              `cel:"path"`
	Headers map[string][]string `cel:"headers"` // names in lower case
	Query   map[string][]string `cel:"query"`   // decoded
	IP      string              `cel:"ip"`
}

// Facts are what expressions are evaluated over, for one request and one
// goroutine.
type Facts struct {
	claims  map[string]any
	ask     func() Request
	now     time.Time
	native  any
	request *Request
}

// NewFacts makes the facts of a claims set of strictjson values, of a request
// (asked for only if an expression is about it) and of the time.
func NewFacts(claims map[string]any, request func() Request, now time.Time) *Facts {
	return &Facts{claims: claims, ask: request, now: now}
}

// ResolveName implements CEL's activation: each variable is made when it is
// asked for first.
func (f *Facts) ResolveName(name string) (any, bool) {
	switch name {
	case "claims":
		if f.native == nil {
			f.native = native(f.claims)
		}
		return f.native, true
	case "request":
		if f.request == nil {
			asked := f.ask()
			f.request = &asked
		}
		return f.request, true
	case "now":
		return f.now, true
	}
	return nil, false
}

// Parent implements CEL's activation: there is none.
func (*Facts) Parent() cel.Activation { return nil }

// Expression is a compiled CEL expression. Its methods may be called by any
// goroutine.
type Expression struct {
	program cel.Program
	// Pure tells that it is about nothing but the claims.
	Pure bool
}

// environment is the variables and functions of expressions: CEL's standard
// ones and the extensions of strings, lists, sets, networks and optional
// values.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Request](), ext.ParseStructTags(true)),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("request", cel.ObjectType("rule.Request")),
		cel.Variable("now", cel.TimestampType),
		cel.OptionalTypes(),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Network(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
	)
})

// Compile reads and type-checks an expression. It must be a bool, or of a type
// known only with the claims. The error says where and what, and repeats
// nothing but names of the expression.
func Compile(text string) (*Expression, error) {
	if len(text) > MaxExpression {
		return nil, fmt.Errorf("longer than %d bytes", MaxExpression)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, described(issues)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("it gives %s and not a bool", t)
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, err
	}
	e := &Expression{program: program, Pure: true}
	for _, ref := range ast.NativeRep().ReferenceMap() {
		if ref.Name == "request" || ref.Name == "now" {
			e.Pure = false
		}
	}
	return e, nil
}

func described(issues *cel.Issues) error {
	var all []string
	for _, e := range issues.Errors() {
		message, _, _ := strings.Cut(e.Message, "\n")
		all = append(all, "line "+strconv.Itoa(e.Location.Line())+", column "+strconv.Itoa(e.Location.Column()+1)+": "+message)
		if len(all) == 3 {
			break
		}
	}
	return errors.New(strings.Join(all, "; "))
}

// errNotTrue is why an expression does not hold when nothing failed.
var errNotTrue = errors.New("not true")

// Holds is nil if the expression is true. Everything else is an error: false,
// another type, a missing field, too high a cost. The error is for nobody but
// a program: it may hold values.
func (e *Expression) Holds(f *Facts) error {
	result, _, err := e.program.Eval(f)
	if err != nil {
		return err
	}
	if result.Value() != true {
		return errNotTrue
	}
	return nil
}

// IsFalse tells that an expression could be evaluated and was not true.
func IsFalse(err error) bool { return errors.Is(err, errNotTrue) }
