package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// render says in a few words what a value is, with scalars as they are.
func render(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return "number " + shorten(string(v))
	case string:
		// Credentials hide in URLs, before the @ and in the query.
		if strings.Contains(v, "@") || strings.Contains(v, "://") && strings.Contains(v, "?") {
			return kind(v)
		}
		return quote(v)
	}
	return kind(v)
}

// kind says what type a value has and nothing of what it holds.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		if v == "" {
			return "an empty string"
		}
		return "a string"
	case []any:
		if len(v) == 0 {
			return "an empty list"
		}
		return "a list"
	case map[string]any:
		if len(v) == 0 {
			return "an empty object"
		}
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}

func shorten(text string) string {
	if len(text) > maxShown {
		return text[:maxShown] + "…"
	}
	return text
}
