package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds what one document can make the log hold.
const maxProblems = 100

// Problem is one thing wrong with a document.
type Problem struct {
	Path  string // JSON path of the key, as in $.issuers[0].audience
	Given string // what stands there; only its type where it may be a secret
	Want  string // what is allowed
	// Outside says that the reason is outside of the document, such as a file
	// that is not there: the same document may be fine later.
	Outside bool
}

// String is the problem on one line.
func (p Problem) String() string {
	return fmt.Sprintf("%s: given %s; allowed: %s", p.Path, p.Given, p.Want)
}

// Error is everything wrong with one document, sorted by path. It never holds
// a value that could be a secret.
type Error struct {
	Problems []Problem // at least one
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// MayPass reports whether the same document may be fine later, since every
// problem has its reason outside of it.
func (e *Error) MayPass() bool {
	return !slices.ContainsFunc(e.Problems, func(p Problem) bool { return !p.Outside })
}

// sortProblems orders by path, the indexes of lists by value.
func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int { return comparePaths(a.Path, b.Path) })
}

func comparePaths(a, b string) int {
	for a != "" && b != "" {
		if x, y := leadingDigits(a), leadingDigits(b); x > 0 && y > 0 {
			if c := cmp.Or(cmp.Compare(x, y), strings.Compare(a[:x], b[:y])); c != 0 {
				return c
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
