package strictjson

import "strings"

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// Pointer joins reference tokens to a JSON Pointer (RFC 6901 section 3): each
// gets a leading "/", "~" becomes "~0" and "/" becomes "~1".
func Pointer(tokens ...string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(pointerEscaper.Replace(t))
	}
	return b.String()
}
