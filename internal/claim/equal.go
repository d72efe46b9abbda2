package claim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Equal compares two strictjson values, type included. Numbers compare by
// value, exactly: 1, 1.0 and 10e-1 are equal, and 2^53 is not 2^53+1.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && equalNumbers(string(a), string(n))
	case []any:
		list, ok := b.([]any)
		if !ok || len(a) != len(list) {
			return false
		}
		for i := range a {
			if !Equal(a[i], list[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		object, ok := b.(map[string]any)
		if !ok || len(a) != len(object) {
			return false
		}
		for name, v := range a {
			w, ok := object[name]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	default:
		switch b.(type) {
		case []any, map[string]any:
			return false // not comparable with ==
		}
		return a == b
	}
}

// equalNumbers compares without big arithmetic on hostile exponents: each
// number becomes its digits without zeros at either end, and a power of ten.
func equalNumbers(a, b string) bool {
	if a == b {
		return true
	}
	na, nb := normalise(a), normalise(b)
	return na.digits == nb.digits && (na.digits == "" || na.negative == nb.negative && na.exponent().Cmp(nb.exponent()) == 0)
}

// normal is a number: its digits as a whole number, times a power of ten.
type normal struct {
	negative bool
	digits   string // without zeros at either end; "" is zero
	shift    int    // what the digits' place adds to the exponent
	written  string // the exponent as it was written; "" is 0
}

func normalise(s string) (n normal) {
	s, n.negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		s, n.written = s[:i], strings.TrimPrefix(s[i+1:], "+")
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	n.digits = strings.TrimRight(digits, "0")
	n.shift = len(digits) - len(n.digits) - len(fraction)
	return n
}

func (n normal) exponent() *big.Int {
	exponent := new(big.Int)
	if n.written != "" {
		exponent.SetString(n.written, 10)
	}
	return exponent.Add(exponent, big.NewInt(int64(n.shift)))
}

// key is a text that is the same for values that are [Equal], and for no others.
func key(v any) string {
	var b strings.Builder
	writeKey(&b, v)
	return b.String()
}

func writeKey(b *strings.Builder, v any) {
	switch v := v.(type) {
	case json.Number:
		n := normalise(string(v))
		switch {
		case n.digits == "":
			b.WriteString("0")
			return
		case n.negative:
			b.WriteByte('-')
		}
		b.WriteString(n.digits + "e" + n.exponent().String())
	case string:
		b.WriteString(strconv.Quote(v))
	case []any:
		b.WriteByte('[')
		for _, e := range v {
			writeKey(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			writeKey(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default: // true, false and null
		fmt.Fprint(b, v)
	}
}
