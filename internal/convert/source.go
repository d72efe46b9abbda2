package convert

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// source reads the members of the old plugin's configuration, or of an object
// in it.
type source struct {
	d       *draft
	at      []string // its place in the object that holds the plugin
	members map[string]any
}

func (s *source) read(data json.RawMessage) bool {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&s.members); err != nil {
		s.d.problem(s.at[len(s.at)-1], "want an object")
		return false
	}
	return true
}

// path is the place of a member, for a person.
func (s source) path(key string) string {
	return strings.Join(append(slices.Clone(s.at[2:]), key), ".")
}

func (s source) has(key string) bool { return s.members[key] != nil }

func typed[T any](s source, key, want string, fallback T) T {
	value := s.members[key]
	if value == nil {
		return fallback
	}
	v, ok := value.(T)
	if !ok {
		s.d.problem(s.path(key), "want "+want)
	}
	return v
}

func (s source) text(key string) string { return typed(s, key, "a string", "") }

func (s source) textOr(key, fallback string) string { return typed(s, key, "a string", fallback) }

func (s source) flag(key string, fallback bool) bool {
	return typed(s, key, "true or false", fallback)
}

func (s source) number(key string, fallback int64) int64 {
	n := typed(s, key, "a whole number", json.Number("0"))
	if !s.has(key) {
		return fallback
	}
	v, err := n.Int64()
	if err != nil {
		s.d.problem(s.path(key), "want a whole number")
	}
	return v
}

func (s source) texts(key string) (all []string) {
	for _, e := range typed(s, key, "a list of strings", []any(nil)) {
		text, ok := e.(string)
		if !ok {
			s.d.problem(s.path(key), "want a list of strings")
			return nil
		}
		all = append(all, text)
	}
	return all
}

func (s source) object(key string) source {
	return source{d: s.d, at: append(slices.Clone(s.at), key), members: typed(s, key, "an object", map[string]any(nil))}
}

// atLeast is a number that may not be smaller: with one that is, the old plugin
// refuses sooner than auth0-jwt can.
func (s source) atLeast(least int64, key string, fallback int64) int64 {
	n := s.number(key, fallback)
	if n < least {
		s.d.problem(s.path(key), "given "+strconv.FormatInt(n, 10)+", with which hardly any request passes today, and auth0-jwt has no such limit: take it out, or write what you mean")
	}
	return n
}

// references finds values that APISIX looks up elsewhere. What they lead to decides,
// and it is not known here. The own keys are secrets, or decide nothing.
func (s source) references(own ...string) {
	for _, key := range slices.Sorted(maps.Keys(s.members)) {
		if !slices.Contains(own, key) && refers(s.members[key]) {
			s.d.problem(s.path(key), "it is a reference that APISIX looks up, and auth0-jwt does not: write what it leads to")
		}
	}
}

func refers(value any) bool {
	switch v := value.(type) {
	case string:
		told := strings.ToLower(v)
		return strings.HasPrefix(told, "$env://") || strings.HasPrefix(told, "$secret://")
	case []any:
		return slices.ContainsFunc(v, refers)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), refers)
	}
	return false
}

// known finds keys that the plugin does not have in the version that the tables
// are of. What they do is not known, so that leaving one out may open the route.
func (s source) known(plugin string) {
	all := Keys(plugin)
	for _, key := range slices.Sorted(maps.Keys(s.members)) {
		if key != "_meta" && !slices.Contains(all, key) {
			s.d.risk("unknown", key, plugin+" of APISIX 3.18 documents no such key, and what it does is not known here")
		}
	}
}
