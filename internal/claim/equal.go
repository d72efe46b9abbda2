package claim

import (
	"encoding/json"
	"math/big"
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
	na, da, ea := normalise(a)
	nb, db, eb := normalise(b)
	return da == db && (da == "" || na == nb && ea.Cmp(eb) == 0)
}

func normalise(s string) (negative bool, digits string, exponent *big.Int) {
	exponent = new(big.Int)
	s, negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent.SetString(strings.TrimPrefix(s[i+1:], "+"), 10)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(trimmed)-len(fraction))))
	return negative, trimmed, exponent
}
