// Package fold compares header names in place: without regard to letter case,
// and as upstreams compare them. It must not know what any header means.
package fold

import "strings"

// Equal reports whether two header names are one to nginx: letter case of ASCII
// does not count (RFC 9110 section 5.1), and everything else does.
func Equal(name []byte, other string) bool {
	if len(name) != len(other) {
		return false
	}
	for i, c := range name {
		if c != other[i] && lower(c) != lower(other[i]) {
			return false
		}
	}
	return true
}

// Name makes equal the names that some upstream takes for one: letter case
// never counts, and CGI, WSGI and PHP read "_" and "-" alike.
func Name(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// Alike reports whether some upstream takes name for the one that [Name] wrote
// as folded. It allocates nothing for names in ASCII.
func Alike(name []byte, folded string) bool {
	for i, c := range name {
		if c >= 0x80 { // letters of other lengths can be each other's small and capital
			return Name(string(name)) == folded
		}
		if c = lower(c); c == '_' {
			c = '-'
		}
		if i >= len(folded) || c != folded[i] {
			return false
		}
	}
	return len(name) == len(folded)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
