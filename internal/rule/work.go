package rule

import (
	"math/bits"
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// Work is counted in CEL's units of cost, of which one is about a tenth of a
// microsecond on one core. These say how much of each kind of work makes a unit.
const (
	stepsPerUnit    = 10 // of a regular expression
	comparesPerUnit = 8  // of short values with one another
	charsPerUnit    = 4  // of a string that is taken apart
	nodesPerUnit    = 4  // of an expression, evaluated once more
	bytesPerUnit    = 32 // of a string that is copied, compared or hashed
)

// workOf is what a function costs with given arguments, at most; its result,
// where that is larger than the arguments, included. Products are of lengths
// below a million and do not overflow.
func workOf(function string) func(args []ref.Val) uint64 {
	if work, known := works[function]; known {
		return work
	}
	return eachArgument
}

// works are the functions that do not just read each of their arguments once,
// and those that do and were seen to.
var works = map[string]func(args []ref.Val) uint64{
	// A constant, whatever the arguments.
	operators.LogicalNot: constant, operators.Negate: constant, operators.Subtract: constant,
	operators.Multiply: constant, operators.Divide: constant, operators.Modulo: constant,
	"type": constant, "dyn": constant, "first": constant, "last": constant,
	"hasValue": constant, "value": constant, "unwrapOpt": constant, "or": constant, "orValue": constant,
	"optional.of": constant, "optional.none": constant, "optional.ofNonZeroValue": constant,
	"family": constant, "masked": constant, "prefixLength": constant, "isMask": constant, "isGlobalUnicast": constant,
	"isLinkLocalMulticast": constant, "isLinkLocalUnicast": constant, "isLoopback": constant, "isUnspecified": constant,

	// A time zone, where one is named, is read from a file.
	"getDate": timeZone, "getDayOfMonth": timeZone, "getDayOfWeek": timeZone, "getDayOfYear": timeZone,
	"getFullYear": timeZone, "getHours": timeZone, "getMilliseconds": timeZone, "getMinutes": timeZone,
	"getMonth": timeZone, "getSeconds": timeZone,

	// Each argument once.
	"startsWith": eachArgument, "endsWith": eachArgument, "contains": eachArgument, "flatten": eachArgument,
	"optional.unwrap": eachArgument,

	// Character by character; what cannot be read is quoted in an error.
	"bool": characters, "bytes": characters, "double": characters, "duration": characters, "int": characters,
	"string": characters, "timestamp": characters, "uint": characters, "ip": characters, "cidr": characters,
	"ip.isCanonical": characters, "isIP": characters, "isCIDR": characters, "containsIP": characters, "containsCIDR": characters,
	"charAt": characters, "lowerAscii": characters, "upperAscii": characters, "reverse": characters, "split": characters,
	"strings.quote": characters, "substring": characters, "trim": characters,

	operators.Equals: comparison, operators.NotEquals: comparison,
	operators.Less: ordering, operators.LessEquals: ordering, operators.Greater: ordering, operators.GreaterEquals: ordering,
	operators.Add: addition,
	operators.In:  membership, operators.OldIn: membership, "in": membership,
	"distinct": func(args []ref.Val) uint64 { return each(args[0], args[0]) },
	"format":   format,
	"hasAll":   everyWithEvery, "hasAny": everyWithEvery, "hasOnly": everyWithEvery, "hasExactly": everyWithEvery,
	"indexOf": search, "lastIndexOf": search,
	"join":          join,
	"lists.range":   func(args []ref.Val) uint64 { return 1 + uint64(max(integer(args[0]), 0))/charsPerUnit },
	"replace":       replace,
	"sets.contains": everyWithEvery, "sets.equivalent": everyWithEvery, "sets.intersects": everyWithEvery,
	"size":  func(args []ref.Val) uint64 { return 1 + uint64(textLength(args[0]))/bytesPerUnit }, // characters are counted
	"slice": func(args []ref.Val) uint64 { return 1 + uint64(length(args[0])) },
	"sort":  sorting, "@sortByAssociatedKeys": sorting,
}

func constant([]ref.Val) uint64 { return 1 }

func timeZone(args []ref.Val) uint64 {
	if len(args) > 1 {
		return 1_000 + eachArgument(args)
	}
	return 1
}

func eachArgument(args []ref.Val) uint64 {
	work := uint64(1)
	for _, arg := range args {
		work += weight(arg)
	}
	return work
}

func characters(args []ref.Val) uint64 {
	work := eachArgument(args)
	for _, arg := range args {
		work += uint64(textLength(arg)) / charsPerUnit
	}
	return work
}

func comparison(args []ref.Val) uint64 { return 1 + min(weight(args[0]), weight(args[1])) }

func ordering(args []ref.Val) uint64 {
	return 1 + uint64(min(textLength(args[0]), textLength(args[1])))/bytesPerUnit
}

func addition(args []ref.Val) uint64 {
	if _, grows := args[0].(traits.MutableLister); grows {
		return 1 + uint64(length(args[1]))
	}
	return 1 + uint64(length(args[0])+length(args[1])) + uint64(textLength(args[0])+textLength(args[1]))/bytesPerUnit
}

func membership(args []ref.Val) uint64 {
	if _, isList := args[1].(traits.Lister); !isList {
		return 1 + uint64(textLength(args[0]))/bytesPerUnit // a map
	}
	all := uint64(length(args[1])) * weight(args[0])
	if all > 64 {
		all = min(all, weight(args[1]))
	}
	return 1 + all
}

// each is what it costs to compare each element of a with all of b.
func each(a, b ref.Val) uint64 {
	return 1 + uint64(length(a)) + uint64(length(a))*weight(b)/comparesPerUnit
}

func everyWithEvery(args []ref.Val) uint64 { return each(args[0], args[1]) + each(args[1], args[0]) }

// format may print up to 400 digits of a number, and sorts the names of maps.
func format(args []ref.Val) uint64 {
	text, _ := args[0].(types.String)
	return eachArgument(args) + 50*uint64(strings.Count(string(text), "%")) + uint64(len(text))/charsPerUnit + 3*weight(args[1])
}

// search compares the text that is looked for anew at each place.
func search(args []ref.Val) uint64 {
	in, of := uint64(textLength(args[0])), uint64(textLength(args[1]))
	return 1 + (in+of)/charsPerUnit + in*of/100
}

func join(args []ref.Val) uint64 {
	work := eachArgument(args)
	if len(args) > 1 {
		work += uint64(length(args[0])) * uint64(textLength(args[1])) / bytesPerUnit
	}
	return work
}

// replace makes a text that may be much longer than its arguments.
func replace(args []ref.Val) uint64 {
	in, old, by := uint64(textLength(args[0])), uint64(textLength(args[1])), uint64(textLength(args[2]))
	times := in + 1
	if old > 0 {
		times = in / old
	}
	if len(args) > 3 {
		if most := integer(args[3]); most >= 0 {
			times = min(times, uint64(most))
		}
	}
	return 1 + (in+old)/charsPerUnit + times + times*by/bytesPerUnit
}

func sorting(args []ref.Val) uint64 {
	keys := args[len(args)-1]
	return 1 + uint64(length(args[0])) + 2*weight(keys)*uint64(bits.Len(uint(length(keys))))
}

func integer(v ref.Val) int64 {
	n, _ := v.(types.Int)
	return int64(n)
}

// textLength is the length of a string or of bytes, and 0 of all else.
func textLength(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	}
	return 0
}

// length is the number of elements of a list, and 0 of all else.
func length(v ref.Val) int {
	list, ok := v.(traits.Lister)
	if !ok {
		return 0
	}
	n, _ := list.Size().(types.Int)
	return int(n)
}

// weight is the work of reading a value once, all that is in it included.
// Values may be shared, so that few of them make up a tree without end: the
// count stops beyond the cost limit.
func weight(v ref.Val) uint64 {
	left := int64(costLimit) + 1
	weigh(v, &left)
	return uint64(costLimit + 1 - left)
}

func weigh(v ref.Val, left *int64) {
	*left -= 1 + int64(textLength(v)/bytesPerUnit)
	switch v := v.(type) {
	case traits.Lister:
		for i := 0; i < length(v) && *left > 0; i++ {
			weigh(v.Get(types.Int(i)), left)
		}
	case traits.Mapper:
		for it := v.Iterator(); *left > 0 && it.HasNext() == types.True; {
			key := it.Next()
			weigh(key, left)
			weigh(v.Get(key), left)
		}
	case *types.Optional:
		if v.HasValue() {
			weigh(v.GetValue(), left)
		}
	case types.Bool, types.Int, types.Uint, types.Double, types.String, types.Bytes, types.Null,
		types.Timestamp, types.Duration, ext.IP, ext.CIDR, *types.Type:
	default:
		*left -= otherWeight
	}
	*left = max(*left, 0)
}

// otherWeight is the weight of what is none of JSON's values, such as the
// request as a whole.
const otherWeight = 1_000
