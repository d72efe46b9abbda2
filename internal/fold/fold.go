// Package fold compares header names without regard to letter case, in place.
// It must not know what any header means.
package fold

// Equal tells whether two header names are one to nginx: letter case of ASCII
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

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
