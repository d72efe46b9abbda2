package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/pattern"
)

const (
	// MaxExpression is the longest expression, in bytes.
	MaxExpression = 4 << 10
	// maxTokens bounds the parser, which takes about 10 us for a word or sign.
	maxTokens = 1_000
	// maxNodes bounds what is made of them, macros written out.
	maxNodes = 1_000
	// maxParserDepth bounds the parser's recursion, and chains such as a.b.c.
	maxParserDepth = 40
	// maxNesting bounds lists, maps and macros within each other: types grow with
	// it, and time with the square of types.
	maxNesting = 16
	// maxPatterns bounds the patterns of one expression, in instructions.
	maxPatterns = 2 * pattern.MaxSize
	// maxUndeclared is how many names may be unknown before the type checker is
	// not asked, which is slow to say so.
	maxUndeclared = 8
)

// Units of [Spend] for the steps of reading an expression.
const (
	unitsPerToken   = 10
	unitsPerNode    = 4
	unitsPerNesting = 2 // for each node, times how deep it is nested
	unitsPerPattern = 5 // for each instruction
	unitsPerError   = 1_000
)

// tokens is about how many words and signs a text has: every sign is one, and
// so is every run of letters and digits, every text in quotes and every comment.
// It is no lexer: what it takes for the inside of quotes must be that for CEL's
// lexer too, all else may be counted too often.
func tokens(text string) int {
	n := 0
	for text != "" {
		n++
		skip := 1
		switch c := text[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			n--
		case isWord(c):
			skip = len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return r < 0x80 && isWord(byte(r)) }))
			if skip <= 2 && skip < len(text) && (text[skip] == '"' || text[skip] == '\'') && strings.ContainsAny(text[:skip], "rR") {
				skip += quoted(text[skip:], true)
			}
		case c == '"' || c == '\'':
			skip = quoted(text, false)
		case strings.HasPrefix(text, "//"):
			if skip = strings.IndexByte(text, '\n'); skip < 0 {
				skip = len(text)
			}
		}
		text = text[skip:]
	}
	return n
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted is the length of the text in quotes that text begins with, or 1 where
// it does not end: then the quote is a sign like others.
func quoted(text string, raw bool) int {
	quote, lines := text[:1], false
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
		quote, lines = triple, true
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\\' && !raw:
			i++
		case (text[i] == '\n' || text[i] == '\r') && !lines:
			return 1
		}
	}
	return 1
}

// survey is what a walk through a parsed expression finds.
type survey struct {
	env     *cel.Env
	globals map[string]bool // the variables of the environment
	info    *ast.SourceInfo
	bound   []string // the variables of the macros around
	nodes   int
	units   int
	steps   map[int64]uint64 // the steps of macros, by id: the work of one beside its calls
	impure  bool
	idToken bool

	patterns     map[int64]int // the sizes of patterns, by the id of the call
	instructions int
	undeclared   []string
	problems     []string
}

// inspect walks through a parsed expression, before its types are checked.
func inspect(env *cel.Env, parsed *cel.Ast) *survey {
	s := &survey{env: env, globals: map[string]bool{}, steps: map[int64]uint64{}, patterns: map[int64]int{}, info: parsed.NativeRep().SourceInfo()}
	for _, v := range env.Variables() {
		s.globals[v.Name()] = true
	}
	s.walk(parsed.NativeRep().Expr(), 0)
	return s
}

func (s *survey) walk(e ast.Expr, nesting int) {
	s.nodes++
	s.units += unitsPerNode + unitsPerNesting*nesting
	switch e.Kind() {
	case ast.IdentKind:
		s.identifier(e)
	case ast.SelectKind:
		s.walk(e.AsSelect().Operand(), nesting)
	case ast.CallKind:
		s.call(e, nesting)
	case ast.ListKind:
		s.walkAll(e, nesting, e.AsList().Elements()...)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			s.walkAll(e, nesting, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		s.problem(e, "objects cannot be made")
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		s.walkAll(e, nesting, c.IterRange(), c.AccuInit())
		outer := len(s.bound)
		s.bound = append(s.bound, c.IterVar(), c.IterVar2(), c.AccuVar())
		before := s.nodes
		s.walkAll(e, nesting, c.LoopCondition(), c.LoopStep())
		s.steps[c.LoopStep().ID()] = 1 + uint64(s.nodes-before)/nodesPerUnit
		s.walkAll(e, nesting, c.Result())
		s.bound = s.bound[:outer]
	}
}

// walkAll walks through what is nested in e.
func (s *survey) walkAll(e ast.Expr, nesting int, within ...ast.Expr) {
	if nesting++; nesting > maxNesting {
		s.problem(e, fmt.Sprintf("lists, maps and macros nested more than %d deep", maxNesting))
		return
	}
	for _, w := range within {
		s.walk(w, nesting)
	}
}

// identifier looks at a name. An expression is pure that names no variable of
// the environment but claims and id_token, whether a macro's own variable hides that or not:
// a dot before the name reaches it all the same.
func (s *survey) identifier(e ast.Expr) {
	name := strings.TrimPrefix(e.AsIdent(), ".")
	switch {
	case s.globals[name]:
		s.idToken = s.idToken || name == "id_token"
		s.impure = s.impure || name != "claims" && name != "id_token"
	case slices.Contains(s.bound, name):
	default:
		if _, isType := s.env.CELTypeProvider().FindIdent(name); !isType && !s.isNamespace(name) {
			s.undeclared = append(s.undeclared, s.at(e)+"undeclared reference to '"+name+"'")
		}
	}
}

// isNamespace reports whether a function or a variable is name followed by a
// dot. Of such a variable it is not known here whether it is meant.
func (s *survey) isNamespace(name string) bool {
	for variable := range s.globals {
		if strings.HasPrefix(variable, name+".") {
			s.impure, s.idToken = true, true
			return true
		}
	}
	for function := range s.env.Functions() {
		if strings.HasPrefix(function, name+".") {
			return true
		}
	}
	return false
}

func (s *survey) call(e ast.Expr, nesting int) {
	c := e.AsCall()
	if c.FunctionName() == "matches" && len(c.Args()) > 0 {
		s.pattern(e, c.Args()[len(c.Args())-1])
	}
	if !c.IsMemberFunction() && !s.env.HasFunction(c.FunctionName()) {
		s.undeclared = append(s.undeclared, s.at(e)+"undeclared reference to '"+c.FunctionName()+"'")
	}
	if c.IsMemberFunction() {
		s.walk(c.Target(), nesting)
	}
	for _, arg := range c.Args() {
		s.walk(arg, nesting)
	}
}

var errPattern = errors.New("the pattern of matches has to be written as a literal, such as \"^a+$\": it is compiled once")

// pattern looks at the pattern of a call to matches: whatever else than a
// literal would be compiled with every request, and could be the client's.
func (s *survey) pattern(call, arg ast.Expr) {
	var text types.String
	if arg.Kind() == ast.LiteralKind {
		text, _ = arg.AsLiteral().(types.String)
	} else {
		s.problem(call, errPattern.Error())
		return
	}
	if s.instructions > maxPatterns {
		return
	}
	size, err := pattern.Size(string(text))
	if err != nil {
		s.problem(call, "the pattern of matches: "+err.Error())
		return
	}
	if s.instructions += size; s.instructions > maxPatterns {
		s.problem(call, fmt.Sprintf("the patterns of one expression have more than %d instructions", maxPatterns))
	}
	s.patterns[call.ID()] = size
	s.units += unitsPerPattern * size
}

func (s *survey) problem(e ast.Expr, text string) {
	s.problems = append(s.problems, s.at(e)+text)
}

func (s *survey) at(e ast.Expr) string {
	start := s.info.GetStartLocation(e.ID())
	return place(start.Line(), start.Column())
}

// err is why the expression is not worth checking, or nil.
func (s *survey) err() error {
	switch {
	case len(s.problems) > 0:
		return errors.New(strings.Join(s.problems[:min(len(s.problems), maxErrors)], "; "))
	case len(s.undeclared) > maxUndeclared:
		return errors.New(strings.Join(s.undeclared[:maxErrors], "; "))
	}
	return nil
}
