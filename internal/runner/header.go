package runner

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
)

// header is pkg/http.Header over a frame's entries. As long as nobody asks for
// the map there is none: Get reads the frame, Set and Del are noted.
type header struct {
	sent  []a6.Pair // as APISIX sent them
	noted []a6.Entry
	view  http.Header // nil until View; then the truth
	names *interner
}

func (h *header) begin(sent []a6.Pair) { h.sent = sent }

func (h *header) end() {
	clear(h.noted)
	h.sent, h.noted, h.view = nil, h.noted[:0], nil
}

// Get implements pkg/http.Header.
func (h *header) Get(key string) string {
	if h.view != nil {
		return h.view.Get(key)
	}
	if i := h.findNoted(key); i >= 0 {
		return h.noted[i].Value
	}
	for i := range h.sent {
		if fold.Equal(h.sent[i].Name, key) {
			return h.names.string(h.sent[i].Value)
		}
	}
	return ""
}

// Set implements pkg/http.Header.
func (h *header) Set(key, value string) {
	if h.view != nil {
		h.drop(key)
		h.view.Set(key, value)
		return
	}
	h.note(a6.Entry{Name: key, Value: value, HasValue: true})
}

// Del implements pkg/http.Header.
func (h *header) Del(key string) {
	if h.view != nil {
		h.drop(key)
		return
	}
	h.note(a6.Entry{Name: key})
}

// drop deletes a header from the map in every spelling: a plugin may have
// stored it under a key that is not canonical, and to APISIX they are one.
func (h *header) drop(key string) {
	for name := range h.view {
		if fold.Equal([]byte(name), key) {
			delete(h.view, name)
		}
	}
}

func (h *header) note(e a6.Entry) {
	if i := h.findNoted(e.Name); i >= 0 {
		h.noted[i] = e
		return
	}
	h.noted = append(h.noted, e)
}

func (h *header) findNoted(key string) int {
	for i := range h.noted {
		if fold.Equal([]byte(h.noted[i].Name), key) {
			return i
		}
	}
	return -1
}

// View implements pkg/http.Header: the map that plugins change at will.
func (h *header) View() http.Header {
	if h.view == nil {
		h.view = h.sentMap()
		for _, e := range h.noted {
			if e.HasValue {
				h.view.Set(e.Name, e.Value)
			} else {
				h.view.Del(e.Name)
			}
		}
	}
	return h.view
}

func (h *header) sentMap() http.Header {
	m := make(http.Header, len(h.sent))
	for _, p := range h.sent {
		m.Add(h.names.string(p.Name), h.names.string(p.Value))
	}
	return m
}

// diff appends what turns the headers sent into the headers wanted: deletions
// first, since APISIX takes "x-a" and "X-A" for one name. Every value counts,
// not the first alone. APISIX can set one value a name, so that several are
// joined as RFC 9110 section 5.3 allows.
func (h *header) diff(edits []a6.Entry) []a6.Entry {
	if h.view == nil {
		return h.diffNoted(edits)
	}
	sent := h.sentMap()
	for _, name := range sortedNames(sent) {
		if len(h.view[name]) == 0 {
			edits = append(edits, a6.Entry{Name: name})
		}
	}
	for _, name := range sortedNames(h.view) {
		if want := h.view[name]; len(want) > 0 && !slices.Equal(sent[name], want) {
			edits = append(edits, a6.Entry{Name: name, Value: joined(name, want), HasValue: true})
		}
	}
	return edits
}

func (h *header) diffNoted(edits []a6.Entry) []a6.Entry {
	for _, deletions := range [...]bool{true, false} {
		for _, e := range h.noted {
			if e.HasValue != deletions && h.changes(e) {
				edits = append(edits, e)
			}
		}
	}
	return edits
}

// changes reports whether a noted edit makes any difference.
func (h *header) changes(e a6.Entry) bool {
	count, same := 0, false
	for i := range h.sent {
		if fold.Equal(h.sent[i].Name, e.Name) {
			count++
			same = string(h.sent[i].Value) == e.Value
		}
	}
	if !e.HasValue {
		return count > 0
	}
	return count != 1 || !same
}

func joined(name string, values []string) string {
	if strings.EqualFold(name, "Cookie") {
		return strings.Join(values, "; ")
	}
	return strings.Join(values, ", ")
}

func sortedNames(m map[string][]string) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
