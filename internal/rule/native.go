package rule

import (
	"encoding/json"
	"strconv"
)

// native gives a strictjson value the types that CEL has: whole numbers that
// fit become int (or uint), all others double.
func native(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = native(e)
		}
		return list
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, e := range v {
			members[name] = native(e)
		}
		return members
	}
	return v
}

func number(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range is infinite, as CEL has it
	return f
}
