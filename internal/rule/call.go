package rule

import (
	"regexp"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// CEL's own interpreter asks the cost limit after a function has run, which is
// too late where an argument of the client's decides how long it runs. Its
// calls are therefore replaced by nodes that ask before.

// call is a function call whose work is charged before it is done.
type call struct {
	interpreter.InterpretableCall
	args []interpreter.InterpretableV2
	do   func(args []ref.Val) ref.Val
	work func(args []ref.Val) uint64
}

// Exec evaluates the arguments, pays for the call, and calls.
func (c *call) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	args := make([]ref.Val, len(c.args))
	for i, arg := range c.args {
		args[i] = arg.Exec(frame)
		if types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	if frame.CostTracker() != nil { // there is none while constants are folded
		pay(frame, c.ID(), c.work(args))
	}
	return types.LabelErrNode(c.ID(), c.do(args))
}

// Eval is Exec for the interpreter's older interface.
func (c *call) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}

// charge is the call by which work reaches the cost tracker, as its argument.
type charge struct{}

const chargeName = "@charge" // no function of an expression can have this name

// Function is the name that CallCost knows a charge by.
func (charge) Function() string { return chargeName }

// OverloadID is none that CEL has a price of its own for.
func (charge) OverloadID() string { return "" }

// CallCost implements CEL's estimator of costs.
func (charge) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if function != chargeName {
		return nil
	}
	work, _ := args[0].(types.Uint)
	return (*uint64)(&work)
}

// pay adds to the cost of an evaluation, and ends it beyond the limit.
func pay(frame *interpreter.ExecutionFrame, id int64, work uint64) {
	if costs := frame.CostTracker(); costs != nil {
		costs.EvalUnary(frame, id, charge{}, types.Uint(work), nil)
	}
}

// step is what a macro evaluates for each element. The interpreter takes
// nothing for the constants, the conditions and the && and || in it.
type step struct {
	interpreter.InterpretableV2
	work uint64
}

// Exec pays for the step and takes it.
func (s step) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	pay(frame, s.ID(), s.work)
	return s.InterpretableV2.Exec(frame)
}

// opaque hides from the interpreter's optimizer that a node is a call: it would
// replace it with one that charges nothing.
type opaque struct{ interpreter.InterpretableV2 }

// charged makes the decorator that replaces the steps and the patterns that
// were found in an expression, and its calls as another does.
func charged(found *survey, calls interpreter.InterpretableDecoratorV2) interpreter.InterpretableDecoratorV2 {
	return func(node interpreter.InterpretableV2) (_ interpreter.InterpretableV2, err error) {
		if c, ok := node.(interpreter.InterpretableCall); ok && c.Function() == "matches" {
			node, err = matching(c, found.patterns[c.ID()])
		} else {
			node, err = calls(node)
		}
		if err != nil {
			return nil, err
		}
		if work, ok := found.steps[node.ID()]; ok {
			return step{node, work}, nil
		}
		return node, nil
	}
}

// chargedCalls makes the decorator that replaces the calls of a plan.
func chargedCalls(env *cel.Env) (interpreter.InterpretableDecoratorV2, error) {
	bindings := map[string]*functions.Overload{}
	for _, f := range env.Functions() {
		overloads, err := f.Bindings()
		if err != nil {
			return nil, err
		}
		for _, o := range overloads {
			bindings[o.Operator] = o
		}
	}
	adapter := env.CELTypeAdapter()
	return func(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		planned, ok := node.(interpreter.InterpretableCall)
		if !ok {
			return node, nil
		}
		c := &call{InterpretableCall: planned, args: planned.Args(), work: workOf(planned.Function())}
		switch planned.Function() {
		case operators.Equals:
			c.do = func(args []ref.Val) ref.Val { return types.Equal(args[0], args[1]) }
		case operators.NotEquals:
			c.do = func(args []ref.Val) ref.Val { return types.Bool(types.Equal(args[0], args[1]) != types.True) }
		default:
			binding := bindings[planned.OverloadID()]
			if binding == nil {
				binding = bindings[planned.Function()]
			}
			if binding != nil && binding.NonStrict {
				return node, nil // it has to see errors, and is cheap
			}
			c.do = dispatch(planned, binding)
		}
		if planned.Function() == operators.Add {
			c.do = adding(adapter, c.do)
		}
		if planned.Function() == operators.In {
			return opaque{c}, nil
		}
		return c, nil
	}, nil
}

// dispatch calls a function as the interpreter does: by its implementation where
// the first argument has what that needs, or by the argument's own method.
func dispatch(planned interpreter.InterpretableCall, binding *functions.Overload) func([]ref.Val) ref.Val {
	return func(args []ref.Val) ref.Val {
		switch {
		case binding != nil && (binding.OperandTrait == 0 || len(args) > 0 && args[0].Type().HasTrait(binding.OperandTrait)):
			switch {
			case len(args) == 1 && binding.Unary != nil:
				return binding.Unary(args[0])
			case len(args) == 2 && binding.Binary != nil:
				return binding.Binary(args[0], args[1])
			case binding.Function != nil:
				return binding.Function(args...)
			}
		case len(args) > 0 && args[0].Type().HasTrait(traits.ReceiverType):
			if receiver, ok := args[0].(traits.Receiver); ok {
				return receiver.Receive(planned.Function(), planned.OverloadID(), args[1:])
			}
		}
		return types.NewErr("no such overload: %s", planned.Function())
	}
}

// adding copies lists that are added. The interpreter keeps both behind a view,
// and an element of a sum of sums is then found through each of them.
func adding(adapter types.Adapter, otherwise func([]ref.Val) ref.Val) func([]ref.Val) ref.Val {
	return func(args []ref.Val) ref.Val {
		a, aIsList := args[0].(traits.Lister)
		b, bIsList := args[1].(traits.Lister)
		if _, grows := args[0].(traits.MutableLister); grows || !aIsList || !bIsList {
			return otherwise(args)
		}
		sum := make([]ref.Val, 0, length(a)+length(b))
		for _, list := range []traits.Lister{a, b} {
			for i := range length(list) {
				sum = append(sum, list.Get(types.Int(i)))
			}
		}
		return types.NewRefValList(adapter, sum)
	}
}

// matching compiles the pattern of a call to matches, which has that many
// instructions. That it is a literal was seen to before.
func matching(planned interpreter.InterpretableCall, size int) (interpreter.InterpretableV2, error) {
	literal, ok := planned.Args()[1].(interpreter.InterpretableConst)
	if !ok {
		return nil, errPattern
	}
	text, ok := literal.Value().(types.String)
	if !ok || size == 0 {
		return nil, errPattern
	}
	re, err := regexp.Compile(string(text))
	if err != nil {
		return nil, err
	}
	return opaque{&call{
		InterpretableCall: planned, args: planned.Args(),
		do: func(args []ref.Val) ref.Val {
			s, ok := args[0].(types.String)
			if !ok {
				return types.NoSuchOverloadErr()
			}
			return types.Bool(re.MatchString(string(s)))
		},
		// The matcher may step through the whole program at each character.
		work: func(args []ref.Val) uint64 { return 1 + uint64(size*(textLength(args[0])+1))/stepsPerUnit },
	}}, nil
}
