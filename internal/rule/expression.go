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
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"
)

const (
	// costLimit bounds one evaluation, in units of about a tenth of a microsecond.
	costLimit = 30_000
	// maxRequest is how many bytes of texts a request may have that rules look at.
	// Each may be hashed or compared for every few units of cost.
	maxRequest = 64 << 10
	// maxErrors is how many errors of one expression are told.
	maxErrors = 3
)

// Spend is asked before work is done for one document, with how much: about a
// microsecond for each unit. An error is why it must not be done.
type Spend func(units int) error

// unlimited is for an expression that is alone.
func unlimited(int) error { return nil }

// Request is what an expression sees as request.
type Request struct {
	Method  string              `cel:"method"`
	Path    string              `cel:"path"`
	Headers map[string][]string `cel:"headers"` // names in lower case
	Query   map[string][]string `cel:"query"`   // decoded
	IP      string              `cel:"ip"`
}

// size is the length of all its texts, and something for each.
func (r *Request) size() int {
	size := len(r.Method) + len(r.Path) + len(r.IP)
	for _, lists := range []map[string][]string{r.Headers, r.Query} {
		for name, values := range lists {
			size += len(name) + 16
			for _, v := range values {
				size += len(v) + 16
			}
		}
	}
	return size
}

// Facts are what expressions are evaluated over, for one request and one
// goroutine.
type Facts struct {
	claims   map[string]any
	idClaims map[string]any
	ask      func() Request
	now      time.Time
	native   any
	nativeID any
	request  *Request
}

// NewFacts makes the facts of a claims set of strictjson values, of a request
// (asked for only if an expression is about it) and of the time.
func NewFacts(claims map[string]any, request func() Request, now time.Time) *Facts {
	return &Facts{claims: claims, ask: request, now: now}
}

// WithIDToken adds the claims of a session's ID token, which are empty otherwise.
func (f *Facts) WithIDToken(claims map[string]any) *Facts {
	f.idClaims = claims
	return f
}

// ResolveName implements CEL's activation: each variable is made when it is
// asked for first. A request that is too large is not there, which is an error.
func (f *Facts) ResolveName(name string) (any, bool) {
	switch name {
	case "claims":
		if f.native == nil {
			f.native = native(f.claims)
		}
		return f.native, true
	case "id_token":
		if f.nativeID == nil {
			f.nativeID = native(f.idClaims)
		}
		return f.nativeID, true
	case "request":
		if f.request == nil {
			asked := f.ask()
			f.request = &asked
		}
		return f.request, f.request.size() <= maxRequest
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
	// Pure tells that it is about nothing but claims: it names no variable but
	// claims and id_token, not even a macro's own of another one's name.
	Pure bool
	// NamesIDToken tells that it may be about the ID token of a session.
	NamesIDToken bool
}

// environment is the variables and functions of expressions: CEL's standard
// ones and the extensions of strings, lists, sets, networks and optional
// values.
type environment struct {
	*cel.Env
	calls interpreter.InterpretableDecoratorV2
}

var newEnvironment = sync.OnceValues(func() (*environment, error) {
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Request](), ext.ParseStructTags(true)),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("id_token", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("request", cel.ObjectType("rule.Request")),
		cel.Variable("now", cel.TimestampType),
		cel.OptionalTypes(),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Network(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxParserDepth),
		cel.ParserErrorRecoveryLimit(maxErrors),
		cel.ExpressionNodeLimit(maxNodes),
	)
	if err != nil {
		return nil, err
	}
	calls, err := chargedCalls(env)
	return &environment{env, calls}, err
})

// Compile reads and type-checks an expression. It must be a bool, or of a type
// known only with the claims. The error says where and what, and repeats
// nothing but names of the expression.
func Compile(text string) (*Expression, error) { return CompileWithin(text, unlimited) }

// CompileWithin is Compile for an expression that has to share what a document
// may cost. An error of spend is returned as it is.
func CompileWithin(text string, spend Spend) (*Expression, error) {
	switch n := tokens(text); {
	case len(text) > MaxExpression:
		return nil, fmt.Errorf("longer than %d bytes", MaxExpression)
	case n > maxTokens:
		return nil, fmt.Errorf("more than %d words and signs", maxTokens)
	default:
		if err := spend(n * unitsPerToken); err != nil {
			return nil, err
		}
	}
	env, err := newEnvironment()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		_ = spend(unitsPerError)
		return nil, described(issues)
	}
	found := inspect(env.Env, parsed)
	if err := found.err(); err != nil {
		_ = spend(unitsPerError)
		return nil, err
	}
	if err := spend(found.units); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		_ = spend(unitsPerError * min(len(issues.Errors()), 10))
		return nil, described(issues)
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("it gives %s and not a bool", t)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize),
		cel.CostTracking(charge{}), cel.CostLimit(costLimit), cel.CustomDecoratorV2(charged(found, env.calls)))
	if err != nil {
		return nil, err
	}
	return &Expression{program: program, Pure: !found.impure, NamesIDToken: found.idToken}, nil
}

func described(issues *cel.Issues) error {
	var all []string
	for _, e := range issues.Errors() {
		message, _, _ := strings.Cut(e.Message, "\n")
		all = append(all, place(e.Location.Line(), e.Location.Column())+message)
		if len(all) == maxErrors {
			break
		}
	}
	return errors.New(strings.Join(all, "; "))
}

// place says where in an expression something is; columns count from 0.
func place(line, column int) string {
	if line < 1 {
		return "" // it is about the expression as a whole
	}
	return "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column+1) + ": "
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
	if result != types.True {
		return errNotTrue
	}
	return nil
}

// IsFalse tells that an expression could be evaluated and was not true.
func IsFalse(err error) bool { return errors.Is(err, errNotTrue) }
